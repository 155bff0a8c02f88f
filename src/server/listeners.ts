/**
 * The addresses of a server: bound all or none, with one set of limits, and accepted from until they are closed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { E2eeftpError } from '../errors.js';
import type { Identity } from '../identity/identity.js';
import { NativeListener, native } from '../native.js';
import type { NativeIncoming } from '../native.js';
import { addressOf } from './address-of.js';
import type { Endpoint, NativeLimits } from './options.js';

/** Pause after a listener failed, e.g. for want of file descriptors. */
const ACCEPT_RETRY_MS = 100;

/** What a server proves itself with. */
export interface ServerKey {
  readonly identity: Identity;
  /** Text of the statements that lead to its key; `null` when there are none. */
  readonly rotation: string | null;
}

/** Whom the listeners tell. */
export interface AcceptHandlers {
  /** Takes a peer that has proved its key. */
  readonly onIncoming: (incoming: NativeIncoming) => void;
  /** Hears that accepting failed; it is tried again. */
  readonly onError: (error: unknown) => void;
}

/** The listening addresses of one server. */
export class Listeners {
  readonly #listeners: NativeListener[] = [];
  #isClosed = false;

  /** The addresses that are listened on, with the ports that were picked. */
  get addresses(): readonly Required<Endpoint>[] {
    return this.#listeners.map(({ host, port }) => ({ host, port }));
  }

  /**
   * Binds every address, or none. The limits count over all of them together.
   *
   * @throws E2eeftpError `E2EEFTP_UNKNOWN_HOST`; `E2EEFTP_IO` when an address can't be listened on; `E2EEFTP_CLOSED`.
   */
  async bind(who: ServerKey, endpoints: readonly Required<Endpoint>[], limits: NativeLimits): Promise<void> {
    const { identity, rotation } = who;
    const { limitRate: rateLimit = 0 } = limits;
    const settings = { ...limits, rateLimit, ...(rotation === null ? {} : { rotation }) };
    try {
      for (const { host: name, port } of endpoints) {
        const host = await addressOf(name);
        const [first] = this.#listeners;
        const bound =
          first === undefined
            ? identity.withKey((key) => NativeListener.bind(key, { ...settings, host, port }))
            : native(() => first.bindBeside(host, port));
        this.#listeners.push(await bound);
      }
      if (this.#isClosed) throw new E2eeftpError('E2EEFTP_CLOSED', 'the server was closed');
    } catch (error) {
      this.release();
      throw error;
    }
  }

  /** A listener for those of other protocols to share the limits of; `null` when nothing is bound. */
  get first(): NativeListener | null {
    return this.#listeners[0] ?? null;
  }

  /** Gives all addresses back, so that they can be bound again. */
  release(): void {
    for (const listener of this.#listeners.splice(0)) listener.close();
  }

  /** Hands over whoever arrives, on all addresses; resolves when they are closed. */
  async accept(handlers: AcceptHandlers): Promise<void> {
    await Promise.all(this.#listeners.map((listener) => this.#acceptFrom(listener, handlers)));
  }

  /** Takes no new peers. Any number of calls. */
  close(): void {
    this.#isClosed = true;
    for (const listener of this.#listeners) listener.close();
  }

  async #acceptFrom(listener: NativeListener, { onIncoming, onError }: AcceptHandlers): Promise<void> {
    for (;;) {
      try {
        const incoming = await native(() => listener.next());
        if (incoming === null || incoming === undefined) return;
        onIncoming(incoming);
      } catch (error) {
        if (this.#isClosed) return;
        onError(error);
        await delay(ACCEPT_RETRY_MS);
      }
    }
  }
}
