/** What the verbs do with `--classic`. */
import type { OptionValues } from 'commander';
import { displayName, E2eeftpError } from '../../index.js';
import type { LocalAddress, PeerAddress, RemoteAddress } from '../address.js';
import type { CliContext } from '../context.js';
import { runEach } from '../run-each.js';
import { limitedTo } from '../standard-streams.js';
import { runTransfers, type TransferJob } from '../transfer-batch.js';
import type { TransferOptions } from '../transfer-options.js';
import { onlyPeer, refuseOption, withClassicClient } from './open-classic.js';

/** What is said of a file in place of "verified". */
const ACCEPTED = 'accepted by the server, not verified';
const AUTHENTIC = 'authentic';

/** Whether a path names the one directory there is. */
function isTop(path: string): boolean {
  return /^\/*(?:\.\/+)*\.?$/.test(path);
}

/** Whether this command line asks for it; it is the default elsewhere, and a file may say so for all servers. */
function isPreserveGiven({ settings }: CliContext): boolean {
  const { value, origin } = settings.get('preserve');
  return value === true && origin.from === 'flag';
}

/** What classic transfers have no means for. */
function refuseMeasures({ moving }: TransferOptions): void {
  refuseOption(moving.stats === true, '--stats', 'classic transfers are not measured');
}

/** `send --classic`. */
export async function sendToClassic(
  context: CliContext,
  { sources, target }: { readonly sources: readonly LocalAddress[]; readonly target: RemoteAddress },
  transfer: TransferOptions,
): Promise<number> {
  refuseOption(transfer.overwrite !== 'replace', '--no-clobber and --rename', 'an old server always replaces');
  refuseOption(isPreserveGiven(context), '--preserve', 'time and mode do not travel');
  refuseOption(transfer.dryRun, '--dry-run', 'an old server tells too little');
  refuseOption(transfer.moving.durability !== undefined, '--durability', 'an old server does as it likes');
  refuseMeasures(transfer);
  refuseOption(
    sources.some(({ path }) => path === '-'),
    "'-'",
    'the length of standard input is not known',
  );
  if (sources.length > 1 && !isTop(target.path)) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'several sources can’t have one name', {
      hint: 'write PEER: as the target; an old server has no directories',
    });
  }
  const { signal } = context;
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  return withClassicClient(context, target, (client) => {
    const jobs = sources.map(({ path }): TransferJob => ({
      source: path,
      total: null,
      plan: unplanned,
      async move(onProgress) {
        const sent = await client.send(path, target.path, { signal, onProgress, ...limitedTo(transfer.moving) });
        return { ...sent, target: `${host}:${sent.path}`, unverified: ACCEPTED };
      },
    }));
    return runTransfers(context, 'send', jobs, transfer);
  });
}

/** `get --classic`. */
export async function getFromClassic(
  context: CliContext,
  {
    sources,
    target,
  }: { readonly sources: readonly { address: RemoteAddress; text: string }[]; readonly target: string },
  transfer: TransferOptions,
): Promise<number> {
  refuseOption(isPreserveGiven(context), '--preserve', 'time and mode do not travel');
  refuseOption(transfer.dryRun, '--dry-run', 'an old server tells too little');
  refuseMeasures(transfer);
  refuseOption(target === '-', "'-'", 'a file is authentic only when its last byte is here');
  const { signal } = context;
  const { overwrite, moving } = transfer;
  const { durability = 'file' } = moving;
  return withClassicClient(context, onlyPeer(sources.map(({ address }) => address)), (client) => {
    const jobs = sources.map(({ address, text }): TransferJob => ({
      source: text,
      total: null,
      plan: unplanned,
      async move(onProgress) {
        const got = await client.get(address.path, target, {
          overwrite,
          durability,
          signal,
          onProgress,
          ...limitedTo(transfer.moving),
        });
        return { ...got, target: got.path, unverified: AUTHENTIC };
      },
    }));
    return runTransfers(context, 'get', jobs, transfer);
  });
}

/** `ls --classic`. */
export async function listClassic(context: CliContext, address: RemoteAddress, options: OptionValues): Promise<void> {
  refuseOption(options['long'] === true, '--long', 'an old server tells names only');
  refuseOption(options['recursive'] === true, '--recursive', 'an old server has no directories');
  refuseOption(!isTop(address.path), `'${displayName(address.path)}'`, 'an old server lists all its names only');
  const { output, signal } = context;
  await withClassicClient(context, address, async (client) => {
    const names = (await client.list({ signal })).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    if (output.json) output.event({ type: 'result', verb: 'ls', result: { names } });
    else for (const name of names) output.data(displayName(name));
  });
}

/** `rm --classic`. */
export async function removeFromClassic(
  context: CliContext,
  operands: readonly string[],
  addresses: readonly RemoteAddress[],
  options: OptionValues,
): Promise<number> {
  refuseOption(options['recursive'] === true, '--recursive', 'an old server has no directories');
  const { output, signal } = context;
  return withClassicClient(context, onlyPeer(addresses), (client) =>
    runEach(context, operands, async (operand, index) => {
      const path = addresses[index]?.path ?? '';
      await client.delete(path, { signal });
      if (output.json) output.event({ type: 'result', verb: 'rm', result: { path, removed: true } });
      else output.note(`removed ${displayName(operand)}`);
    }),
  );
}

/** `commands --classic`. */
export async function classicCommandsOf(context: CliContext, peer: PeerAddress): Promise<void> {
  const { output, signal } = context;
  await withClassicClient(context, peer, async (client) => {
    const verbs = await client.commands({ signal });
    if (output.json) {
      const commands = verbs.map((verb) => ({ verb, summary: '' }));
      output.event({ type: 'result', verb: 'commands', result: { commands } });
    } else for (const verb of verbs) output.data(displayName(verb));
  });
}

function unplanned(): Promise<never> {
  return Promise.reject(new E2eeftpError('E2EEFTP_UNSUPPORTED', '--dry-run with --classic'));
}
