/** `e2eeftp ls`: lists a directory on a server. */
import type { Command, OptionValues } from 'commander';
import { displayName, E2eeftpError, type Entry, pathToBytes } from '../../index.js';
import { parseAddress, type RemoteAddress } from '../address.js';
import { addClassicOption, isClassic } from '../classic/classic-option.js';
import { listClassic } from '../classic/classic-verbs.js';
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

/** With `-R` the whole path, because a name alone does not tell where it is. */
function shownName(entry: Entry, recursive: boolean): string {
  return `${displayName(recursive ? entry.path : entry.name)}${suffix(entry)}`;
}

function longRow(entry: Entry, shown: string): string {
  const size = formatBytes(entry.size).padStart(8);
  return `${formatMode(entry.type, entry.mode)} ${size} ${formatTime(entry.modified)} ${shown}`;
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<void> {
  const { output, signal } = context;
  const address = parseRemote(operands[0] ?? '');
  if (isClassic(options)) return listClassic(context, address, options);
  const recursive = options['recursive'] === true;
  await withClient(context, address, async (client) => {
    const entries: { entry: Entry; key: Buffer }[] = [];
    for await (const entry of client.list(address.path === '' ? '.' : address.path, { recursive, signal })) {
      context.alive();
      entries.push({ entry, key: pathToBytes(entry.path) });
    }
    // By bytes: the same order everywhere, whatever the language of the machine.
    entries.sort((a, b) => Buffer.compare(a.key, b.key));
    for (const { entry } of entries) {
      if (output.json) output.event(entryEvent(entry));
      else {
        const shown = shownName(entry, recursive);
        output.data(options['long'] === true ? longRow(entry, shown) : shown);
      }
    }
  });
}

export const verb: Verb = {
  examples: ['e2eeftp ls files.example.org:/inbox', 'e2eeftp ls -l --json files.example.org:'],
  configure(command: Command): void {
    addClassicOption(command)
      .argument('<peer:path>', 'a directory or file on a server')
      .option('-l, --long', 'mode, size and time, too')
      .option('-R, --recursive', 'directories below, too, with whole paths; symbolic links are not followed');
  },
  run,
};
