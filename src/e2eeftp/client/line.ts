/**
 * The connection of a client, which may be replaced by a new one when it breaks.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { E2eeftpError } from '../../errors.js';
import type { ErrorCode } from '../../errors.js';
import { orAbort } from './abort.js';
import { Channel } from './channel.js';
import type { ChannelOptions } from './channel.js';
import type { Dial } from './side-channel.js';
import type { NativeSession } from '../../native.js';

/** A connection broke, and another one is going to be tried. */
export interface Retry {
  /** What broke it, or what came of the last try. */
  readonly error: E2eeftpError;
  /** Counts from 1 since something moved last. */
  readonly attempt: number;
  /** Time until the next try, in milliseconds. */
  readonly delayMs: number;
}

/** Options of what goes on when the connection breaks. */
export interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * How long to try to reach the server again while nothing moves, in milliseconds; 0 = not at all. @default what
   * `connect` was told
   */
  readonly reconnectMs?: number | undefined;
  readonly onRetry?: ((retry: Retry) => void) | undefined;
}

const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 10_000;
/** A transfer whose blocks did not all arrive is asked for again at once, so many times. */
const MAX_REPAIRS = 3;

/** What breaks a connection, or keeps a new one from being made for now. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'E2EEFTP_CONNECTION_LOST',
  'E2EEFTP_TIMEOUT',
  'E2EEFTP_CLOSED',
  'E2EEFTP_SHUTTING_DOWN',
  'E2EEFTP_CONNECT',
  'E2EEFTP_UNKNOWN_HOST',
  'E2EEFTP_RATE_LIMITED',
]);

/** What is tried until it comes to an end. */
export interface Persisting {
  /** How far it has come: as long as that grows, patience starts anew. */
  moved(): number;
  /** Whether a try that ended with `E2EEFTP_INTEGRITY` has kept what was sound of it. */
  isRepairable(): boolean;
}

/** What a line is made of. */
export interface LineParts {
  readonly session: NativeSession;
  readonly dial: Dial;
  readonly channel: ChannelOptions;
  readonly reconnectMs: number;
}

/** The client's connection. */
export class Line {
  #channel: Channel;
  readonly #dial: Dial;
  readonly #options: ChannelOptions;
  readonly #reconnectMs: number;
  readonly #closing: AbortSignal;
  #renewing: Promise<void> | null = null;

  /** @param closing aborts when the client is closed. */
  constructor(parts: LineParts, closing: AbortSignal) {
    this.#channel = new Channel(parts.session, parts.channel);
    this.#dial = parts.dial;
    this.#options = parts.channel;
    this.#reconnectMs = parts.reconnectMs;
    this.#closing = closing;
  }

  /** The connection that there is now. */
  get channel(): Channel {
    return this.#channel;
  }

  /**
   * Runs `attempt` with the connection, and again with a new one when it broke, until it comes to an end. Whatever else
   * goes wrong is thrown.
   *
   * @param work what is tried.
   */
  async persist<T>(
    options: RetryOptions,
    work: Persisting,
    attempt: (channel: Channel, count: number) => Promise<T>,
  ): Promise<T> {
    const { signal, reconnectMs = this.#reconnectMs } = options;
    const patience = new Patience(reconnectMs);
    for (let count = 0, repairs = 0; ; count += 1) {
      const channel = this.#channel;
      const before = work.moved();
      try {
        return await attempt(channel, count);
      } catch (error) {
        signal?.throwIfAborted();
        this.#closing.throwIfAborted();
        const isRepair = E2eeftpError.is(error, 'E2EEFTP_INTEGRITY') && work.isRepairable() && repairs < MAX_REPAIRS;
        if (isRepair) repairs += 1;
        if (isRepair && channel.isOpen) continue;
        // A record that was damaged on the way has ended the connection, too.
        if (!(isRepair || isPassing(error)) || reconnectMs === 0) throw error;
        if (work.moved() > before) patience.renew();
        await this.#renew(channel, error, patience, options);
      }
    }
  }

  async #renew(lost: Channel, reason: E2eeftpError, patience: Patience, options: RetryOptions): Promise<void> {
    let error = reason;
    while (this.#channel === lost || !this.#channel.isOpen) {
      const { attempt, delayMs } = patience.next(error);
      options.onRetry?.({ error, attempt, delayMs });
      await orAbort(sleep(delayMs, undefined, { signal: this.#closing }), options.signal);
      try {
        // Others may wait for the same connection.
        this.#renewing ??= this.#open(lost).finally(() => {
          this.#renewing = null;
        });
        await orAbort(this.#renewing, options.signal);
      } catch (failure) {
        options.signal?.throwIfAborted();
        this.#closing.throwIfAborted();
        if (!isPassing(failure)) throw failure;
        error = failure;
      }
    }
  }

  async #open(lost: Channel): Promise<void> {
    const session = await this.#dial(this.#closing);
    this.#channel = new Channel(session, this.#options);
    await lost.close();
  }
}

/** How long to go on, and how long to wait between two tries. */
class Patience {
  readonly #limitMs: number;
  #since: number | null = null;
  #attempt = 0;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  renew(): void {
    this.#since = null;
    this.#attempt = 0;
  }

  /** @throws `error` when it has been too long. */
  next(error: E2eeftpError): { attempt: number; delayMs: number } {
    const now = performance.now();
    this.#since ??= now;
    if (now - this.#since >= this.#limitMs) throw error;
    this.#attempt += 1;
    const longest = Math.min(FIRST_DELAY_MS * 2 ** (this.#attempt - 1), MAX_DELAY_MS);
    // Many clients of a server that comes back do not come all at once.
    return { attempt: this.#attempt, delayMs: Math.round(longest * (0.5 + Math.random() / 2)) };
  }
}

function isPassing(error: unknown): error is E2eeftpError {
  return E2eeftpError.is(error) && passing.has(error.code);
}
