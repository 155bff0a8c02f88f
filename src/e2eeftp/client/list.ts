/**
 * Listing a directory, entry by entry.
 */
import { joinRemote, pathFromBytes, pathToBytes } from '../../storage/path-text.js';
import type { E2eeftpError } from '../../errors.js';
import { PageReader, readEntry } from '../entry-codec.js';
import type { Entry, WireEntry } from '../entry-codec.js';
import { linkSignals } from './abort.js';
import type { Channel } from './channel.js';
import { EntryQueue } from './entry-queue.js';

/** Options of `client.list`. */
export interface ListOptions {
  /** All that is beneath the directory, too; symbolic links are not followed. @default false */
  readonly recursive?: boolean;
  /**
   * Called for each directory beneath the listed one that the server could not read, or not to its end; the rest of the
   * tree follows. @default the loop ends, after everything else, with an `E2EEFTP_PARTIAL` that names them
   */
  readonly onUnreadable?: (error: E2eeftpError, path: string) => void;
  readonly signal?: AbortSignal;
}

/** Lists without `recursive`; see `Client.list`. */
export async function* listEntries(
  channel: Channel,
  path: string,
  callerSignal: AbortSignal | undefined,
): AsyncGenerator<Entry, void, undefined> {
  const directory = rooted(path);
  const left = new AbortController();
  const { signal, unlink } = linkSignals(callerSignal, left.signal);
  const queue = new EntryQueue();
  const pages = new PageReader(readEntry);
  let isDirectory = true;
  const request = channel.request(
    'LIST',
    { path: pathToBytes(directory) },
    {
      signal,
      receive: async (body, announcement) => {
        isDirectory = announcement.members['type'] === 'd';
        for await (const piece of body.pieces()) await queue.push([...pages.push(piece)], body.contended);
        pages.end();
      },
    },
  );
  request.then(
    () => queue.end(),
    (error: unknown) => queue.end(error),
  );
  try {
    for (let entries = await queue.take(); entries !== null; entries = await queue.take()) {
      for (const entry of entries) {
        signal.throwIfAborted();
        yield toEntry(directory, entry, isDirectory);
      }
    }
  } finally {
    left.abort(new Error('the listing was left'));
    queue.release();
    unlink();
  }
}

/** The entry for `wire` in `directory`; the listing of a file has one entry, the file itself. */
function toEntry(directory: string, wire: WireEntry, isDirectory: boolean): Entry {
  const name = pathFromBytes(wire.name);
  return {
    path: isDirectory ? joinRemote(directory, name) : directory,
    name,
    type: wire.type,
    size: wire.size,
    modified: new Date(wire.modifiedMs),
    mode: wire.mode,
  };
}

/** A path as entries show it: absolute, without `.` and empty components. */
export function rooted(path: string): string {
  return `/${path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`;
}
