/**
 * Listing all that is beneath a directory, on a connection of its own: the loop over it may take its time and make other
 * requests, and is never read ahead of by more than what is on the way.
 */
import { E2eeftpError } from '../../errors.js';
import { displayName } from '../../storage/display-name.js';
import { joinRemote, pathFromBytes, pathToBytes, remoteBaseName } from '../../storage/path-text.js';
import { PageReader, readTreeItem } from '../entry-codec.js';
import type { Entry, WireItem, WireReport } from '../entry-codec.js';
import { linkSignals, orAbort } from './abort.js';
import { rooted } from './list.js';
import type { ListOptions } from './list.js';
import { knownCode } from './reply.js';
import { SideChannel } from './side-channel.js';
import type { StreamParts } from './streams.js';

/** Most directories that the error at the end names. */
const MAX_NAMED = 3;

/** Lists with `recursive`; see `Client.list`. */
export async function* listTree(
  { dial, channel, closing }: StreamParts,
  path: string,
  options: ListOptions,
): AsyncGenerator<Entry, void, undefined> {
  const { signal, unlink } = linkSignals(options.signal, closing);
  let side: SideChannel | null = null;
  try {
    signal.throwIfAborted();
    const args = { path: pathToBytes(path), recursive: true };
    const opened = await SideChannel.open(dial, 'LIST', args, channel, signal);
    side = opened.side;
    yield* readTree(side, path, opened.announcement.members['type'] === 'd', options, signal);
    await side.close();
    side = null;
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    unlink();
    await side?.abandon();
  }
}

async function* readTree(
  side: SideChannel,
  path: string,
  isDirectory: boolean,
  { onUnreadable }: ListOptions,
  signal: AbortSignal,
): AsyncGenerator<Entry, void, undefined> {
  const top = rooted(path);
  const pages = new PageReader(readTreeItem);
  const unreadable = new Unreadable();
  for (;;) {
    const piece = await orAbort(side.read(), signal);
    if (piece === null) break;
    for (const item of pages.push(piece)) {
      signal.throwIfAborted();
      if (isReport(item)) {
        const where = item.unreadable.length === 0 ? top : joinRemote(top, pathFromBytes(item.unreadable));
        const error = reportError(item, where);
        if (onUnreadable === undefined) unreadable.add(where);
        else onUnreadable(error, where);
        continue;
      }
      const inside = pathFromBytes(item.name);
      yield {
        path: isDirectory ? joinRemote(top, inside) : top,
        name: remoteBaseName(inside),
        type: item.type,
        size: item.size,
        modified: new Date(item.modifiedMs),
        mode: item.mode,
      };
    }
  }
  pages.end();
  await orAbort(side.finalReply(), signal);
  unreadable.throwIfAny();
}

/** What nobody was told about. */
class Unreadable {
  readonly #named: string[] = [];
  #count = 0;

  add(path: string): void {
    this.#count += 1;
    if (this.#named.length < MAX_NAMED) this.#named.push(displayName(path));
  }

  throwIfAny(): void {
    if (this.#count === 0) return;
    const more = this.#count > MAX_NAMED ? ` and ${this.#count - MAX_NAMED} more` : '';
    throw new E2eeftpError('E2EEFTP_PARTIAL', `not all could be listed: ${this.#named.join(', ')}${more}`);
  }
}

function isReport(item: WireItem): item is WireReport {
  return 'unreadable' in item;
}

function reportError(report: WireReport, path: string): E2eeftpError {
  const text = displayName(report.text).slice(0, 200);
  return new E2eeftpError(knownCode(report.code, 500), `${displayName(path)}: ${text}`);
}
