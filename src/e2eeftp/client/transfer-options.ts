/**
 * Options and results that `send` and `get` share.
 */
import type { Durability } from '../commands/send.js';
import type { TransferStats } from './measured.js';
import type { RetryOptions } from './line.js';
import type { Compression } from '../compression.js';
import type { OnProgress } from './progress.js';

/**
 * What to do when the target exists: `replace` it in one step, `refuse` with `E2EEFTP_EXISTS`, or `rename` the new file
 * to `name (1).ext`.
 */
export type Overwrite = 'replace' | 'refuse' | 'rename';

/**
 * When a file need not be moved because the other side has it: `never`, if length and time are the same, or if length and
 * content are.
 */
export type Skip = 'never' | 'time' | 'checksum';

/** Options of `client.send` and `client.get`. */
export interface TransferOptions extends RetryOptions {
  /** @default 'replace' */
  readonly overwrite?: Overwrite;
  /** Give the copy the time and the permission bits of the original. @default true */
  readonly preserve?: boolean;
  /** Make directories that are missing above the target. @default true */
  readonly parents?: boolean;
  /**
   * How far the file must be on disk before the call resolves. For `send` it is a wish: a server does at least what its
   * own setting asks for, and says in the reply what it has done. @default 'file' for `get`, the server's setting for `send`
   */
  readonly durability?: Durability;
  /** Most bytes a second, as they travel; from 1024 on. @default no limit */
  readonly limitRate?: number;
  /** Measure where the time goes, on both sides: `stats` of progress reports and of the result. @default false */
  readonly stats?: boolean;
  /** Go on with what an earlier call has left of the same file; else it is discarded. @default true */
  readonly resume?: boolean;
  /** Take over the blocks that a file of the target's name has already. @default true */
  readonly delta?: boolean;
  /** @default 'never' */
  readonly skip?: Skip;
  /**
   * Connections for one file: so many at once. By default up to 4, added one by one as long as each makes it
   * faster; to a server that is far away (round trips of 10 ms and more) 8 at once.
   */
  readonly connections?: number;
  /**
   * Compress on the way: `zstd` always, `auto` while it makes the transfer faster. Lengths then tell something about the
   * content: see `docs/THREATS.md`. A server that can't does without. @default 'none'
   */
  readonly compress?: Compression;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** Options of `client.get`. */
export type GetOptions = TransferOptions;

/** A file that was moved in full and verified at both ends. */
export interface TransferResult {
  readonly bytes: number;
  /** BLAKE3 root of the content in hex: what `b3sum` prints. Empty for a file that was skipped for its time. */
  readonly root: string;
  /** Bytes that did not travel because they were there: kept from an earlier try, or the same in the old file. */
  readonly resumedBytes: number;
  /** The other side had the file: nothing was moved. */
  readonly skipped: boolean;
  /** Bytes that crossed the network for it; set when it was compressed. */
  readonly sentBytes?: number;
  /** Duration of the call. */
  readonly seconds: number;
  /** Final name at the target: remote for `send`, local for `get`. */
  readonly path: string;
  /** Where the time went; only with the option `stats`. */
  readonly stats?: TransferStats;
}
