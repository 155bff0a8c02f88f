/**
 * Events that can't hurt the server: a listener that throws is reported, and an `error` without a listener is logged
 * instead of ending the process.
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

  /** Emits an event; a listener that throws becomes an `error` event. */
  emit<K extends 'session' | 'transfer'>(name: K, ...args: ServerEvents[K]): void {
    try {
      (this.#emitter as EventEmitter).emit(name, ...args);
    } catch (error) {
      this.error(error, `a listener of the event ${name} failed`);
    }
  }

  /** Logs a warning, and emits it: at once, or with {@link start} when it comes before that. */
  warning(warning: ServerWarning): void {
    const { message, ...where } = warning;
    this.#logger.warn(where, message);
    if (this.#early === null) this.#emitWarning(warning);
    else this.#early.push(warning);
  }

  /** Emits the warnings so far: the application has had its chance to add listeners. */
  start(): void {
    const early = this.#early ?? [];
    this.#early = null;
    for (const warning of early) this.#emitWarning(warning);
  }

  #emitWarning(warning: ServerWarning): void {
    try {
      this.#emitter.emit('warning', warning);
    } catch (error) {
      this.error(error, 'a listener of the event warning failed');
    }
  }

  /** Logs and emits a failure of the server or the application. */
  error(error: unknown, text: string, fields: object = {}): void {
    this.#logger.error({ ...fields, err: error }, text);
    if (this.#emitter.listenerCount('error') === 0) return;
    const failure = error instanceof Error ? error : new Error(text, { cause: error });
    try {
      this.#emitter.emit('error', failure);
    } catch (thrown) {
      // The last resort failed: as in any Node program, an uncaught exception.
      queueMicrotask(() => {
        throw thrown;
      });
    }
  }
}
