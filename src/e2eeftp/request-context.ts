/**
 * What a command handler sees of the request it answers.
 */
import { E2eeftpError } from '../errors.js';
import type { Peer } from '../identity/peer.js';
import type { Grant } from '../storage/grant.js';
import { ControlReader } from './control-value.js';
import type { ControlMap } from './control-value.js';
import type { Exchange } from './exchange.js';
import { missingPermission } from './requirement.js';
import type { Requirement } from './requirement.js';

export type { Peer } from '../identity/peer.js';

/** One request, from its arrival to its final reply. */
export class RequestContext {
  /** Upper case. */
  readonly verb: string;
  /** The client's arguments: an object without prototype, of CBOR values. Nothing about them is checked yet. */
  readonly args: ControlMap;
  /** Label from the grant, or the key's fingerprint when the grant has none. */
  readonly user: string;
  readonly grant: Grant;
  readonly peer: Peer;
  /** Aborts when the server shuts down and the request's grace is over, or when the session is cut. */
  readonly signal: AbortSignal;
  readonly #exchange: Exchange;

  constructor(verb: string, args: ControlMap, exchange: Exchange) {
    this.verb = verb;
    this.args = args;
    this.#exchange = exchange;
    this.grant = exchange.session.grant;
    this.peer = exchange.session.peer;
    this.user = this.grant.user ?? this.peer.fingerprint;
    this.signal = exchange.session.signal;
  }

  /** Typed access to {@link args}; its errors answer with 400. */
  get input(): ControlReader {
    return new ControlReader(this.args);
  }

  /**
   * Asks the client for the body of its request and yields it in pieces of up to 256 KiB; each is the receiver's to
   * keep. Ends when the last byte arrived and the whole was verified. Leaving the loop early asks the client to stop.
   *
   * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` when it is called twice.
   */
  body(): AsyncIterable<Buffer> {
    return this.#exchange.body();
  }

  /** The native side of the request. For the built-in commands. @internal */
  get exchange(): Exchange {
    return this.#exchange;
  }

  /** Throws `E2EEFTP_NOT_PERMITTED` unless the grant allows it. */
  require(permission: Requirement): void {
    const missing = missingPermission(this.grant, permission);
    if (missing === null) return;
    throw new E2eeftpError('E2EEFTP_NOT_PERMITTED', `Not permitted: this key may not ${missing}`);
  }
}
