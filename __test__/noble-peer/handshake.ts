/** Both ends of a handshake, without a socket: `docs/PROTOCOL.md` §2 to §5. */
import { randomBytes } from 'node:crypto';
import { concat, isEqual, ProtocolFault, uint } from './byte-fields.js';
import {
  check,
  decodeParameters,
  type Deviation,
  encodeMessage,
  encodeParameters,
  MESSAGES,
  openFlight,
  type Parameters,
  type Proof,
  prove,
  sealFlight,
} from './flight.js';
import {
  BOUND_LENGTH,
  chooseSuite,
  type ClientHello,
  decodeClientHello,
  decodeServerHello,
  encodeClientHello,
  encodeServerHello,
  type Offer,
} from './hello.js';
import {
  type ApplicationSecrets,
  applicationSecrets,
  binder,
  earlySecret,
  type HandshakeSecrets,
  handshakeSecrets,
  Transcript,
} from './key-schedule.js';
import { clearRecord, MAX_RECORD, type Suite } from './record-layer.js';
import type { Statement } from './rotation.js';
import { type Side, type SigningIdentity } from './signing-identity.js';
import { decapsulate, encapsulate, type Halves, keyPair, type KeyPair } from './x-wing.js';

/** Draws so many random bytes. */
export type Draw = (length: number) => Uint8Array;

const systemRandom: Draw = (length) => new Uint8Array(randomBytes(length));

/** The id and secret of a session that a connection joins. */
export interface Join {
  id: Uint8Array;
  secret: Uint8Array;
}

interface SideOptions {
  identity: SigningIdentity;
  offer?: Offer;
  draw?: Draw;
  deviation?: Deviation;
}

export interface ClientOptions extends SideOptions {
  join?: Join;
}

export interface ServerOptions extends SideOptions {
  /** The secret of a join id, or nothing for a refusal. */
  joinSecret?: (id: Uint8Array) => Uint8Array | undefined;
  /** The value of ROT, of a server whose key has changed. */
  rotation?: Uint8Array;
  maxRecord?: number;
  unixTime?: number;
}

const BOTH: Offer = { suites: 3, preferred: 1 };

/** Everything that one side knows in the end; tests look at all of it. */
export interface Established extends Proof {
  suite: Suite;
  parameters: Parameters;
  halves: Halves;
  shared: Uint8Array;
  early: Uint8Array;
  hellosHash: Uint8Array;
  handshake: HandshakeSecrets;
  application: ApplicationSecrets;
}

const EMPTY_EARLY: Uint8Array = earlySecret();

function hellosTranscript(m1: Uint8Array, m3: Uint8Array): Transcript {
  const transcript = new Transcript();
  transcript.add(m1);
  transcript.add(m3);
  return transcript;
}

/** A GREASE extension out of 11 random bytes: type, length, value. */
function grease(random: Uint8Array): Uint8Array {
  const [high = 0, low = 0, length = 0] = random;
  const value = random.slice(3, 3 + (length % 9));
  return concat(Uint8Array.of((high & 0xf0) | 0x0a, (low & 0xf0) | 0x0a), uint(value.length, 2), value);
}

export class ClientHandshake {
  /** M1 as a record. */
  readonly m1: Uint8Array;
  readonly pair: KeyPair;
  readonly hello: ClientHello;
  readonly #options: ClientOptions;
  readonly #early: Uint8Array;

  constructor(options: ClientOptions) {
    const { join, offer = BOTH, draw = systemRandom, deviation = {} } = options;
    this.#options = options;
    this.pair = keyPair(draw(32));
    const random = draw(32);
    const joinId = join === undefined ? draw(32) : join.id;
    this.#early = join === undefined ? EMPTY_EARLY : earlySecret(join.secret);
    this.hello = {
      ...offer,
      isJoin: join !== undefined,
      random,
      encapsulationKey: this.pair.encapsulationKey,
      joinId,
      binder: join === undefined ? draw(48) : new Uint8Array(48),
      extensions: grease(draw(11)),
    };
    if (join !== undefined) {
      this.hello.binder = binder(this.#early, encodeClientHello(this.hello).slice(0, BOUND_LENGTH));
    }
    const body = encodeClientHello(this.hello);
    this.m1 = clearRecord(deviation.hello?.(body) ?? body);
  }

  /**
   * @param judge of the server's key and the verified statements that lead to it; throws before anything about the client
   *   is said. Not called in a join.
   * @throws ProtocolFault for whatever the server must not say.
   */
  finish(
    m3: Uint8Array,
    m4: Uint8Array,
    judge: (key: Uint8Array, statements: readonly Statement[]) => void = () => undefined,
  ): { m5: Uint8Array; established: Established } {
    const { identity, join, deviation = {} } = this.#options;
    const isJoin = join !== undefined;
    const { suite, ciphertext } = decodeServerHello(m3.slice(4), this.hello);
    const { halves, shared } = decapsulate(this.pair, ciphertext);
    const transcript = hellosTranscript(this.m1, m3);
    const hellosHash = transcript.hash;
    const handshake = handshakeSecrets(this.#early, shared, hellosHash);

    const [first, ...rest] = openFlight(suite, handshake.server, m4);
    if (first?.type !== MESSAGES.server.parameters) throw new ProtocolFault('EE is missing');
    const parameters = decodeParameters(first.value);
    transcript.add(encodeMessage(first));
    const proof = check({ side: 'server', secret: handshake.server, transcript }, rest, isJoin);
    if (proof.peer !== undefined) judge(proof.peer, proof.rotation);

    const stage = { side: 'client' as Side, secret: handshake.client, transcript };
    const messages = prove(stage, isJoin ? undefined : identity, deviation);
    const m5 = sealFlight(suite, handshake.client, messages, deviation);
    const application = applicationSecrets(handshake.master, transcript.hash);
    const early = this.#early;
    return {
      m5,
      established: { suite, parameters, ...proof, halves, shared, early, hellosHash, handshake, application },
    };
  }
}

export class ServerHandshake {
  /** M3 and M4 as records. */
  readonly m3: Uint8Array;
  readonly m4: Uint8Array;
  readonly hello: ClientHello;
  readonly #transcript: Transcript;
  readonly #known: Omit<Established, keyof Proof | 'application'>;

  /** @throws ProtocolFault for a hello that is refused. */
  constructor(options: ServerOptions, m1: Uint8Array) {
    const { identity, offer = BOTH, draw = systemRandom, deviation = {}, maxRecord = MAX_RECORD } = options;
    const body = m1.slice(4);
    const hello = decodeClientHello(body);
    this.hello = hello;
    const suite = chooseSuite(hello, offer);
    let early = EMPTY_EARLY;
    if (hello.isJoin) {
      const secret = options.joinSecret?.(hello.joinId);
      if (secret === undefined) throw new ProtocolFault('join id');
      early = earlySecret(secret);
      if (!isEqual(binder(early, body.slice(0, BOUND_LENGTH)), hello.binder)) throw new ProtocolFault('join binder');
    }
    const { ciphertext, halves, shared } = encapsulate(hello.encapsulationKey, draw(64));
    const answer = encodeServerHello({ suite, isJoin: hello.isJoin, random: draw(32), ciphertext });
    this.m3 = clearRecord(deviation.hello?.(answer) ?? answer);
    const transcript = hellosTranscript(m1, this.m3);
    const hellosHash = transcript.hash;
    const handshake = handshakeSecrets(early, shared, hellosHash);

    const unixTime = options.unixTime ?? Math.floor(Date.now() / 1000);
    const parameters = { maxRecord, unixTime, sessionId: draw(16) };
    const encoded = encodeParameters(parameters);
    const first = { type: MESSAGES.server.parameters, value: deviation.parameters?.(encoded) ?? encoded };
    transcript.add(encodeMessage(first));
    const stage = { side: 'server' as Side, secret: handshake.server, transcript };
    const messages = [first, ...prove(stage, hello.isJoin ? undefined : identity, deviation, options.rotation)];
    this.m4 = sealFlight(suite, handshake.server, messages, deviation);
    this.#transcript = transcript;
    this.#known = { suite, parameters, halves, shared, early, hellosHash, handshake };
  }

  /** @throws ProtocolFault for whatever the client must not say. */
  finish(m5: Uint8Array): Established {
    const { suite, handshake } = this.#known;
    const messages = openFlight(suite, handshake.client, m5);
    const stage = { side: 'client' as Side, secret: handshake.client, transcript: this.#transcript };
    const proof = check(stage, messages, this.hello.isJoin);
    return { ...this.#known, ...proof, application: applicationSecrets(handshake.master, this.#transcript.hash) };
  }
}
