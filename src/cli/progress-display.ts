/** Shows how far a transfer is: a bar on a terminal, a line each 5 s elsewhere, JSON objects, or nothing. */
import { displayName, type Progress } from '../index.js';
import cliProgress from 'cli-progress';
import { formatBytes, formatDuration, formatRate } from './human-units.js';
import type { Output } from './output.js';
import { busiestStage } from './stats-text.js';
import type { ProgressMode } from './transfer-options.js';

/** Shows the progress of one file after the other. */
export interface ProgressDisplay {
  /** A file begins; `total` is its length in bytes, or null when that is not known. */
  start(file: string, total: number | null): void;
  update(progress: Progress): void;
  /** The file is done or has failed. */
  stop(): void;
}

/** Time between two lines where there is no terminal. */
const LINE_INTERVAL_MS = 5000;

/** Chooses the display. `--json` shows JSON and `-q` nothing, unless `--progress` says otherwise. */
export function createProgressDisplay(mode: ProgressMode, output: Output, term: string | undefined): ProgressDisplay {
  const terminal = output.stderr.isTTY === true && term !== 'dumb';
  const chosen = mode !== 'auto' ? mode : output.json ? 'json' : output.quiet ? 'none' : terminal ? 'bar' : 'plain';
  if (chosen === 'json') return new JsonDisplay(output);
  // A bar in a file or pipe would be a heap of control characters.
  if (chosen === 'bar') return terminal ? new BarDisplay(output) : new LineDisplay(output);
  return chosen === 'plain' ? new LineDisplay(output) : new NoDisplay();
}

class NoDisplay implements ProgressDisplay {
  start(): void {}
  update(): void {}
  stop(): void {}
}

class JsonDisplay implements ProgressDisplay {
  readonly #output: Output;
  #file = '';
  #phase = '';

  constructor(output: Output) {
    this.#output = output;
  }

  start(file: string): void {
    this.#file = file;
    this.#phase = '';
  }

  update(progress: Progress): void {
    const { phase, transferred, rate } = progress;
    const file = this.#file;
    if (phase !== this.#phase) this.#write({ type: 'phase', phase, file });
    this.#phase = phase;
    const { total, etaSeconds, entries = null } = progress;
    this.#write({ type: 'progress', file, phase, transferred, total, rate, etaSeconds, entries });
  }

  stop(): void {}

  #write(body: Parameters<Output['event']>[0]): void {
    if (this.#output.json) this.#output.event(body);
    else this.#output.writeEvent(body, this.#output.stderr);
  }
}

/** `45 %  1.20 GB of 3.00 GB  30.1 MB/s  1:05 min left`, or a phase where nothing moves. */
export function describeProgress(progress: Progress): string {
  const { transferred, total, rate, etaSeconds, phase } = progress;
  const parts =
    total === null
      ? [formatBytes(transferred)]
      : [`${percentage(transferred, total)} %`, `${formatBytes(transferred)} of ${formatBytes(total)}`];
  if (progress.entries !== undefined) parts.push(`${progress.entries} files`);
  if (phase === 'waiting-for-space') parts.push('the disk is full: waiting for room');
  else if (phase !== 'moving') parts.push(phase);
  else {
    parts.push(formatRate(rate));
    if (etaSeconds !== null) parts.push(`${formatDuration(etaSeconds)} left`);
  }
  const stage = progress.stats === undefined ? '' : busiestStage(progress.stats);
  if (stage !== '') parts.push(stage);
  return parts.join('  ');
}

/** Whole per cent, rounded down: 100 only when every byte is there. */
function percentage(transferred: number, total: number): number {
  return total === 0 ? 100 : Math.min(100, Math.floor((transferred / total) * 100));
}

class LineDisplay implements ProgressDisplay {
  readonly #output: Output;
  #file = '';
  #next = 0;
  #waits = false;

  constructor(output: Output) {
    this.#output = output;
  }

  start(file: string): void {
    this.#file = displayName(file);
    this.#next = Date.now() + LINE_INTERVAL_MS;
  }

  update(progress: Progress): void {
    const now = Date.now();
    const waits = progress.phase === 'waiting-for-space';
    // Not after five seconds only: somebody has to do something.
    if (waits && !this.#waits) this.#next = now;
    this.#waits = waits;
    if (now < this.#next || progress.phase === 'done') return;
    this.#next = now + LINE_INTERVAL_MS;
    this.#output.error(`${this.#file}: ${describeProgress(progress)}`);
  }

  stop(): void {}
}

const BAR_WIDTH = 24;

class BarDisplay implements ProgressDisplay {
  readonly #output: Output;
  #bar: cliProgress.SingleBar | undefined;
  #file = '';
  #latest: Progress | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  start(file: string, total: number | null): void {
    this.stop();
    this.#file = displayName(file);
    this.#latest = undefined;
    this.#bar = new cliProgress.SingleBar({
      stream: process.stderr,
      fps: 10,
      clearOnComplete: true,
      hideCursor: false,
      linewrap: false,
      gracefulExit: false,
      emptyOnZero: true,
      format: (_options, params) => this.#line(params.progress),
    });
    this.#bar.start(Math.max(total ?? 1, 1), 0);
    this.#output.onBeforeLine(() => this.stop());
  }

  update(progress: Progress): void {
    this.#latest = progress;
    const total = progress.total ?? 0;
    if (total > 0) this.#bar?.setTotal(total);
    this.#bar?.update(total > 0 ? Math.min(progress.transferred, total) : 0);
  }

  stop(): void {
    this.#output.onBeforeLine(undefined);
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #line(fraction: number): string {
    const progress = this.#latest;
    const figures = progress === undefined ? 'connecting' : describeProgress(progress);
    const known = typeof progress?.total === 'number';
    const filled = Math.round(Math.min(Math.max(fraction, 0), 1) * BAR_WIDTH);
    const bar = known ? ` [${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]` : '';
    const room = Math.max((this.#output.stderr.columns ?? 80) - bar.length - figures.length - 4, 8);
    return `${shorten(this.#file, room)}${bar} ${figures}`;
  }
}

/** Keeps the end of a long name: that is where names differ. */
function shorten(name: string, room: number): string {
  const characters = Array.from(new Intl.Segmenter().segment(name), ({ segment }) => segment);
  return characters.length <= room ? name : `…${characters.slice(characters.length - room + 1).join('')}`;
}
