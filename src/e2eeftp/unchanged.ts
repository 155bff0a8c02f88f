/**
 * Whether a file need not be moved because the other side has it: same length, and same time or same content.
 */
import { E2eeftpError } from '../errors.js';
import type { ControlReader } from './control-value.js';

/** What the side that has a file says about it. */
export interface FileStamp {
  readonly size: number;
  /** Whole milliseconds since 1970. */
  readonly modifiedMs: number;
  /** Nanoseconds on top. */
  readonly modifiedNs: number;
}

/** Whether length and time are the same, to the nanosecond. */
export function isSameStamp(one: FileStamp, other: FileStamp): boolean {
  return one.size === other.size && one.modifiedMs === other.modifiedMs && one.modifiedNs === other.modifiedNs;
}

/** The stamp that `prefix` begins in a request, e.g. `unlessSize`, `unlessMtime`, `unlessMtimeNs`; `null` without. */
export function readStamp(input: ControlReader, prefix: string): FileStamp | null {
  const size = input.count(`${prefix}Size`);
  const modifiedMs = input.time(`${prefix}Mtime`);
  const modifiedNs = input.count(`${prefix}MtimeNs`, 999_999);
  if (size === null && modifiedMs === null && modifiedNs === null) return null;
  if (size === null || modifiedMs === null || modifiedNs === null || !Number.isInteger(modifiedMs)) {
    throw new E2eeftpError('E2EEFTP_BAD_REQUEST', `Malformed request: ${prefix} needs size, whole mtime and mtimeNs`);
  }
  return { size, modifiedMs, modifiedNs };
}
