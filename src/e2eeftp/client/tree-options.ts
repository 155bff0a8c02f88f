/**
 * Options and results of `sendTree` and `getTree`.
 */
import type { E2eeftpError } from '../../errors.js';
import type { Durability } from '../commands/send.js';
import type { RetryOptions } from './line.js';
import type { OnProgress } from './progress.js';

/** A rule of a filter, with rsync's meaning: the first one that matches a name decides. */
export interface FilterRule {
  readonly action: 'include' | 'exclude';
  /** Such as `*.o`, `/only-at-the-top`, `dir/`, `foo/**`; see "PATTERN MATCHING RULES" in rsync(1). */
  readonly pattern: string;
}

/**
 * What becomes of symbolic links: `safe` makes those that stay in the tree (of a `sendTree`: in what the server serves)
 * and reports the others, `copy` makes all as far as the other side lets it, `follow` copies what they lead to, `skip`
 * leaves them out.
 */
export type TreeLinks = 'safe' | 'copy' | 'follow' | 'skip';

/** Something that was done, or with `dryRun` would have been done. `path` is from the top of the tree. */
export interface TreeName {
  readonly path: string;
  /** Length of a file. */
  readonly bytes: number;
}

/** A name that failed; the rest of the tree goes on. */
export interface TreeFailure {
  /** From the top of the tree, which itself is ''. */
  readonly path: string;
  readonly error: E2eeftpError;
}

/** Options of `client.sendTree` and `client.getTree`. */
export interface TreeOptions extends RetryOptions {
  /** Remove from the target what the source does not have, except what `filter` leaves out. @default false */
  readonly delete?: boolean;
  /** Find out what would be done, and change nothing. @default false */
  readonly dryRun?: boolean;
  /** Compare the contents of files instead of their lengths and times. @default false */
  readonly checksum?: boolean;
  /** @default 'safe' */
  readonly links?: TreeLinks;
  /** Rules in their order. */
  readonly filter?: readonly FilterRule[];
  /**
   * Only these paths, from the top of the tree: files, directories with all that is in them, and the directories on the
   * way. Not with `delete`.
   */
  readonly paths?: Iterable<string>;
  /** What to do about files that are there and differ: `refuse` reports `E2EEFTP_EXISTS`. @default 'replace' */
  readonly overwrite?: 'replace' | 'refuse';
  /** Give the copies the times and permission bits of the originals. @default true */
  readonly preserve?: boolean;
  /** Most bytes a second of the whole tree, as they travel; from 1024 on. @default no limit */
  readonly limitRate?: number;
  /** Connections for one large file; as for `send`. @default as many as make it faster */
  readonly connections?: number;
  /** Take over the blocks that the old version of a large file has already. @default true */
  readonly delta?: boolean;
  readonly onProgress?: OnProgress;
  /** Called for each file that was moved. */
  readonly onFile?: (file: TreeName) => void;
  /** Called for each name that was removed from the target. */
  readonly onDelete?: (name: TreeName) => void;
  /** Called for each name that failed. */
  readonly onFailure?: (failure: TreeFailure) => void;
  readonly signal?: AbortSignal;
}

/** Options of `client.getTree`. */
export interface GetTreeOptions extends TreeOptions {
  /** How far everything must be on the local disk before the call resolves. @default 'file' */
  readonly durability?: Durability;
}

/**
 * What a tree came to. With `dryRun`: what it would have come to. Where the connection broke on the way, what was moved
 * and deleted before is counted as this side saw it, and directories and links of the last connection only.
 */
export interface TreeResult {
  /** Files that were moved. */
  readonly files: number;
  /** Their length. */
  readonly bytes: number;
  /** Files that were there already. */
  readonly skippedFiles: number;
  /** Directories that were made. */
  readonly directories: number;
  /** Symbolic and hard links that were made. */
  readonly links: number;
  /** Names that were removed. */
  readonly deleted: number;
  /** Names that failed: `onFailure` has heard of each. */
  readonly failed: number;
  readonly seconds: number;
}
