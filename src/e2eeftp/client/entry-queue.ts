/**
 * Entries between the request that receives them and the loop that consumes them.
 *
 * While nobody else waits for the session, at most one page is kept and a slow consumer slows the server. As soon as
 * another request waits, the rest is read ahead so that it gets its turn: a loop may fetch each file that it is told of.
 */
import { E2eeftpError } from '../../errors.js';
import type { WireEntry } from '../entry-codec.js';

/** Most entries that are read ahead. */
const MAX_READ_AHEAD = 1_000_000;
/** Entries that are kept in any case. */
const HIGH_WATER = 512;

/** A queue with one producer and one consumer. */
export class EntryQueue {
  #entries: WireEntry[] = [];
  #isEnded = false;
  #failure: unknown = null;
  #wakeConsumer: () => void = () => undefined;
  #wakeProducer: () => void = () => undefined;

  /** Adds entries; resolves when more are wanted. @throws E2eeftpError `E2EEFTP_TOO_LARGE` beyond a million entries. */
  async push(entries: readonly WireEntry[], contended: Promise<void>): Promise<void> {
    for (const entry of entries) this.#entries.push(entry);
    this.#wakeConsumer();
    if (this.#entries.length > MAX_READ_AHEAD) {
      throw new E2eeftpError('E2EEFTP_TOO_LARGE', 'the directory has too many entries to read ahead', {
        hint: 'use a second client for other requests while this listing runs',
      });
    }
    if (this.#entries.length < HIGH_WATER) return;
    const room = new Promise<void>((resolve) => {
      this.#wakeProducer = resolve;
    });
    await Promise.race([room, contended]);
  }

  /** No entry follows; a failure is thrown to the consumer after the last entry. */
  end(failure: unknown = null): void {
    this.#isEnded = true;
    this.#failure = failure;
    this.#wakeConsumer();
  }

  /** Lets a producer that waits for room go on: the consumer is gone. */
  release(): void {
    this.#entries = [];
    this.#wakeProducer();
  }

  /** Waits for entries; `null` at the end. */
  async take(): Promise<readonly WireEntry[] | null> {
    while (this.#entries.length === 0) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => {
        this.#wakeConsumer = resolve;
      });
    }
    const entries = this.#entries;
    this.#entries = [];
    this.#wakeProducer();
    return entries;
  }
}
