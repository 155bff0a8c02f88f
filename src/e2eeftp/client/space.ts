/**
 * How much room the server has.
 */
import { E2eeftpError } from '../../errors.js';
import { pathToBytes } from '../../storage/path-text.js';
import { ControlReader } from '../control-value.js';
import type { Channel } from './channel.js';

/** The room of one file system on the server. */
export interface SpaceResult {
  /** Bytes in all. */
  readonly total: number;
  /** Bytes that nothing uses. */
  readonly free: number;
  /** Bytes that the server can still store: `free` less what is kept for its administrator. */
  readonly available: number;
  /** How many files and directories there can be; `null` without such a limit. */
  readonly files: number | null;
  /** How many of them can still be made; `null` without such a limit. */
  readonly filesFree: number | null;
}

/** Asks; see `Client.space`. */
export async function readSpace(
  channel: Channel,
  path: string,
  options: { readonly signal?: AbortSignal },
): Promise<SpaceResult> {
  const reply = await channel.request('SPACE', { path: pathToBytes(path) }, { signal: options.signal });
  const members = new ControlReader(reply.members);
  const total = members.count('total');
  const free = members.count('free');
  const available = members.count('available');
  if (total === null || free === null || available === null) {
    throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server’s answer to SPACE can’t be read');
  }
  return { total, free, available, files: members.count('files'), filesFree: members.count('filesFree') };
}
