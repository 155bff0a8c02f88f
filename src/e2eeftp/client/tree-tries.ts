/**
 * What the tries of one tree add up to: a connection that breaks ends a try, and the next one passes over what has
 * arrived.
 */
import type { NativeTransfer, NativeTreeCounts } from '../../native.js';
import type { ProgressSource } from './progress.js';
import type { TreeFailure, TreeOptions, TreeResult } from './tree-options.js';
import type { TreeRun } from './tree-run.js';

/** The tries of one call. */
export class TreeTries implements ProgressSource {
  readonly #transfer: NativeTransfer;
  readonly #told = new Set<string>();
  #run: TreeRun | null = null;
  /** Of tries whose connection broke, as this side saw it. */
  #files = 0;
  #deleted = 0;
  #largeBytes = 0;
  #movedBytes = 0;

  /** @param transfer what the dialogs of all tries count into. */
  constructor(transfer: NativeTransfer) {
    this.#transfer = transfer;
  }

  /** What the next try hears: a name that failed in an earlier one is not told twice. */
  listening(options: TreeOptions): TreeOptions {
    const { onFailure } = options;
    if (onFailure === undefined) return options;
    const once = (failure: TreeFailure): void => {
      if (this.#told.has(failure.path)) return;
      this.#told.add(failure.path);
      onFailure(failure);
    };
    return { ...options, onFailure: once };
  }

  /** The next try begins. */
  begin(run: TreeRun): void {
    if (this.#run !== null) {
      const { files, deleted, bytes } = this.#run.large;
      this.#files += this.#run.tree.progress().moved + files;
      this.#deleted += deleted;
      this.#largeBytes += bytes;
      this.#movedBytes = this.#transfer.progress().transferred + this.#largeBytes;
    }
    this.#run = run;
  }

  /** Grows as long as anything moves. */
  moved(): number {
    return this.#transfer.progress().transferred + this.#largeBytes + (this.#run?.largeBytes ?? 0);
  }

  /** A dialog keeps what was sound anyway, and its next try is a new one. */
  isRepairable(): boolean {
    return false;
  }

  progress(): { transferred: number; total: number; phase: string; entries: number } {
    const { phase } = this.#transfer.progress();
    return { transferred: this.moved(), total: -1, phase, entries: this.#run?.tree.progress().found ?? 0 };
  }

  /** What it comes to, after the last try. */
  result(counts: NativeTreeCounts, seconds: number): TreeResult {
    const { files, bytes, skipped, directories, links, deleted, failed } = counts;
    const run = this.#run;
    const large = run?.large ?? { files: 0, bytes: 0, deleted: 0 };
    // What an earlier try has moved was there already for the last one, or was moved again.
    const earlier = Math.min(this.#files, skipped);
    return {
      files: files + large.files + earlier,
      bytes: bytes + large.bytes + this.#movedBytes,
      skippedFiles: skipped - earlier,
      directories,
      links,
      deleted: deleted + this.#deleted,
      failed: Math.max(run?.failures ?? 0, failed),
      seconds,
    };
  }
}
