/**
 * A part of a file: the bytes from `start` to `end`, both inclusive, as in Node's `fs.createReadStream`. What is beyond
 * the end of the file is left out (docs/PROTOCOL.md §7.5).
 */
import { E2eeftpError } from '../errors.js';
import { byteCount } from '../storage/byte-count.js';
import type { ByteCount } from '../storage/byte-count.js';
import type { ControlReader } from './control-value.js';

/** Positions in a file. */
export interface ByteRange {
  /** First byte. */
  readonly start: number;
  /** Last byte; `null` = the last one of the file. */
  readonly end: number | null;
}

/** A part of a file as it is read: where it begins, and how long it is. */
export interface FilePart {
  readonly offset: number;
  readonly length: number;
}

/** The part of a file of `size` bytes that a range means; empty when it starts at the end or behind it. */
export function partOf({ start, end }: ByteRange, size: number): FilePart {
  const offset = Math.min(start, size);
  const behind = end === null ? size : Math.min(end + 1, size);
  return { offset, length: Math.max(0, behind - offset) };
}

/**
 * The range of a GET; `null` when it asks for the whole file.
 *
 * @throws E2eeftpError `E2EEFTP_BAD_REQUEST` for positions that are none, or in the wrong order.
 */
export function readRange(input: ControlReader): ByteRange | null {
  const [start, end] = [input.count('start'), input.count('end')];
  if (start === null && end === null) return null;
  const range = { start: start ?? 0, end };
  if (end !== null && end < range.start) {
    throw new E2eeftpError('E2EEFTP_BAD_REQUEST', 'Malformed request: end is before start');
  }
  return range;
}

/**
 * The range of an application's options; `null` when they ask for the whole file. An `end` of `Infinity` is none.
 *
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` for positions that are none, or in the wrong order.
 */
export function toRange(start: ByteCount | undefined, end: ByteCount | undefined): ByteRange | null {
  const last = end === undefined || end === Infinity ? null : byteCount(end, 'end');
  const range = { start: byteCount(start ?? 0, 'start'), end: last };
  if (last !== null && last < range.start) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'end must not be before start');
  }
  return range.start === 0 && last === null ? null : range;
}
