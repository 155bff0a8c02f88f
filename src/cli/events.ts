/**
 * The objects that `--json` and `--progress json` write, one a line (NDJSON).
 *
 * Every object has `v` (the version of this schema, always 1), `type`, and `time` (ISO 8601, UTC, milliseconds). New
 * fields and new types may be added under version 1; a field is never renamed, removed or given another meaning.
 * Sizes are bytes, durations are seconds, roots are BLAKE3 in lower-case hexadecimal (what `b3sum` prints).
 * The prose form of this schema is `docs/CLI.md`.
 */

import type { SideStats } from '../index.js';

/** Fields of every event. */
export interface CliEventBase {
  v: 1;
  /** When the event was written: ISO 8601, UTC. */
  time: string;
}

/** First event of `send`, `get` and `sync`. */
export interface CliStartEvent extends CliEventBase {
  type: 'start';
  operation: 'send' | 'get' | 'sync';
  /** How many files were named. */
  files: number;
  /** True with `--dry-run`: nothing is changed anywhere. */
  dryRun: boolean;
}

/** A file entered another phase. */
export interface CliPhaseEvent extends CliEventBase {
  type: 'phase';
  /** `connecting`, `waiting`, `moving`, `waiting-for-space`, `finishing`, `done`; further words may come. */
  phase: string;
  /** The source as it was given; `null` while no file is concerned. */
  file: string | null;
}

/** How far one file is; at most 10 a second, and one when the file is done. */
export interface CliProgressEvent extends CliEventBase {
  type: 'progress';
  file: string;
  phase: string;
  transferred: number;
  /** `null` when the length is not known, as for standard input. */
  total: number | null;
  /** Bytes a second. */
  rate: number;
  /** `null` when it cannot be said. */
  etaSeconds: number | null;
  /** Of a directory: files that were looked at; `null` for a single file. */
  entries: number | null;
}

/**
 * One file is done and verified (or, with `--dry-run`, would be moved), or a name was removed. Of the files in a directory
 * only with `--dry-run` or `-v`: there `root` is `null` and `seconds` 0.
 */
export interface CliFileEvent extends CliEventBase {
  type: 'file';
  source: string;
  /** The final name at the destination; `-` is standard output. */
  target: string;
  /** `would-…` with `--dry-run`; `skipped` when the other side had the file. */
  action: 'moved' | 'would-move' | 'skipped' | 'deleted' | 'would-delete';
  bytes: number;
  seconds: number;
  /** `null` when nothing was moved. */
  root: string | null;
  /** True when both ends computed the same root. */
  verified: boolean;
}

/** Where the time of a file went, with `--stats`; follows its `file`. Times are seconds. */
export interface CliStatsEvent extends CliEventBase {
  type: 'stats';
  file: string;
  direction: 'up' | 'down';
  bytes: number;
  seconds: number;
  /** What was measured on this side. */
  local: SideStats;
  /** What the server has measured; `null` when it does not tell. */
  peer: SideStats | null;
  /** What it waited for most: one word of `docs/CLI.md`. */
  limitedBy: string;
  /** One sentence: what limits it and what to change. */
  advice: string;
}

/** A part of the file need not travel: an earlier run has left it, or it is the same in the file of that name. */
export interface CliResumeEvent extends CliEventBase {
  type: 'resume';
  file: string;
  resumedBytes: number;
}

/** The connection broke; another one will be tried. */
export interface CliRetryEvent extends CliEventBase {
  type: 'retry';
  file: string;
  /** Counts from 1 since a byte moved last. */
  attempt: number;
  /** Time until the next try. */
  delaySeconds: number;
  /** What broke the connection, or what came of the last try. */
  code: string;
  message: string;
}

/** What a `send`, `get` or `sync` came to, unless nothing succeeded. Only an `error` `E2EEFTP_PARTIAL` may follow. */
export interface CliCompleteEvent extends CliEventBase {
  type: 'complete';
  /** Files moved. */
  files: number;
  /** Length of those files together. */
  bytes: number;
  /** Bytes that crossed the network for them. */
  sentBytes: number;
  /** Bytes that were already there and did not have to cross. */
  resumedBytes: number;
  /** Files in directories that were there already. */
  skippedFiles: number;
  failedFiles: number;
  /** Names that were removed from the target. */
  deletedFiles: number;
  seconds: number;
  /** The root of the file when exactly one was moved, else `null`. */
  root: string | null;
  /** True when every moved file was verified and none failed. */
  verified: boolean;
}

/** With `--receipt`: the receipt of the file is signed by both sides and written. */
export interface CliReceiptEvent extends CliEventBase {
  type: 'receipt';
  /** The file that holds it. */
  file: string;
  /** Random, hexadecimal. */
  id: string;
  direction: 'send' | 'get';
  /** The path on the server. */
  path: string;
  bytes: number;
  root: string;
  /** Fingerprint. */
  clientKey: string;
  /** Fingerprint. */
  serverKey: string;
  /** ISO 8601, UTC: the time in the receipt. */
  signedAt: string;
}

/** Something failed. The last one of a failed command decides its exit code. */
export interface CliErrorEvent extends CliEventBase {
  type: 'error';
  /** A code of `docs/ERRORS.md`, for example `E2EEFTP_NOT_FOUND`. */
  code: string;
  message: string;
  /** The next step, or `null`. */
  hint: string | null;
  /** The source that failed, or `null` when the command as a whole did. */
  file: string | null;
}

/** One name of `ls` or `stat`. */
export interface CliEntryEvent extends CliEventBase {
  type: 'entry';
  path: string;
  size: number;
  /** What the name is. (`type` is taken by the event's own type.) */
  kind: 'file' | 'directory' | 'symlink' | 'other';
  /** ISO 8601, UTC. */
  mtime: string;
  /** Permission bits in octal, four digits: `0644`. */
  mode: string;
}

/** A server that is known has a new key, which its old key had named; it is on record now. Only when that happens. */
export interface CliServerKeyEvent extends CliEventBase {
  type: 'server-key';
  host: string;
  port: number;
  fingerprint: string;
  /** Fingerprint of the old key. */
  replaced: string;
  /** Number of the statement. */
  sequence: number;
}

/** The answer of every other verb. */
export interface CliResultEvent extends CliEventBase {
  type: 'result';
  verb: string;
  /** The fields of each verb are listed in `docs/CLI.md`. */
  result: Record<string, unknown>;
}

/** Any object that `--json` writes. */
export type CliEvent =
  | CliStartEvent
  | CliPhaseEvent
  | CliProgressEvent
  | CliFileEvent
  | CliStatsEvent
  | CliResumeEvent
  | CliRetryEvent
  | CliCompleteEvent
  | CliReceiptEvent
  | CliErrorEvent
  | CliEntryEvent
  | CliServerKeyEvent
  | CliResultEvent;

type WithoutBase<T> = T extends CliEventBase ? Omit<T, keyof CliEventBase> : never;

/** An event before version and time are put on it. */
export type CliEventBody = WithoutBase<CliEvent>;
