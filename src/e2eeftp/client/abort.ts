/**
 * Small tools for `AbortSignal`.
 */
import { setMaxListeners } from 'node:events';

/** A controller whose signal many operations may listen to at a time. */
export function longLivedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** A signal that aborts with the first of several others, and its clean-up. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Takes the listeners off again; to be called when the operation is over. */
  readonly unlink: () => void;
}

/** Joins signals. Unlike `AbortSignal.any` it leaves nothing behind on a signal that lives long. */
export function linkSignals(...signals: readonly (AbortSignal | undefined)[]): LinkedSignal {
  const controller = new AbortController();
  const undo: (() => void)[] = [];
  for (const signal of signals) {
    if (signal === undefined) continue;
    if (signal.aborted) {
      controller.abort(signal.reason);
      break;
    }
    const abort = (): void => controller.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    undo.push(() => signal.removeEventListener('abort', abort));
  }
  return {
    signal: controller.signal,
    unlink: () => {
      for (const each of undo) each();
    },
  };
}

/**
 * Waits for `work`, but not longer than until `signal` aborts; then rejects with the signal's reason.
 *
 * @param onLate is given what `work` resolves to if that is after the abort, so that it can be closed.
 */
export async function orAbort<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  onLate?: (value: T) => void,
): Promise<T> {
  if (signal === undefined) return work;
  let stop: () => void = () => undefined;
  let aborted = false;
  const abort = new Promise<never>((_resolve, reject) => {
    stop = () => {
      aborted = true;
      reject(signal.reason as Error);
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  void closeLate(work, (value) => {
    if (aborted) onLate?.(value);
  });
  try {
    return await Promise.race([work, abort]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Hands on what `work` resolves to; a rejection is the business of whoever else waits for it. */
async function closeLate<T>(work: Promise<T>, use: (value: T) => void): Promise<void> {
  try {
    use(await work);
  } catch {
    // Reported to whoever waits, or of no interest after an abort.
  }
}
