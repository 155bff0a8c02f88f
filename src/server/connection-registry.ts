/**
 * The sessions of a server that are open, and how they are ended together.
 */
import { E2eeftpError } from '../errors.js';
import type { Session } from './session.js';

/** The open sessions. */
export class ConnectionRegistry {
  readonly #sessions = new Set<Session>();
  #nextId = 1;

  /** Number for the next session. */
  nextId(): number {
    const id = this.#nextId;
    this.#nextId += 1;
    return id;
  }

  /** Keeps a session until it has closed. */
  add(session: Session): void {
    this.#sessions.add(session);
    void session.closed.then(() => this.#sessions.delete(session));
  }

  /** The sessions that are open now. */
  list(): Session[] {
    return [...this.#sessions];
  }

  /** How many sessions are open. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Ends the sessions that have nothing to do; the others end themselves after their running request. */
  async endIdle(): Promise<void> {
    await Promise.all(
      this.list()
        .filter((session) => !session.isBusy)
        .map((session) => session.close()),
    );
  }

  /** Aborts whatever runs and ends every session; resolves when all are gone. */
  async cut(): Promise<void> {
    const reason = new E2eeftpError('E2EEFTP_SHUTTING_DOWN', 'The server is shutting down');
    await Promise.all(this.list().map((session) => session.cut(reason)));
  }

  /** Resolves when no session is open. */
  async whenEmpty(): Promise<void> {
    while (this.#sessions.size > 0) await Promise.all(this.list().map((session) => session.closed));
  }
}
