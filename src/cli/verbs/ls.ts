/** `e2eeftp ls`: lists a directory on a server. */
import type { Command, OptionValues } from 'commander';
import { displayName, E2eeftpError, type Entry, pathToBytes } from '../../index.js';
import { parseAddress, type RemoteAddress } from '../address.js';
import type { CliContext, Verb } from '../context.js';
import { entryEvent } from '../entry-event.js';
import { formatBytes, formatMode, formatTime } from '../human-units.js';
import { withClient } from '../open-client.js';

/** Reads an argument that has to be on a server. */
export function parseRemote(text: string): RemoteAddress {
  const address = parseAddress(text);
  if (address.kind === 'remote') return address;
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `'${text}' names no server`, {
    hint: `write PEER:PATH, for example files.example.org:/${text.replace(/^\/+/, '')}`,
  });
}

function suffix(entry: Entry): string {
  return entry.type === 'directory' ? '/' : entry.type === 'symlink' ? '@' : entry.type === 'other' ? '?' : '';
}

function longRow(entry: Entry): string {
  const size = formatBytes(entry.size).padStart(8);
  return `${formatMode(entry.type, entry.mode)} ${size} ${formatTime(entry.modified)} ${displayName(entry.name)}${suffix(entry)}`;
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<void> {
  const { output, signal } = context;
  const address = parseRemote(operands[0] ?? '');
  await withClient(context, address, async (client) => {
    const entries: { entry: Entry; key: Buffer }[] = [];
    for await (const entry of client.list(address.path === '' ? '.' : address.path, { signal })) {
      context.alive();
      entries.push({ entry, key: pathToBytes(entry.path) });
    }
    // By bytes: the same order everywhere, whatever the language of the machine.
    entries.sort((a, b) => Buffer.compare(a.key, b.key));
    for (const { entry } of entries) {
      if (output.json) output.event(entryEvent(entry));
      else output.data(options['long'] === true ? longRow(entry) : `${displayName(entry.name)}${suffix(entry)}`);
    }
  });
}

export const verb: Verb = {
  examples: ['e2eeftp ls files.example.org:/inbox', 'e2eeftp ls -l --json files.example.org:'],
  configure(command: Command): void {
    command.argument('<peer:path>', 'a directory or file on a server').option('-l, --long', 'mode, size and time, too');
  },
  run,
};
