/**
 * A native transfer with its progress reports and its cancellation.
 */
import { E2eeftpError } from '../../errors.js';
import { NativeTransfer } from '../../native.js';
import { linkSignals } from './abort.js';
import { ProgressReporter } from './progress.js';
import type { OnProgress, ProgressSource } from './progress.js';

/** What a tracked operation works with. */
export interface Tracked {
  readonly transfer: NativeTransfer;
  /** Aborts when the caller's signal does, or when its progress callback threw. */
  readonly signal: AbortSignal;
}

/** How a transfer is moved and watched. */
export interface Pace {
  /** Bytes a second. @default no limit */
  readonly limitRate?: number;
  /** Keep to the limit of this one, together with it. */
  readonly limitedWith?: NativeTransfer | undefined;
  /** Whether progress reports tell where the time goes. @default false */
  readonly stats?: boolean;
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
  pace: Pace = {},
): Promise<T> {
  callerSignal?.throwIfAborted();
  const failure = new AbortController();
  const { signal, unlink } = linkSignals(callerSignal, failure.signal);
  const transfer = pacedTransfer(pace);
  const source: ProgressSource = pace.stats === true ? transfer : { progress: () => transfer.progress() };
  const reporter =
    onProgress === undefined ? null : new ProgressReporter(source, file, onProgress, (error) => failure.abort(error));
  try {
    const result = await operation({ transfer, signal });
    reporter?.finish(result.bytes);
    return result;
  } finally {
    reporter?.stop();
    unlink();
  }
}

/** A transfer that keeps to the limit. @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` for a rate that is none. */
export function pacedTransfer({ limitRate, limitedWith }: Pace): NativeTransfer {
  const transfer = new NativeTransfer(limitedWith);
  if (limitRate !== undefined) transfer.setRateLimit(checkedRate(limitRate));
  return transfer;
}

function checkedRate(limitRate: number): number {
  if (limitRate > 0 && Number.isFinite(limitRate)) return limitRate;
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'limitRate must be a number of bytes a second above 0');
}
