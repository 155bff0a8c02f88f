/** `e2eeftp send`: copies local files and directories, or standard input, to a server. */
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { Command, OptionValues } from 'commander';
import { type Client, E2eeftpError, joinRemote, pathToBytes } from '../../index.js';
import { type LocalAddress, parseAddress, type RemoteAddress } from '../address.js';
import { isClassic } from '../classic/classic-option.js';
import { sendToClassic } from '../classic/classic-verbs.js';
import type { CliContext, Verb } from '../context.js';
import { withClient } from '../open-client.js';
import { checkReceiptFile, refuseReceipt, saveReceipt } from '../save-receipt.js';
import { asDirectory, finalName, namesDirectory, requireDirectory, shownRemote } from '../remote-target.js';
import { pace, sendStandardInput } from '../standard-streams.js';
import { type Planned, runTransfers, type TransferJob } from '../transfer-batch.js';
import { addTreeOptions, readTreeOptions, type TreeChoices } from '../tree-options.js';
import { moveTree, type TreeMoved, type Watching } from '../tree-transfer.js';
import { addTransferOptions, forPeer, readTransferOptions, type TransferOptions } from '../transfer-options.js';

function usage(message: string, hint: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', message, { hint });
}

/** An old server stores single files. */
async function requireFiles(sources: readonly LocalAddress[]): Promise<void> {
  for (const source of sources) {
    if (source.path !== '-' && (await sourceLength(source)) === null) {
      throw new E2eeftpError('E2EEFTP_IS_DIRECTORY', `${source.path} is a directory`, {
        hint: 'an old server takes single files: e2eeftp send --classic DIR/* PEER:',
      });
    }
  }
}

interface SendArguments {
  sources: LocalAddress[];
  target: RemoteAddress;
  /** The name that standard input gets in a directory. */
  name?: string;
}

function readArguments(operands: string[], options: OptionValues): SendArguments {
  const addresses = operands.map((operand) => parseAddress(operand));
  const target = addresses.pop();
  if (target === undefined || addresses.length === 0) {
    throw usage('a source and a target are needed', 'write: e2eeftp send FILE… PEER:PATH');
  }
  if (target.kind !== 'remote') {
    const remote = addresses.some((address) => address.kind === 'remote');
    throw usage(
      `the target '${target.path}' is on this machine`,
      remote ? 'to copy from a server use: e2eeftp get PEER:PATH FILE' : 'name a server: PEER:PATH',
    );
  }
  const sources: LocalAddress[] = [];
  for (const [index, source] of addresses.entries()) {
    if (source.kind === 'local') sources.push(source);
    else throw usage(`the source '${operands[index] ?? ''}' is on a server, too`, 'one side must be on this machine');
  }
  const fromStdin = sources.filter((source) => source.path === '-').length;
  if (fromStdin > 1) throw usage("'-' (standard input) can be given once only", 'name the other sources');
  const name = options['name'] as string | undefined;
  if (name === undefined) return { sources, target };
  if (fromStdin === 0)
    throw usage("--name is for standard input ('-')", 'put the name into the target: PEER:PATH/NAME');
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
    throw usage(`--name '${name}' is not a file name`, 'directories belong into the target');
  }
  return { sources, target, name };
}

/** Length of a file; `null` for a directory. */
async function sourceLength(source: LocalAddress): Promise<number | null> {
  const info = await stat(pathToBytes(source.path));
  return info.isDirectory() ? null : info.size;
}

/**
 * Where a directory goes: into a target that is written as a directory, under its own name; else the target becomes the
 * copy, whether it is there or not. So the same command gives the same tree again.
 */
function treeTarget(source: LocalAddress, path: string): string {
  if (!namesDirectory(path)) return path;
  const name = basename(resolve(source.path));
  if (name === '')
    throw usage(`'${source.path}' has no name to go by`, 'give a full target name, without / at its end');
  return joinRemote(path, name);
}

async function plan(
  context: CliContext,
  client: Client,
  job: { target: RemoteAddress; path: string; name: string; bytes: number },
  options: TransferOptions,
): Promise<Planned> {
  const { path, existing } = await finalName(client, job.path, job.name, context.signal);
  if (existing?.type === 'directory') throw new E2eeftpError('E2EEFTP_IS_DIRECTORY', `${path} is a directory`);
  const taken = existing === undefined ? null : existing !== null;
  if (taken === true && options.overwrite === 'refuse')
    throw new E2eeftpError('E2EEFTP_EXISTS', `${path} exists already`);
  return {
    target: shownRemote(job.target, path),
    bytes: job.bytes,
    replaces: options.overwrite === 'rename' ? false : taken,
  };
}

function makeJob(
  context: CliContext,
  client: Client,
  source: LocalAddress,
  target: RemoteAddress,
  path: string,
  options: TransferOptions,
  choices: TreeChoices,
): TransferJob {
  const { overwrite, preserve, moving, compress } = options;
  const { signal } = context;
  const isInput = source.path === '-';
  const name = basename(source.path);
  const common = { overwrite, compress, signal };
  const tree = (watching?: Watching): Promise<TreeMoved> => {
    const end = treeTarget(source, path);
    const route = {
      direction: 'send',
      source: source.path,
      target: end,
      shownTarget: shownRemote(target, end),
    } as const;
    return moveTree(context, client, route, options, choices, watching);
  };
  return {
    source: source.path,
    total: null,
    async plan() {
      const bytes = isInput ? 0 : await sourceLength(source);
      if (bytes === null) return tree();
      return plan(context, client, { target, path, name, bytes }, options);
    },
    async move(onProgress, onRetry) {
      if (isInput) {
        const { durability } = moving;
        const disk = durability === undefined ? {} : { durability };
        const sent = await sendStandardInput(client, path, { ...common, ...disk, ...pace(moving), onProgress });
        if (options.receipt !== undefined) await saveReceipt(context, client, sent, options.receipt);
        return { ...sent, target: shownRemote(target, sent.path) };
      }
      if ((await sourceLength(source)) === null) return tree({ onProgress, onRetry });
      const sent = await client.send(source.path, path, { ...common, ...moving, preserve, onProgress, onRetry });
      if (options.receipt !== undefined) await saveReceipt(context, client, sent, options.receipt);
      return { ...sent, target: shownRemote(target, sent.path) };
    },
  };
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<number> {
  const { sources, target, name } = readArguments(operands, options);
  const transfer = forPeer(readTransferOptions(options), context, target.host);
  const choices = await readTreeOptions(options);
  const [first] = sources;
  // Before anything is connected: a mistake in the only source should cost nothing.
  if (sources.length === 1 && first !== undefined && first.path !== '-') await sourceLength(first);
  if (name === undefined && namesDirectory(target.path) && sources.some((source) => source.path === '-')) {
    throw usage('standard input has no name', 'give --name NAME, or a full target name');
  }
  await checkReceiptFile(transfer.receipt, sources.length);
  if (isClassic(context, [target])) {
    refuseReceipt(transfer.receipt, 'classic has none');
    await requireFiles(sources);
    return sendToClassic(context, { sources, target }, transfer);
  }
  return withClient(context, target, async (client) => {
    const path =
      sources.length > 1
        ? await requireDirectory(client, target.path, context.signal)
        : target.path === ''
          ? asDirectory('')
          : target.path;
    const jobs = sources.map((source) => {
      const own = source.path === '-' && name !== undefined ? `${asDirectory(path)}${name}` : path;
      return makeJob(context, client, source, target, own, transfer, choices);
    });
    return runTransfers(context, 'send', jobs, transfer);
  });
}

export const verb: Verb = {
  examples: ['e2eeftp send report.pdf files.example.org:/inbox/', 'e2eeftp send ./photos files.example.org:/photos'],
  configure(command: Command): void {
    command
      .usage('[options] <source…> <peer:path>')
      .argument('<source… target...>', "files and directories, or '-' for standard input; then where they go")
      .option('--name <name>', "the name of standard input ('-') in the target directory");
    addTreeOptions(command);
    addTransferOptions(command);
  },
  run,
};
