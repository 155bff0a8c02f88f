/**
 * LIST: the entries of a directory, or the one entry of a file. `{path}` → 150 `{type}` → pages
 * (see `entry-codec.ts`) → 200. `type` is that of what `path` names.
 */
import { native } from '../../native.js';
import type { NativeLister } from '../../native.js';
import type { CommandReply } from '../command-registry.js';
import { encodePage, typeLetter } from '../entry-codec.js';
import type { RequestContext } from '../request-context.js';
import { LIST_PAGE_ENTRIES } from '../status.js';

/** Answers a LIST. */
export async function listCommand(context: RequestContext): Promise<CommandReply> {
  context.require('list');
  const { input, exchange } = context;
  const path = input.bytes('path');
  const { view } = exchange.session;
  const metadata = await native(() => view.stat(path));
  exchange.announcement = { type: typeLetter(metadata.fileType) };
  if (metadata.fileType !== 'directory') {
    return { text: 'Listed', body: [encodePage([{ name: baseName(path), metadata }])] };
  }
  return { text: 'Listed', body: pages(await native(() => view.list(path))) };
}

async function* pages(lister: NativeLister): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    const entries = await native(() => lister.next(LIST_PAGE_ENTRIES));
    if (entries.length === 0) return;
    yield encodePage(entries);
  }
}

function baseName(path: Buffer): Buffer {
  const text = path.toString('latin1').replace(/\/+$/, '');
  return Buffer.from(text.slice(text.lastIndexOf('/') + 1), 'latin1');
}
