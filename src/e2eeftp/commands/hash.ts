/**
 * HASH: length and BLAKE3 root of a file, computed on the server. `{path}` → 102 `{transferred, total}` … → 200
 * `{bytes, root}`.
 */
import { native } from '../../native.js';
import type { CommandReply } from '../command-registry.js';
import { runLong } from '../long-request.js';
import type { RequestContext } from '../request-context.js';

/** Answers a HASH. */
export async function hashCommand(context: RequestContext): Promise<CommandReply> {
  context.require('read');
  const { input, exchange } = context;
  const path = input.bytes('path');
  const source = await native(() => exchange.session.view.openSource(path));
  try {
    const { bytes, root } = await runLong(exchange, (transfer) => exchange.session.channel.hash(transfer, source));
    return { text: 'Hashed', bytes, root };
  } finally {
    source.close();
  }
}
