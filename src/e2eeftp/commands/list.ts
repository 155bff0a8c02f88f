/**
 * LIST: the entries of a directory, with `recursive` all that is beneath it, or the one entry of a file.
 * `{path, recursive?}` → 150 `{type}` → pages (see `entry-codec.ts`) → 200. `type` is that of what `path` names.
 */
import { native, nativeSync } from '../../native.js';
import type { NativeListing } from '../../native.js';
import type { CommandReply } from '../command-registry.js';
import { typeLetter } from '../entry-codec.js';
import type { RequestContext } from '../request-context.js';

/** Answers a LIST. */
export async function listCommand(context: RequestContext): Promise<CommandReply> {
  context.require('list');
  const { input, exchange } = context;
  const [path, recursive] = [input.bytes('path'), input.boolean('recursive', false)];
  const listing = await native(() => exchange.session.view.openListing(path, recursive));
  // The garbage collector does not know that the listing holds directories open.
  exchange.atEnd(() => listing.close());
  exchange.announcement = { type: typeLetter(nativeSync(() => listing.fileType)) };
  return { text: 'Listed', body: pages(listing) };
}

async function* pages(listing: NativeListing): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    const page = await native(() => listing.next());
    if (page === null || page === undefined) return;
    yield page;
  }
}
