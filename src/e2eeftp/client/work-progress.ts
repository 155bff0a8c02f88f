/**
 * Progress of a request on which the server works, as its provisional replies tell it.
 */
import { ControlReader } from '../control-value.js';
import { linkSignals } from './abort.js';
import type { RequestOptions } from './channel.js';
import { ProgressReporter } from './progress.js';
import type { OnProgress } from './progress.js';
import type { Reply } from './reply.js';

/** Options of calls on which the server may have to work for long. */
export interface WorkOptions {
  /** Is called at most ten times a second; the server tells something new about once a second. */
  readonly onProgress?: OnProgress;
  /** Is called each time that the server says that it is at work, also while nothing moves. */
  readonly onAtWork?: () => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs `operation` with the request options that make its progress known and let it be stopped.
 *
 * @throws what `operation` throws; what a callback throws, after the operation was stopped for it.
 */
export async function trackWork<T extends { readonly bytes: number }>(
  file: string,
  options: WorkOptions,
  operation: (request: RequestOptions) => Promise<T>,
): Promise<T> {
  options.signal?.throwIfAborted();
  const failure = new AbortController();
  const { signal, unlink } = linkSignals(options.signal, failure.signal);
  let latest = { transferred: 0, total: -1, phase: 'waiting' };
  const reporter =
    options.onProgress === undefined
      ? null
      : new ProgressReporter({ progress: () => latest }, file, options.onProgress, (error) => failure.abort(error));
  const onAtWork = (reply: Reply): void => {
    const members = new ControlReader(reply.members);
    const transferred = members.count('transferred') ?? 0;
    latest = { transferred, total: members.count('total') ?? -1, phase: transferred > 0 ? 'moving' : 'waiting' };
    try {
      options.onAtWork?.();
    } catch (error) {
      failure.abort(error);
    }
  };
  try {
    const result = await operation({ signal, onAtWork, isStoppable: true });
    reporter?.finish(result.bytes);
    return result;
  } finally {
    reporter?.stop();
    unlink();
  }
}
