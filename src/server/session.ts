/**
 * One logged-in client.
 */
import { E2eeftpError } from '../errors.js';
import type { SessionState } from '../e2eeftp/exchange.js';
import type { NameReservations } from '../e2eeftp/name-reservation.js';
import type { RunningUploads } from '../e2eeftp/running-uploads.js';
import { TransferLedger } from '../e2eeftp/transfer-ledger.js';
import type { Peer } from '../e2eeftp/request-context.js';
import { native } from '../native.js';
import type { NativeSession, NativeStorage, NativeView } from '../native.js';
import type { Grant } from '../storage/grant.js';

/** How long an aborted request may take to end in an orderly way, in milliseconds. */
const CUT_MS = 1_000;

/** What a session works with. */
export interface SessionParts {
  readonly channel: NativeSession;
  readonly grant: Grant;
  readonly peer: Peer;
  readonly storage: NativeStorage;
  readonly view: NativeView;
  readonly reservations: NameReservations;
  readonly uploads: RunningUploads;
}

/** One logged-in client, from login to the end of its connection. */
export class Session {
  /** Counts from 1 within a server. */
  readonly id: number;
  readonly peer: Peer;
  readonly grant: Grant;
  /** Label from the grant, or the key's fingerprint. */
  readonly user: string;
  readonly openedAt: Date = new Date();
  /** Resolves when the session has ended, for whatever reason. Never rejects. */
  readonly closed: Promise<void>;
  readonly #parts: SessionParts;
  readonly #abort = new AbortController();
  readonly #transfers = new TransferLedger();
  #resolveClosed: () => void = () => undefined;
  #isBusy = false;
  #isEnding = false;
  #isOver = false;
  #requests = 0;

  constructor(id: number, parts: SessionParts) {
    this.id = id;
    this.#parts = parts;
    this.peer = parts.peer;
    this.grant = parts.grant;
    this.user = parts.grant.user ?? parts.peer.fingerprint;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  /** Whether a request is being answered. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** How many requests were answered or are being answered. */
  get requests(): number {
    return this.#requests;
  }

  /**
   * Ends the session after the request that is being answered, at once when there is none; resolves when it is over. The
   * client is told good-bye. Any number of calls.
   */
  async close(): Promise<void> {
    this.#isEnding = true;
    if (!this.#isBusy) {
      try {
        await this.end();
      } catch (error) {
        // It ended by itself in the meantime, or can't be told: either way it has to go.
        if (!E2eeftpError.is(error)) throw error;
        this.destroy();
      }
    }
    await this.closed;
  }

  /** Ends the session at once, without telling the client why. A transfer under way leaves nothing behind. */
  destroy(): void {
    this.#abort.abort(new E2eeftpError('E2EEFTP_CLOSED', 'The session was ended by the server'));
    this.#parts.channel.destroy();
  }

  /** Whether the session is to end after the request that is being answered. @internal */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** What the requests of this session share. @internal */
  get state(): SessionState {
    return { ...this.#parts, transfers: this.#transfers, signal: this.#abort.signal };
  }

  /** Marks a request as running while `answer` runs. @internal */
  async answering<T>(answer: () => Promise<T>): Promise<T> {
    this.#isBusy = true;
    this.#requests += 1;
    try {
      return await answer();
    } finally {
      this.#isBusy = false;
    }
  }

  /** Says good-bye to the client and ends the connection. @internal */
  async end(): Promise<void> {
    await native(() => this.#parts.channel.close());
  }

  /**
   * Aborts the running request, whose client is told `reason`, and ends the session. After a second the connection is
   * dropped, after another one a handler that still does not return is left to itself. @internal
   */
  async cut(reason: E2eeftpError): Promise<void> {
    this.#isEnding = true;
    this.#abort.abort(reason);
    const drop = setTimeout(() => this.#parts.channel.destroy(), CUT_MS);
    const giveUp = setTimeout(() => this.over(), 2 * CUT_MS);
    await this.closed;
    clearTimeout(drop);
    clearTimeout(giveUp);
  }

  /** To be called once, when the connection is gone. @internal */
  over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#abort.abort(new E2eeftpError('E2EEFTP_CLOSED', 'The session has ended'));
    this.#resolveClosed();
  }
}
