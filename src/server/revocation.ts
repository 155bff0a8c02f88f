/**
 * Carries changes of the file of authorized keys to the sessions that are open: a key that is no longer listed ends
 * them at once, other options end them after the running request, so that the client logs in again under the new ones.
 *
 * The file is looked at every two seconds. What is found counts when it was the same twice, so that a file in the
 * middle of being written ends nobody. A file that can't be read lets nobody in, and ends nobody.
 */
import { E2eeftpError } from '../errors.js';
import type { AuthorizedClients } from '../identity/authorized-clients.js';
import { isSameGrant } from '../storage/grant.js';
import type { Admission } from './admission.js';
import type { EventHub } from './event-hub.js';
import type { Logger } from './logger.js';
import type { Session } from './session.js';

/** How often the file is looked at, in milliseconds. */
const WATCH_MS = 2_000;

/** What can be ended: a session, or a connection of an old client. */
export type Revocable = Pick<Session, 'id' | 'user' | 'peer' | 'grant' | 'isBusy' | 'cut' | 'close'>;

/** What a {@link Revocation} works with. */
export interface RevocationParts {
  readonly clients: AuthorizedClients;
  readonly admission: Admission;
  readonly sessions: () => readonly Revocable[];
  readonly events: EventHub;
  readonly logger: Logger;
}

/** Watches the file of authorized keys for one server. */
export class Revocation {
  readonly #parts: RevocationParts;
  #timer: NodeJS.Timeout | null = null;
  /** The revision that the open sessions agree with. */
  #settled: number;
  /** The revision that was found last. */
  #seen: number;
  #isUnreadable = false;

  constructor(parts: RevocationParts) {
    this.#parts = parts;
    this.#settled = parts.clients.revision;
    this.#seen = this.#settled;
  }

  /** Begins to watch. */
  start(): void {
    let looking: Promise<void> | null = null;
    // A look that takes long, at a file system that hangs say, is the only one.
    this.#timer ??= setInterval(() => {
      looking ??= this.#look().finally(() => (looking = null));
    }, WATCH_MS).unref();
  }

  /** Ends watching. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Reads the file now; what it says counts at once. @throws E2eeftpError `E2EEFTP_IO` when it can't be read. */
  async reload(): Promise<void> {
    await this.#parts.clients.refresh();
    this.#seen = this.#parts.clients.revision;
    this.#apply();
  }

  async #look(): Promise<void> {
    const { clients, events } = this.#parts;
    try {
      await clients.refresh();
      this.#isUnreadable = false;
    } catch (error) {
      if (!this.#isUnreadable) events.error(error, 'cannot read the list of clients; nobody is let in');
      this.#isUnreadable = true;
      return;
    }
    const { revision } = clients;
    if (revision === this.#seen && revision !== this.#settled) this.#apply();
    this.#seen = revision;
  }

  /** Ends a session whose grant is not that of the file as it was read last. */
  check(session: Revocable): void {
    const { clients, admission, events, logger } = this.#parts;
    if (!clients.isReadable) return;
    const grant = admission.known(session.peer);
    if (grant !== null && isSameGrant(grant, session.grant)) return;
    const fields = { session: session.id, user: session.user, fingerprint: session.peer.fingerprint };
    logger.info(fields, grant === null ? 'ends a session: its key was revoked' : 'ends a session: new options');
    const reason = new E2eeftpError('E2EEFTP_EXPIRED', 'Not permitted: the access of this key was withdrawn');
    const ended = grant === null && session.isBusy ? session.cut(reason) : session.close();
    ended.catch((error: unknown) => events.error(error, 'cannot end a session', fields));
  }

  #apply(): void {
    this.#settled = this.#parts.clients.revision;
    for (const session of this.#parts.sessions()) this.check(session);
  }
}
