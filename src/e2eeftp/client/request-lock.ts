/**
 * One request at a time: a session carries one body, and replies come in order. Whoever waits is served first come,
 * first served, and may give up waiting.
 */

/** The right to use the session, until it is released. */
export interface Lease {
  /** Lets the next one in. Calls after the first do nothing. */
  release(): void;
  /** Resolves when somebody else waits for the session: a lease held without need should then be given back. */
  readonly contended: Promise<void>;
}

interface Waiter {
  grant(): void;
}

/** A first-in, first-out lock. */
export class RequestLock {
  readonly #queue: Waiter[] = [];
  #held = false;
  #contend: () => void = () => undefined;

  /**
   * Waits for its turn.
   *
   * @throws the signal's reason when it aborts before that.
   */
  async acquire(signal?: AbortSignal): Promise<Lease> {
    signal?.throwIfAborted();
    if (this.#held) await this.#wait(signal);
    this.#held = true;
    return this.#lease();
  }

  /** How many wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    this.#contend();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        grant: () => {
          signal?.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      const giveUp = (): void => {
        this.#queue.splice(this.#queue.indexOf(waiter), 1);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#queue.push(waiter);
    });
  }

  #lease(): Lease {
    let released = false;
    const contended = new Promise<void>((resolve) => {
      this.#contend = resolve;
      if (this.#queue.length > 0) resolve();
    });
    return {
      contended,
      release: () => {
        if (released) return;
        released = true;
        const next = this.#queue.shift();
        // The lock stays held while it is handed over, so that nobody can come in between.
        if (next === undefined) this.#held = false;
        else next.grant();
      },
    };
  }
}
