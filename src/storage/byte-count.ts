/**
 * Sizes and offsets as an application gives them.
 */
import { E2eeftpError } from '../errors.js';

/** A number of bytes, or a position: whole, 0 to 2^53 - 1. A `bigint` is as good as a number. */
export type ByteCount = number | bigint;

/**
 * The count as a number.
 *
 * @param name how the message calls it.
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` when it is out of range: no file reaches 2^53 bytes.
 */
export function byteCount(value: ByteCount, name: string): number {
  const count = typeof value === 'bigint' ? Number(value) : value;
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `${name} must be a whole number of bytes below 2^53`);
}
