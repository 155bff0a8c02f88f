/**
 * A modification time on the wire: `mtime` in milliseconds, and where it is known to the nanosecond, `mtimeNs` on top of
 * it (docs/PROTOCOL.md §7.1). A double in milliseconds alone is exact to some 240 ns only.
 */
import { E2eeftpError } from '../errors.js';
import type { ControlReader } from './control-value.js';

/** A time as the native layer takes it; without members when there is none. */
export interface WireTime {
  /** Milliseconds since 1970; whole ones with `modifiedNs`. */
  readonly modifiedMs?: number;
  /** Nanoseconds on top, 0 to 999,999. */
  readonly modifiedNs?: number;
}

const MAX_NS = 999_999;

/**
 * The time of a message.
 *
 * @throws E2eeftpError `E2EEFTP_BAD_REQUEST` for members of the wrong type, or `mtimeNs` beside a fraction.
 */
export function readModified(members: ControlReader): WireTime {
  const [modifiedMs, modifiedNs] = [members.time('mtime'), members.count('mtimeNs', MAX_NS)];
  if (modifiedMs === null) return {};
  if (modifiedNs === null) return { modifiedMs };
  if (Number.isInteger(modifiedMs)) return { modifiedMs, modifiedNs };
  throw new E2eeftpError('E2EEFTP_BAD_REQUEST', 'Malformed request: mtime has a fraction beside mtimeNs');
}
