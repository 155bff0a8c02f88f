/** `e2eeftp get`: copies files and directories from a server, or writes one to standard output. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command, OptionValues } from 'commander';
import { E2eeftpError, pathToBytes, remoteBaseName } from '../../index.js';
import { parseAddress, type RemoteAddress } from '../address.js';
import { isClassic } from '../classic/classic-option.js';
import { getFromClassic } from '../classic/classic-verbs.js';
import type { CliContext, Verb } from '../context.js';
import { ClientPool } from '../open-client.js';
import { checkReceiptFile, refuseReceipt, saveReceipt } from '../save-receipt.js';
import { getToStandardOutput, pace } from '../standard-streams.js';
import { type Planned, runTransfers, type TransferJob } from '../transfer-batch.js';
import { addTreeOptions, namesTreeOption, readTreeOptions, type TreeChoices } from '../tree-options.js';
import { moveTree, type TreeMoved, type Watching } from '../tree-transfer.js';
import { addTransferOptions, forPeer, readTransferOptions, type TransferOptions } from '../transfer-options.js';

function usage(message: string, hint: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', message, { hint });
}

interface GetArguments {
  sources: { address: RemoteAddress; text: string }[];
  /** Local path; `-` is standard output. */
  target: string;
}

function readArguments(operands: string[]): GetArguments {
  const addresses = operands.map((operand) => parseAddress(operand));
  const last = addresses.at(-1);
  let target = '.';
  if (last?.kind === 'local') {
    target = last.path;
    addresses.pop();
  }
  if (addresses.length === 0) {
    throw usage('no source on a server is named', 'write: e2eeftp get PEER:PATH… [DEST]');
  }
  const sources = addresses.map((address, index) => {
    const text = operands[index] ?? '';
    if (address.kind === 'local') {
      throw usage(`the source '${text}' is on this machine`, 'to copy to a server use: e2eeftp send FILE PEER:PATH');
    }
    return { address, text };
  });
  if (target === '-' && sources.length > 1) {
    throw usage("several files can't share standard output", 'get them one by one');
  }
  return { sources, target };
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(pathToBytes(path)).then(
    (info) => info.isDirectory(),
    () => false,
  );
}

function makeJob(
  context: CliContext,
  clients: ClientPool,
  { address, text }: GetArguments['sources'][number],
  target: string,
  options: TransferOptions,
  choices: TreeChoices,
): TransferJob {
  const { signal } = context;
  const { overwrite, preserve, moving, compress } = options;
  const common = { overwrite, preserve, compress, signal, ...moving };
  const tree = async (watching?: Watching): Promise<TreeMoved> => {
    const client = await clients.open(address);
    const end = treeTarget(address, text, target);
    const route = { direction: 'get', source: address.path, target: end, shownTarget: end } as const;
    return moveTree(context, client, route, options, choices, watching);
  };
  return {
    source: text,
    total: null,
    async plan() {
      const planned = await plan(context, clients, address, target, options);
      return planned ?? tree();
    },
    async move(onProgress, onRetry) {
      const client = await clients.open(address);
      if (target !== '-' && (namesTree(address.path) || namesTreeOption(choices))) return tree({ onProgress, onRetry });
      if (target === '-') {
        const got = await getToStandardOutput(client, address.path, { compress, signal, ...pace(moving), onProgress });
        if (options.receipt !== undefined) await saveReceipt(context, client, got, options.receipt);
        return { ...got, target: '-' };
      }
      try {
        const got = await client.get(address.path, target, { ...common, onProgress, onRetry });
        if (options.receipt !== undefined) await saveReceipt(context, client, got, options.receipt);
        return { ...got, target: got.path };
      } catch (error) {
        // The server says so before anything has moved; a local directory in the way of a file is another matter.
        if (!E2eeftpError.is(error, 'E2EEFTP_IS_DIRECTORY') || error.status === undefined) throw error;
        if ((await client.stat(address.path, { signal })).type !== 'directory') throw error;
        return tree({ onProgress, onRetry });
      }
    },
  };
}

/** Whether a path is written as a directory. */
function namesTree(path: string): boolean {
  return path === '' || path.endsWith('/') || ['.', '..'].includes(remoteBaseName(path));
}

/**
 * Where a directory goes: into a target that is written as a directory, under its own name; else the target becomes the
 * copy, whether it is there or not. So the same command gives the same tree again.
 */
function treeTarget(address: RemoteAddress, text: string, target: string): string {
  if (!(target.endsWith('/') || target === '.' || target === '..')) return target;
  const name = address.path.split('/').findLast((part) => part !== '' && part !== '.') ?? '';
  if (name !== '' && name !== '..') return join(target, name);
  throw usage(`'${text}' has no name to go by`, 'give a full target name, without / at its end');
}

/** What `--dry-run` says of a file; `null` for a directory. */
async function plan(
  context: CliContext,
  clients: ClientPool,
  address: RemoteAddress,
  target: string,
  options: TransferOptions,
): Promise<Planned | null> {
  const client = await clients.open(address);
  const entry = await client.stat(address.path, { signal: context.signal });
  if (entry.type === 'directory') {
    if (target !== '-') return null;
    throw new E2eeftpError('E2EEFTP_IS_DIRECTORY', `${address.path} is a directory`);
  }
  if (target === '-') return { target, bytes: entry.size, replaces: false };
  const into = target.endsWith('/') || (await isDirectory(target));
  const path = into ? join(target, remoteBaseName(address.path)) : target;
  const existing = await stat(pathToBytes(path)).catch(() => null);
  if (existing?.isDirectory() === true) throw new E2eeftpError('E2EEFTP_IS_DIRECTORY', `${path} is a directory`);
  if (existing !== null && options.overwrite === 'refuse') {
    throw new E2eeftpError('E2EEFTP_EXISTS', `${path} exists already`);
  }
  return { target: path, bytes: entry.size, replaces: existing !== null && options.overwrite === 'replace' };
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<number> {
  const { output } = context;
  const { sources, target } = readArguments(operands);
  const transfer = readTransferOptions(options);
  const choices = await readTreeOptions(options);
  if (target === '-') {
    if (process.stdout.isTTY && options['force'] !== true && !transfer.dryRun) {
      throw usage('the content of a file could upset your terminal', 'send it into a pipe or a file, or add --force');
    }
    output.reserveStdout();
  } else if (sources.length > 1 && !target.endsWith('/') && !(await isDirectory(target))) {
    throw usage(`'${target}' is not a directory, but there are several sources`, `write '${target}/' for a directory`);
  }
  await checkReceiptFile(transfer.receipt, sources.length);
  if (
    isClassic(
      context,
      sources.map(({ address }) => address),
    )
  ) {
    refuseReceipt(transfer.receipt, 'classic has none');
    return getFromClassic(context, { sources, target }, transfer);
  }
  const clients = new ClientPool(context);
  try {
    // The first server is reached before anything is started, so that its failure is told once.
    if (sources[0] !== undefined) await clients.open(sources[0].address);
    const into = sources.length > 1 && !target.endsWith('/') ? `${target}/` : target;
    const jobs = sources.map((source) =>
      makeJob(context, clients, source, into, forPeer(transfer, context, source.address.host), choices),
    );
    return await runTransfers(context, 'get', jobs, transfer);
  } finally {
    await clients.close();
  }
}

export const verb: Verb = {
  examples: ['e2eeftp get files.example.org:/inbox/report.pdf .', 'e2eeftp get files.example.org:/photos ./photos'],
  configure(command: Command): void {
    command
      .usage('[options] <peer:path…> [dest]')
      .argument(
        '<peer:path… [dest]...>',
        "files and directories on a server; then where they go (default: '.'; '-' is standard output)",
      )
      .option('--force', 'write to standard output even if it is a terminal');
    addTreeOptions(command);
    addTransferOptions(command);
  },
  run,
};
