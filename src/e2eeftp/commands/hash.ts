/**
 * HASH: length and BLAKE3 root of a file, or of its bytes from `start` to `end`, both inclusive, computed on the server.
 * `{path, start?, end?}` → 102 `{transferred, total}` … → 200 `{bytes, root}`.
 */
import { E2eeftpError } from '../../errors.js';
import { native } from '../../native.js';
import type { CommandReply } from '../command-registry.js';
import { runLong } from '../long-request.js';
import type { RequestContext } from '../request-context.js';

/** Answers a HASH. */
export async function hashCommand(context: RequestContext): Promise<CommandReply> {
  context.require('read');
  const { input, exchange } = context;
  const path = input.bytes('path');
  const start = input.count('start') ?? 0;
  const end = input.count('end');
  if (end !== null && end < start) {
    throw new E2eeftpError('E2EEFTP_BAD_REQUEST', 'Malformed request: end is before start');
  }
  const length = end === null ? -1 : end - start + 1;
  const source = await native(() => exchange.session.view.openSource(path));
  try {
    const { bytes, root } = await runLong(exchange, (transfer) =>
      exchange.session.channel.hash(transfer, source, start, length),
    );
    return { text: 'Hashed', bytes, root };
  } finally {
    source.close();
  }
}
