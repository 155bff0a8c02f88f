/**
 * Progress reports: at most ten a second while a file moves, and one at the end.
 */
import type { NativeStats } from '../../native.js';
import { sideStats } from '../transfer-stats.js';
import type { SideStats } from '../transfer-stats.js';

/** How far a transfer is. */
export interface Progress {
  /** Bytes that are there: those that have moved, and those of `resumed`. */
  readonly transferred: number;
  /** Bytes that were there already and do not travel. */
  readonly resumed: number;
  /** Bytes that there are; `null` when nobody knows. */
  readonly total: number | null;
  /** Bytes a second over the last few seconds. */
  readonly rate: number;
  /** Seconds to go at that rate; `null` when it can't be told. */
  readonly etaSeconds: number | null;
  /**
   * `waiting` for the peer, `moving`, `waiting-for-space` (the disk of whoever receives is full), `finishing` (verifying,
   * making durable), `done`.
   */
  readonly phase: 'waiting' | 'moving' | 'waiting-for-space' | 'finishing' | 'done';
  /** The file, as the caller named it. */
  readonly file: string;
  /** Of a tree: files that were looked at, whether they move or not. */
  readonly entries?: number;
  /** Where this side's time went so far; only with the option `stats`. */
  readonly stats?: SideStats;
}

/** Is called at most ten times a second, never after the transfer's promise settled. Throwing aborts the transfer. */
export type OnProgress = (progress: Progress) => void;

/** Time between two reports, in milliseconds. */
export const PROGRESS_INTERVAL_MS = 100;
/** Time over which the rate is averaged, in milliseconds. */
const RATE_WINDOW_MS = 3_000;

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

/** Where a reporter reads: a native transfer, or anything alike. */
export interface ProgressSource {
  progress(): { transferred: number; kept?: number; total: number; phase: string; entries?: number };
  stats?(): NativeStats;
}

/** Polls one transfer and reports. */
export class ProgressReporter {
  readonly #source: ProgressSource;
  readonly #file: string;
  readonly #report: OnProgress;
  readonly #onThrow: (error: unknown) => void;
  readonly #samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;
  #stopped = false;

  /** @param onThrow is told what `report` throws; no report follows then. */
  constructor(source: ProgressSource, file: string, report: OnProgress, onThrow: (error: unknown) => void) {
    this.#source = source;
    this.#file = file;
    this.#report = report;
    this.#onThrow = onThrow;
    this.#samples.push({ at: performance.now(), bytes: 0 });
    this.#timer = setInterval(() => this.#poll(), PROGRESS_INTERVAL_MS);
  }

  /** Stops without a report. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  /** Stops, with one last report that says `done`. Throws what the callback throws. */
  finish(bytes: number): void {
    if (this.#stopped) return;
    this.stop();
    const { kept = 0, entries } = this.#source.progress();
    const { rate } = this.#measure(bytes - kept);
    this.#report({
      transferred: bytes,
      resumed: kept,
      total: bytes,
      rate,
      etaSeconds: 0,
      phase: 'done',
      file: this.#file,
      ...(entries === undefined ? {} : { entries }),
      ...this.#stats(),
    });
  }

  #poll(): void {
    const { transferred, kept = 0, total, phase, entries } = this.#source.progress();
    const { rate } = this.#measure(transferred - kept);
    const known = total >= 0 ? total : null;
    const left = known === null ? null : Math.max(0, known - transferred);
    try {
      this.#report({
        transferred,
        resumed: kept,
        total: known,
        rate,
        etaSeconds: left === null || rate <= 0 ? null : left / rate,
        // `done` is said once, when the caller's result is there.
        phase: phase === 'done' ? 'finishing' : phaseOf(phase),
        file: this.#file,
        ...(entries === undefined ? {} : { entries }),
        ...this.#stats(),
      });
    } catch (error) {
      this.stop();
      this.#onThrow(error);
    }
  }

  #stats(): { stats?: SideStats } {
    const stats = this.#source.stats?.();
    return stats === undefined ? {} : { stats: sideStats(stats) };
  }

  #measure(bytes: number): { rate: number } {
    const now = performance.now();
    this.#samples.push({ at: now, bytes });
    while (this.#samples.length > 2 && now - (this.#samples[0]?.at ?? now) > RATE_WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0] ?? { at: now, bytes };
    const seconds = (now - first.at) / 1000;
    return { rate: seconds > 0 ? Math.max(0, bytes - first.bytes) / seconds : 0 };
  }
}

function phaseOf(phase: string): Progress['phase'] {
  return phase === 'moving' || phase === 'waiting-for-space' || phase === 'finishing' ? phase : 'waiting';
}
