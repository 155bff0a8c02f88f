/**
 * COPY: copies a file on the server, or with `recursive` a directory with all that is in it. Each file appears whole or
 * not at all. `{from, to, overwrite: 'replace' | 'refuse'?, recursive?}` → 102 `{transferred, total}` … → 200
 * `{files, directories, links, bytes}`.
 */
import type { CommandReply } from '../command-registry.js';
import { runLong } from '../long-request.js';
import type { RequestContext } from '../request-context.js';
import type { Durability } from './send.js';

/** Answers a COPY. */
export async function copyCommand(context: RequestContext, durability: Durability): Promise<CommandReply> {
  context.require(['read', 'write']);
  const { input, exchange } = context;
  const from = input.bytes('from');
  const to = input.bytes('to');
  const recursive = input.boolean('recursive', false);
  const overwrite = input.choice('overwrite', ['replace', 'refuse']) === 'replace';
  const { channel, view } = exchange.session;
  const { files, directories, links, bytes } = await runLong(exchange, (transfer) =>
    channel.copy(transfer, view, from, to, { overwrite, recursive, durability }),
  );
  return { text: 'Copied', files, directories, links, bytes };
}
