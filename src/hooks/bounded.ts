/**
 * Waiting for an application's code, but not for ever.
 */

/** The code did not return in time. */
export class TookTooLong extends Error {
  constructor(timeoutMs: number) {
    super(`no result after ${timeoutMs} ms`);
    this.name = 'TookTooLong';
  }
}

/**
 * Runs `work` and waits at most `timeoutMs` for it. Its signal aborts when that time is over or `signal` aborts; from
 * then on it is left to itself, and nobody hears of how it ends.
 *
 * @throws what `work` throws, {@link TookTooLong}, or the reason of `signal`.
 */
export async function bounded<T>(
  work: (signal: AbortSignal) => T | Promise<T>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const over = new AbortController();
  const stop = (): void => over.abort(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  const timer = setTimeout(() => over.abort(new TookTooLong(timeoutMs)), timeoutMs);
  const ended = new Promise<never>((_resolve, reject) => {
    over.signal.addEventListener('abort', () => reject(over.signal.reason as Error), { once: true });
  });
  try {
    return await Promise.race([ended, (async () => work(over.signal))()]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}
