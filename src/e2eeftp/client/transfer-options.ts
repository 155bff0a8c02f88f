/**
 * Options and results that `send` and `get` share.
 */
import type { Durability } from '../commands/send.js';
import type { OnProgress } from './progress.js';

/**
 * What to do when the target exists: `replace` it in one step, `refuse` with `E2EEFTP_EXISTS`, or `rename` the new file
 * to `name (1).ext`.
 */
export type Overwrite = 'replace' | 'refuse' | 'rename';

/** Options of `client.send` and `client.get`. */
export interface TransferOptions {
  /** @default 'replace' */
  readonly overwrite?: Overwrite;
  /** Give the copy the time and the permission bits of the original. @default true */
  readonly preserve?: boolean;
  /** Make directories that are missing above the target. @default true */
  readonly parents?: boolean;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** Options of `client.get`. */
export interface GetOptions extends TransferOptions {
  /** How far the file must be on the local disk before the call resolves. @default 'file' */
  readonly durability?: Durability;
}

/** A file that was moved in full and verified at both ends. */
export interface TransferResult {
  readonly bytes: number;
  /** BLAKE3 root of the content in hex: what `b3sum` prints. */
  readonly root: string;
  /** Bytes that need not be moved again because an earlier try had moved them. */
  readonly resumedBytes: number;
  /** Duration of the call. */
  readonly seconds: number;
  /** Final name at the target: remote for `send`, local for `get`. */
  readonly path: string;
}
