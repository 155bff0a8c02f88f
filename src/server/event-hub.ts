/**
 * Events that can't hurt the server: a listener that throws or rejects is reported, and an `error` without a listener is
 * logged instead of ending the process.
 */
import type { EventEmitter } from 'node:events';
import type { ServerEvents, ServerWarning } from './events.js';
import type { Logger } from './logger.js';

/** Emits a server's events. The server and whatever works for it share one. */
export class EventHub {
  readonly #emitter: EventEmitter<ServerEvents>;
  readonly #logger: Logger;
  /** Warnings from before anybody could listen; `null` once they were emitted. */
  #early: ServerWarning[] | null = [];

  constructor(emitter: EventEmitter<ServerEvents>, logger: Logger) {
    this.#emitter = emitter;
    this.#logger = logger;
  }

  /** Emits an event. A listener that throws or rejects becomes an `error` event, and the others hear of it all the same. */
  emit<K extends 'login' | 'session' | 'transfer' | 'receipt' | 'warning'>(name: K, ...args: ServerEvents[K]): void {
    this.#deliver(name, args, (error) => this.error(error, `a listener of the event ${name} failed`));
  }

  /** Logs a warning, and emits it: at once, or with {@link start} when it comes before that. */
  warning(warning: ServerWarning): void {
    const { message, ...where } = warning;
    this.#logger.warn(where, message);
    if (this.#early === null) this.emit('warning', warning);
    else this.#early.push(warning);
  }

  /** Emits the warnings so far: the application has had its chance to add listeners. */
  start(): void {
    const early = this.#early ?? [];
    this.#early = null;
    for (const warning of early) this.emit('warning', warning);
  }

  /** Logs and emits a failure of the server or the application. */
  error(error: unknown, text: string, fields: object = {}): void {
    this.#logger.error({ ...fields, err: error }, text);
    const failure = error instanceof Error ? error : new Error(text, { cause: error });
    // To emit this one, too, could go on for ever.
    this.#deliver('error', [failure], (thrown) => {
      this.#logger.error({ err: thrown }, 'a listener of the event error failed');
    });
  }

  /** Calls the listeners as the emitter would, but one that fails does not keep the others from hearing. */
  #deliver(name: keyof ServerEvents, args: readonly unknown[], onFailure: (error: unknown) => void): void {
    for (const listener of this.#emitter.rawListeners(name) as ((...all: unknown[]) => unknown)[]) {
      try {
        Promise.resolve(Reflect.apply(listener, this.#emitter, args)).catch(onFailure);
      } catch (error) {
        onFailure(error);
      }
    }
  }
}
