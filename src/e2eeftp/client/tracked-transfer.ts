/**
 * A native transfer with its progress reports and its cancellation.
 */
import { NativeTransfer } from '../../native.js';
import { linkSignals } from './abort.js';
import { ProgressReporter } from './progress.js';
import type { OnProgress } from './progress.js';

/** What a tracked operation works with. */
export interface Tracked {
  readonly transfer: NativeTransfer;
  /** Aborts when the caller's signal does, or when its progress callback threw. */
  readonly signal: AbortSignal;
}

/** The least that a tracked operation results in. */
interface Finished {
  readonly bytes: number;
}

/**
 * Runs `operation` with reports to `onProgress`; the last one says `done` and comes before this resolves.
 *
 * @throws what `operation` throws; what `onProgress` throws, after the operation was aborted for it.
 */
export async function trackTransfer<T extends Finished>(
  file: string,
  onProgress: OnProgress | undefined,
  callerSignal: AbortSignal | undefined,
  operation: (tracked: Tracked) => Promise<T>,
): Promise<T> {
  callerSignal?.throwIfAborted();
  const failure = new AbortController();
  const { signal, unlink } = linkSignals(callerSignal, failure.signal);
  const transfer = new NativeTransfer();
  const reporter =
    onProgress === undefined ? null : new ProgressReporter(transfer, file, onProgress, (error) => failure.abort(error));
  try {
    const result = await operation({ transfer, signal });
    reporter?.finish(result.bytes);
    return result;
  } finally {
    reporter?.stop();
    unlink();
  }
}
