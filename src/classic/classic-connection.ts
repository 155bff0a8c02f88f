/**
 * A connection of an old client that was let in. It is for one command; until that is answered it can be ended like any
 * session.
 */
import { E2eeftpError } from '../errors.js';
import type { Peer } from '../identity/peer.js';
import type { NativeClassicConnection } from '../native.js';
import type { Grant } from '../storage/grant.js';

/** One connection of an old client. */
export class ClassicConnection {
  /** Counts with the sessions of the server. */
  readonly id: number;
  readonly peer: Peer;
  readonly grant: Grant;
  /** Label from the grant, or the key's fingerprint. */
  readonly user: string;
  readonly native: NativeClassicConnection;
  readonly #abort = new AbortController();
  #isBusy = false;

  constructor(id: number, peer: Peer, grant: Grant, connection: NativeClassicConnection) {
    this.id = id;
    this.peer = peer;
    this.grant = grant;
    this.user = grant.user ?? peer.fingerprint;
    this.native = connection;
  }

  /** Whether the command has come and is being answered. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Aborts when the connection is cut. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Marks the command as running; it ends the connection. */
  begin(): void {
    this.#isBusy = true;
  }

  /** Ends the connection after its command, at once when there is none yet. Any number of calls. */
  async close(): Promise<void> {
    if (!this.#isBusy) this.end();
  }

  /** Ends the connection at once; a file that is on its way leaves nothing behind. Any number of calls. */
  async cut(
    reason: E2eeftpError = new E2eeftpError('E2EEFTP_CLOSED', 'the server has ended the connection'),
  ): Promise<void> {
    this.#abort.abort(reason);
    this.end();
  }

  /** Closes the socket. Any number of calls. */
  end(): void {
    this.native.close();
  }
}
