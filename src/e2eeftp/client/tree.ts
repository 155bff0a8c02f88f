/**
 * Trees: a whole directory in one dialog with the server; where that has to hear of each file, a request for each.
 */
import { mkdir, stat } from 'node:fs/promises';
import { E2eeftpError } from '../../errors.js';
import { isSystemError } from '../../identity/atomic-file.js';
import { native, readLocalTree, writeLocalTree } from '../../native.js';
import type { NativeTransfer, NativeTreeCounts } from '../../native.js';
import { displayName } from '../../storage/display-name.js';
import { joinRemote, pathToBytes } from '../../storage/path-text.js';
import { linkSignals } from './abort.js';
import type { OutboundBody } from './bodies.js';
import { getFile } from './get.js';
import type { RequestArgs } from './channel.js';
import { ProgressReporter } from './progress.js';
import { sendFile } from './send.js';
import { pacedTransfer } from './tracked-transfer.js';
import { getFileByFile, sendFileByFile } from './tree-file-by-file.js';
import type { GetTreeOptions, TreeOptions, TreeResult } from './tree-options.js';
import { TreeRun } from './tree-run.js';
import type { MoveLarge, TreeParts } from './tree-run.js';
import { TreeTries } from './tree-tries.js';

/** Makes the directory `remotePath` a copy of `localPath`; see `Client.sendTree`. */
export async function sendTree(
  parts: TreeParts,
  localPath: string,
  remotePath: string,
  options: TreeOptions,
): Promise<TreeResult> {
  check(options);
  const { overwrite = 'replace', preserve = true, links = 'safe', dryRun = false, checksum = false } = options;
  const top = remotePath === '' ? '/' : remotePath;
  const transfer = pacedTransfer(options);
  const pace = { ...largeOptions(options), limitedWith: transfer };
  const move: MoveLarge = (line, path, onProgress, signal) =>
    sendFile(line, joinRemote(localPath, path), joinRemote(top, path), { ...pace, onProgress, signal });
  const args = { path: pathToBytes(top), delete: options.delete ?? false, dryRun, preserve, overwrite };
  return runTree(parts, localPath, options, move, {
    verb: 'PUSH',
    transfer,
    args,
    preserve,
    checksum,
    talk: (body, run, checksum) =>
      body.dialog(
        transfer,
        () => local(localPath, () => readLocalTree(pathToBytes(localPath), links === 'follow')),
        async (reader, session, id) => {
          const how = { checksum, dryRun, skipLinks: links === 'skip', preserve, durability: 'none' };
          return session.sendTree(transfer, reader, id, how, run.tree);
        },
      ),
    fileByFile: (run) => sendFileByFile(parts, run, localPath, top, { ...options, limitedWith: transfer }),
  });
}

/** Makes the directory `localPath` a copy of `remotePath`; see `Client.getTree`. */
export async function getTree(
  parts: TreeParts,
  remotePath: string,
  localPath: string,
  options: GetTreeOptions,
): Promise<TreeResult> {
  check(options);
  const { overwrite = 'replace', preserve = true, links = 'safe', dryRun = false, checksum = false } = options;
  const { durability = 'file', delete: isDeleting = false } = options;
  const top = remotePath === '' ? '/' : remotePath;
  const transfer = pacedTransfer(options);
  const move: MoveLarge = (line, path, onProgress, signal) =>
    getFile(line, parts.serverFingerprint, joinRemote(top, path), joinRemote(localPath, path), {
      ...largeOptions(options),
      durability,
      onProgress,
      signal,
      parents: false,
      limitedWith: transfer,
    });
  const kept = links === 'follow' || links === 'skip' ? links : 'keep';
  return runTree(parts, remotePath, options, move, {
    verb: 'PULL',
    transfer,
    args: { path: pathToBytes(top), dryRun, links: kept },
    preserve,
    checksum,
    talk: (body, run, checksum) =>
      body.dialog(
        transfer,
        async () => {
          if (!dryRun) await makeDirectory(localPath);
          const options = {
            overwrite: overwrite === 'replace',
            delete: isDeleting,
            anyLinks: links === 'copy',
            dryRun,
          };
          return local(localPath, () => writeLocalTree(pathToBytes(localPath), options));
        },
        async (writer, session, id) => {
          const how = { checksum, dryRun, skipLinks: false, preserve, durability };
          return session.receiveTree(transfer, writer, id, how, run.tree);
        },
      ),
    fileByFile: (run) => getFileByFile(parts, run, top, localPath, { ...options, limitedWith: transfer }),
  });
}

interface Direction {
  readonly verb: 'PUSH' | 'PULL';
  readonly args: RequestArgs;
  readonly transfer: NativeTransfer;
  readonly preserve: boolean;
  readonly checksum: boolean;
  readonly talk: (body: OutboundBody, run: TreeRun, checksum: boolean) => Promise<NativeTreeCounts>;
  readonly fileByFile: (run: TreeRun, signal: AbortSignal) => Promise<NativeTreeCounts>;
}

async function runTree(
  parts: TreeParts,
  file: string,
  options: TreeOptions,
  move: MoveLarge,
  direction: Direction,
): Promise<TreeResult> {
  const started = performance.now();
  options.signal?.throwIfAborted();
  const failure = new AbortController();
  const fail = (error: unknown): void => failure.abort(error);
  const { signal, unlink } = linkSignals(options.signal, failure.signal);
  const { onProgress, onRetry, reconnectMs, dryRun = false } = options;
  const tries = new TreeTries(direction.transfer);
  const reporter = onProgress === undefined ? null : new ProgressReporter(tries, file, onProgress, fail);
  // A dry run costs little, and would tell everything twice.
  const patience = dryRun ? { reconnectMs: 0 } : { onRetry, reconnectMs };
  const heard = tries.listening({ ...options, ...(options.paths === undefined ? {} : { paths: [...options.paths] }) });
  try {
    const counts = await parts.line.persist({ ...patience, signal }, tries, async (_channel, count) => {
      const run = new TreeRun(parts, heard, signal, fail, move);
      tries.begin(run);
      const done = await run.run(() => exchange(parts, run, signal, direction, count > 0));
      // A large file or a callback that failed at the very end.
      signal.throwIfAborted();
      return done;
    });
    const result = tries.result(counts, (performance.now() - started) / 1000);
    reporter?.finish(result.bytes);
    return result;
  } finally {
    reporter?.stop();
    unlink();
  }
}

async function exchange(
  { line }: TreeParts,
  run: TreeRun,
  signal: AbortSignal,
  { verb, args, preserve, checksum, talk, fileByFile }: Direction,
  isAgain: boolean,
): Promise<NativeTreeCounts> {
  let counts: NativeTreeCounts | null = null;
  // Without their times only the contents tell that the files of an earlier try are there.
  const compares = checksum || (isAgain && !preserve);
  try {
    await line.channel.request(
      verb,
      { ...args, checksum: compares },
      {
        signal,
        send: async (body) => {
          counts = await talk(body, run, compares);
        },
      },
    );
  } catch (error) {
    if (!wantsFileByFile(error)) throw error;
    return fileByFile(run, signal);
  }
  if (counts === null) throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server did not begin with the tree');
  return counts;
}

/** Whether a server has no dialog for trees, or none for this client. */
function wantsFileByFile(error: unknown): boolean {
  return E2eeftpError.is(error, 'E2EEFTP_FILE_BY_FILE') || E2eeftpError.is(error, 'E2EEFTP_UNKNOWN_COMMAND');
}

/** What the transfers of large files take over. */
function largeOptions(options: TreeOptions) {
  const { overwrite = 'replace', preserve = true, connections, delta, reconnectMs, onRetry } = options;
  return {
    overwrite,
    preserve,
    reconnectMs,
    onRetry,
    ...(connections === undefined ? {} : { connections }),
    ...(delta === undefined ? {} : { delta }),
  };
}

function check({ paths, delete: isDeleting = false, overwrite = 'replace' }: TreeOptions): void {
  if (paths !== undefined && isDeleting) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a list of paths does not tell what to delete');
  }
  if (overwrite !== 'replace' && overwrite !== 'refuse') {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'the files of a tree are replaced or kept, not renamed');
  }
}

/** An error of the local disk names the local directory. */
async function local<T>(path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await native(call);
  } catch (error) {
    throw E2eeftpError.is(error) ? error.within(displayName(path)) : error;
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(pathToBytes(path), { recursive: true });
  } catch (error) {
    const isThere = await stat(pathToBytes(path)).then(
      () => true,
      () => false,
    );
    const code = isThere
      ? 'E2EEFTP_NOT_DIRECTORY'
      : isSystemError(error, 'EACCES')
        ? 'E2EEFTP_NOT_PERMITTED'
        : 'E2EEFTP_IO';
    throw new E2eeftpError(code, `cannot make the directory ${displayName(path)}`, { cause: error });
  }
}
