/**
 * Sending a file: from a local path to a name on the server.
 */
import { E2eeftpError } from '../../errors.js';
import { native, nativeSync, openLocalSource } from '../../native.js';
import type { BodyResult, NativeSource } from '../../native.js';
import { displayName } from '../../storage/display-name.js';
import { joinRemote, pathFromBytes, pathToBytes, remoteBaseName } from '../../storage/path-text.js';
import { ControlReader } from '../control-value.js';
import type { Channel } from './channel.js';
import { measured } from './measured.js';
import type { Reply } from './reply.js';
import { trackTransfer } from './tracked-transfer.js';
import type { Tracked } from './tracked-transfer.js';
import type { TransferOptions, TransferResult } from './transfer-options.js';

/** Sends one file; see `Client.send`. */
export async function sendFile(
  channel: Channel,
  localPath: string,
  remotePath: string,
  options: TransferOptions,
): Promise<TransferResult> {
  const started = performance.now();
  options.signal?.throwIfAborted();
  const source = await native(() => openLocalSource(pathToBytes(localPath))).catch((error: unknown) => {
    throw E2eeftpError.is(error) ? error.within(displayName(localPath)) : error;
  });
  try {
    const move = async (tracked: Tracked): Promise<TransferResult> => {
      const { reply, result } = await sendTo(channel, source, localPath, remotePath, options, tracked);
      const { path } = checkSent(reply, result, remotePath);
      const { bytes } = result;
      const seconds = (performance.now() - started) / 1000;
      const stats =
        options.stats === true ? { stats: measured('up', tracked.transfer, reply, { bytes, seconds }) } : {};
      return { bytes, root: result.root.toString('hex'), resumedBytes: 0, seconds, path, ...stats };
    };
    return await trackTransfer(localPath, options.onProgress, options.signal, move, options);
  } finally {
    source.close();
  }
}

interface Sent {
  readonly reply: Reply;
  readonly result: BodyResult;
}

/** A target that is a directory, by its spelling or on the server, means: into it, under the same name. */
async function sendTo(
  channel: Channel,
  source: NativeSource,
  localPath: string,
  remotePath: string,
  options: TransferOptions,
  tracked: Tracked,
): Promise<Sent> {
  const inside = joinRemote(remotePath === '' ? '/' : remotePath, localBaseName(localPath));
  if (remotePath === '' || remotePath.endsWith('/')) return sendOnce(channel, source, inside, options, tracked);
  try {
    return await sendOnce(channel, source, remotePath, options, tracked);
  } catch (error) {
    // The server says so before any byte of the file has moved.
    if (!E2eeftpError.is(error, 'E2EEFTP_IS_DIRECTORY')) throw error;
    return sendOnce(channel, source, inside, options, tracked);
  }
}

async function sendOnce(
  channel: Channel,
  source: NativeSource,
  path: string,
  options: TransferOptions,
  { transfer, signal }: Tracked,
): Promise<Sent> {
  const { size, modifiedMs, modifiedNs, mode } = nativeSync(() => source.metadata);
  const isPreserved = options.preserve ?? true;
  let result: BodyResult | null = null;
  const reply = await channel.request(
    'SEND',
    {
      path: pathToBytes(path),
      size,
      mtime: isPreserved ? modifiedMs : undefined,
      mtimeNs: isPreserved ? modifiedNs : undefined,
      mode: isPreserved ? mode & 0o777 : undefined,
      overwrite: options.overwrite ?? 'replace',
      parents: options.parents ?? true,
      durability: options.durability,
      stats: options.stats === true ? true : undefined,
    },
    {
      signal,
      send: async (body) => {
        result = await body.fromFile(source, size, transfer);
      },
    },
  );
  if (result === null) throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server did not ask for the file');
  return { reply, result };
}

/**
 * Compares what the server stored with what was sent.
 *
 * @throws E2eeftpError `E2EEFTP_INTEGRITY` when they differ.
 */
export function checkSent(reply: Reply, sent: BodyResult, wanted: string): { path: string } {
  const members = new ControlReader(reply.members);
  try {
    const root = members.bytes('root');
    if (members.count('bytes') !== sent.bytes || !root.equals(sent.root)) {
      throw new E2eeftpError('E2EEFTP_INTEGRITY', `the server stored something else as ${displayName(wanted)}`);
    }
    return { path: pathFromBytes(members.bytes('path')) };
  } catch (error) {
    if (!E2eeftpError.is(error, 'E2EEFTP_BAD_REQUEST')) throw error;
    throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server did not say what it stored', { cause: error });
  }
}

function localBaseName(path: string): string {
  const name = remoteBaseName(process.platform === 'win32' ? path.replaceAll('\\', '/') : path);
  if (name !== '' && name !== '.' && name !== '..') return name;
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `${displayName(path)} has no name to store it under`);
}
