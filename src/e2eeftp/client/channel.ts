/**
 * One session with a server, as a queue of requests. Each request runs from its first message to its final reply even
 * when its caller gave up, so that the session stays in step for the next one.
 */
import { E2eeftpError } from '../../errors.js';
import { native } from '../../native.js';
import type { NativeSession } from '../../native.js';
import { encodeControl } from '../control-codec.js';
import type { ControlValue } from '../control-value.js';
import { isSessionDead } from '../exchange.js';
import { STATUS_AT_WORK, STATUS_BODY_FOLLOWS, STATUS_OK, STATUS_SEND_BODY } from '../status.js';
import { linkSignals, longLivedController, orAbort } from './abort.js';
import { settlesWithin } from '../settles-within.js';
import { InboundBody, OutboundBody } from './bodies.js';
import { decodeReply, replyError } from './reply.js';
import type { Reply } from './reply.js';
import { RequestLock } from './request-lock.js';
import type { Lease } from './request-lock.js';

/** Times that bound how long a channel waits. */
export interface ChannelOptions {
  /** How long a reply may take, in milliseconds; 0 = no limit. */
  readonly replyTimeoutMs: number;
  /** How long an aborted transfer may take to end in an orderly way, in milliseconds. */
  readonly abortGraceMs: number;
}

/** One request. */
export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  readonly replyTimeoutMs?: number | undefined;
  /** Called when the server asks for the body; without it the body is empty. */
  readonly send?: (body: OutboundBody, request: Reply) => Promise<void>;
  /** Called when the server announces a body; without it the body is stopped. */
  readonly receive?: (body: InboundBody, announcement: Reply) => Promise<void>;
  /** Called when the server says that it is at work on the request. */
  readonly onAtWork?: (reply: Reply) => void;
  /** The server may work on it for long and listens meanwhile: an abort tells it to stop. */
  readonly isStoppable?: boolean;
}

/** A message's members beside `id` and `verb`. */
export type RequestArgs = { readonly [name: string]: ControlValue | undefined };

/** One session and the requests on it. */
export class Channel {
  readonly #session: NativeSession;
  readonly #options: ChannelOptions;
  readonly #lock = new RequestLock();
  readonly #closing: AbortController = longLivedController();
  #lastId = 0;
  #running: Promise<unknown> = Promise.resolve();
  #isDead = false;
  #closed: Promise<void> | null = null;

  constructor(session: NativeSession, options: ChannelOptions) {
    this.#session = session;
    this.#options = options;
  }

  /** Whether requests can still be made. */
  get isOpen(): boolean {
    return !this.#isDead && this.#closed === null;
  }

  /**
   * Makes a request and waits for its final reply.
   *
   * @throws the signal's reason after an abort, the server's refusal, or what a body callback threw.
   */
  async request(verb: string, args: RequestArgs, options: RequestOptions = {}): Promise<Reply> {
    const { signal, unlink } = linkSignals(options.signal, this.#closing.signal);
    try {
      signal.throwIfAborted();
      const lease = await this.#lock.acquire(signal);
      const request = new RunningRequest(this.#session, signal, lease, options);
      const message = this.#encode(verb, args, lease);
      const work = request
        .run(message, this.#lastId, options.replyTimeoutMs ?? this.#options.replyTimeoutMs)
        .catch((error: unknown) => {
          if (request.isSessionLost) this.#drop();
          throw error;
        })
        .finally(() => lease.release());
      this.#running = work.catch(() => undefined);
      try {
        return await orAbort(work, signal);
      } catch (error) {
        if (signal.aborted && !(await settlesWithin(request.body, this.#options.abortGraceMs))) {
          this.#drop();
          await request.body.catch(() => undefined);
        }
        throw signal.aborted ? signal.reason : error;
      }
    } finally {
      unlink();
    }
  }

  /** Aborts what runs and waits, says good-bye, and ends the connection. Any number of calls. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing.abort(new E2eeftpError('E2EEFTP_CLOSED', 'the client was closed'));
    const isQuiet = await settlesWithin(this.#running, this.#options.abortGraceMs);
    if (this.#isDead) return;
    if (!isQuiet) {
      this.#drop();
      await this.#running;
      return;
    }
    this.#isDead = true;
    // Whether the server hears the good-bye or is gone already: the connection is over.
    await native(() => this.#session.close()).catch(() => this.#session.destroy());
  }

  #encode(verb: string, args: RequestArgs, lease: Lease): Buffer {
    try {
      if (this.#isDead) throw new E2eeftpError('E2EEFTP_CONNECTION_LOST', 'the connection to the server was lost');
      this.#lastId += 1;
      return encodeControl({ ...args, id: this.#lastId, verb });
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  #drop(): void {
    this.#isDead = true;
    this.#session.destroy();
  }
}

/** One request from its first message to its final reply. */
class RunningRequest {
  /**
   * The body that moves now, or the last one: settles when it has ended, here and on the wire. For a request that can
   * be stopped it is the request itself.
   */
  body: Promise<unknown> = Promise.resolve();
  /** Whether the session can't be used any more. */
  isSessionLost = false;
  readonly #session: NativeSession;
  readonly #signal: AbortSignal;
  readonly #lease: Lease;
  readonly #options: RequestOptions;

  constructor(session: NativeSession, signal: AbortSignal, lease: Lease, options: RequestOptions) {
    this.#session = session;
    this.#signal = signal;
    this.#lease = lease;
    this.#options = options;
  }

  run(message: Buffer, id: number, timeoutMs: number): Promise<Reply> {
    const work = this.#run(message, id, timeoutMs);
    if (this.#options.isStoppable === true) this.body = work;
    return work;
  }

  async #run(message: Buffer, id: number, timeoutMs: number): Promise<Reply> {
    await this.#watch(() => this.#session.sendControl(message));
    if (this.#options.isStoppable !== true) return this.#answer(id, timeoutMs);
    // A session on which that can't be said any more shows in the reply that does not come.
    const stop = (): void => void native(() => this.#session.stopRequest(id)).catch(() => undefined);
    if (this.#signal.aborted) stop();
    this.#signal.addEventListener('abort', stop, { once: true });
    try {
      return await this.#answer(id, timeoutMs);
    } finally {
      this.#signal.removeEventListener('abort', stop);
    }
  }

  async #answer(id: number, timeoutMs: number): Promise<Reply> {
    let failure: unknown = null;
    let stage = 0;
    for (;;) {
      const reply = await this.#nextReply(id, timeoutMs).catch((error: unknown) => {
        // A body that broke the session is the reason why no reply comes.
        throw failure !== null && !isPeersDoing(failure) && isSessionDead(error) ? failure : error;
      });
      if (reply.status >= STATUS_OK) {
        const refusal = replyError(reply);
        if (failure !== null && !(isPeersDoing(failure) && refusal !== null)) throw failure;
        if (refusal !== null) throw refusal;
        return reply;
      }
      if (reply.status === STATUS_AT_WORK) {
        this.#atWork(reply);
        continue;
      }
      if (reply.status <= stage) throw this.#broken('two bodies in one direction');
      stage = reply.status;
      try {
        this.body = this.#body(reply, id);
        await this.body;
      } catch (error) {
        // The server may stop a body and still answer well, e.g. a command that needs its first lines only.
        if (!E2eeftpError.is(error, 'E2EEFTP_PEER_STOPPED')) failure ??= error;
        if (isSessionDead(error)) this.isSessionLost = true;
        if (this.isSessionLost) throw error;
      }
    }
  }

  #atWork(reply: Reply): void {
    try {
      this.#options.onAtWork?.(reply);
    } catch {
      throw this.#broken('progress that can’t be read');
    }
  }

  async #body(reply: Reply, id: number): Promise<void> {
    if (reply.status === STATUS_SEND_BODY) {
      const body = new OutboundBody(this.#session, id, this.#signal);
      try {
        this.#signal.throwIfAborted();
        if (this.#options.send === undefined) await body.fromSource([]);
        else await this.#options.send(body, reply);
      } finally {
        await body.abandon();
      }
    } else if (reply.status === STATUS_BODY_FOLLOWS) {
      const body = new InboundBody(this.#session, id, this.#signal, this.#lease.contended);
      try {
        this.#signal.throwIfAborted();
        await this.#options.receive?.(body, reply);
      } finally {
        await body.abandon();
      }
    } else {
      throw this.#broken(`status ${reply.status} is unknown`);
    }
  }

  async #nextReply(id: number, timeoutMs: number): Promise<Reply> {
    const message = await this.#watch(() => this.#session.nextControl(timeoutMs));
    if (message === null || message === undefined) {
      this.isSessionLost = true;
      throw new E2eeftpError('E2EEFTP_CONNECTION_LOST', 'the server closed the connection');
    }
    let reply: Reply;
    try {
      reply = decodeReply(message);
    } catch (error) {
      this.isSessionLost = true;
      throw error;
    }
    // Id 0: the server could not read the request at all.
    if (reply.id !== id && !(reply.id === 0 && reply.status >= STATUS_OK)) throw this.#broken('a reply to nothing');
    return reply;
  }

  async #watch<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await native(call);
    } catch (error) {
      this.isSessionLost = true;
      throw error;
    }
  }

  #broken(text: string): E2eeftpError {
    this.isSessionLost = true;
    return new E2eeftpError('E2EEFTP_PROTOCOL', `the server broke the protocol: ${text}`);
  }
}

function isPeersDoing(error: unknown): boolean {
  return E2eeftpError.is(error, 'E2EEFTP_PEER_ABORTED') || E2eeftpError.is(error, 'E2EEFTP_PEER_STOPPED');
}
