/**
 * Whether the body of a request is compressed, and to how much: what the client was granted, not what it asked for.
 */
import { E2eeftpError } from '../../errors.js';
import type { NativeTransfer } from '../../native.js';
import { COMPRESSED } from '../compression.js';
import type { Compression } from '../compression.js';
import type { Reply } from './reply.js';

/**
 * What a reply that asks for a body, or announces one, says about it: as was asked for, or `none`.
 *
 * @throws E2eeftpError `E2EEFTP_PROTOCOL` for a compression that was not asked for.
 */
export function granted(reply: Reply, asked: Compression = 'none'): Compression {
  const said = reply.members['compress'] ?? null;
  if (said === null) return 'none';
  if (said === COMPRESSED && asked !== 'none') return asked;
  throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server compresses in a way that it was not asked to');
}

/** The bytes that crossed the network, of a transfer that was compressed. */
export function sentBytes(transfer: NativeTransfer): { sentBytes?: number } {
  const { coded } = transfer.progress();
  return coded === 0 ? {} : { sentBytes: coded };
}
