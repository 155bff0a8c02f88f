/** `e2eeftp ls`: lists a directory on a server. */
import type { Command, OptionValues } from 'commander';
import { displayName, E2eeftpError, type Entry, pathToBytes } from '../../index.js';
import { parseAddress, type RemoteAddress } from '../address.js';
import { isClassic } from '../classic/classic-option.js';
import { listClassic } from '../classic/classic-verbs.js';
import type { CliContext, Verb } from '../context.js';
import { entryEvent } from '../entry-event.js';
import { EXIT } from '../exit-code.js';
import { formatBytes, formatMode, formatTime } from '../human-units.js';
import { withClient } from '../open-client.js';
import { reportError } from '../report-error.js';
import { aboutOperand } from '../run-each.js';
import { addSettings } from '../settings/options.js';
import { settingsOfVerb } from '../settings/table.js';

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

/** The entries of one directory, by bytes: the same order everywhere, whatever the language of the machine. */
async function* sorted(source: AsyncIterable<Entry>, alive: () => void): AsyncGenerator<Entry> {
  const entries: { entry: Entry; key: Buffer }[] = [];
  for await (const entry of source) {
    alive();
    entries.push({ entry, key: pathToBytes(entry.path) });
  }
  entries.sort((a, b) => Buffer.compare(a.key, b.key));
  for (const { entry } of entries) yield entry;
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<number> {
  const { output, signal, alive, pauseTimeout } = context;
  const address = parseRemote(operands[0] ?? '');
  if (isClassic(context, [address])) {
    await listClassic(context, address, options);
    return EXIT.ok;
  }
  const path = address.path === '' ? '.' : address.path;
  const [recursive, long] = [options['recursive'] === true, options['long'] === true];
  const listing = withClient(context, address, async (client) => {
    let unreadable = 0;
    const onUnreadable = (error: E2eeftpError, directory: string): void => {
      unreadable += 1;
      reportError(output, error, directory);
    };
    const listed = client.list(path, { recursive, signal, onUnreadable });
    // The server has sorted a tree, which may be larger than what a program can hold.
    for await (const entry of recursive ? listed : sorted(listed, alive)) {
      alive();
      if (output.json) output.event(entryEvent(entry));
      else {
        const shown = shownName(entry, recursive);
        output.data(long ? longRow(entry, shown) : shown);
      }
      if (output.isAhead) {
        // A reader that takes its time is not a peer that is silent.
        pauseTimeout();
        await output.caughtUp();
        alive();
      }
    }
    if (unreadable === 0) return EXIT.ok;
    const what = unreadable === 1 ? 'one directory' : `${unreadable} directories`;
    return reportError(
      output,
      new E2eeftpError('E2EEFTP_PARTIAL', `${what} could not be listed; the rest is complete`),
    );
  });
  return listing.catch((error: unknown) => {
    throw signal.aborted ? error : aboutOperand(error, operands[0] ?? '');
  });
}

export const verb: Verb = {
  examples: ['e2eeftp ls files.example.org:/inbox', 'e2eeftp ls -l --json files.example.org:'],
  configure(command: Command): void {
    addSettings(command, settingsOfVerb('ls'))
      .argument('<peer:path>', 'a directory or file on a server')
      .option('-l, --long', 'mode, size and time, too')
      .option('-R, --recursive', 'directories below, too, with whole paths; symbolic links are not followed');
  },
  run,
};
