/** The key schedule of `docs/PROTOCOL.md` §5. Secrets have 48 bytes. */
import { expand as hkdfExpand, extract as hkdfExtract } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha384 } from '@noble/hashes/sha2.js';
import { concat, lv8, text, uint } from './byte-fields.js';

export const SECRET_LENGTH = 48;
const ZERO = new Uint8Array(SECRET_LENGTH);
const EMPTY = new Uint8Array();
const EMPTY_HASH = sha384(EMPTY);

export const extract = (salt: Uint8Array, input: Uint8Array): Uint8Array => hkdfExtract(sha384, input, salt);

/** `Exp(S, L, C, n)`. */
export function exp(
  secret: Uint8Array,
  label: string,
  context: Uint8Array = EMPTY,
  length = SECRET_LENGTH,
): Uint8Array {
  const info = concat(uint(length, 2), lv8(text(`e2eeftp/1 ${label}`)), lv8(context));
  return hkdfExpand(sha384, secret, info, length);
}

const derived = (secret: Uint8Array): Uint8Array => exp(secret, 'derived', EMPTY_HASH);

/** `TH`: the hash over the two records in clear and the sealed messages. */
export class Transcript {
  readonly #hash = sha384.create().update(text('e2eeftp/1\0'));

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  get hash(): Uint8Array {
    return this.#hash.clone().digest();
  }
}

/** `ES`. @param joinSecret in a join. */
export const earlySecret = (joinSecret: Uint8Array = ZERO): Uint8Array => extract(ZERO, joinSecret);

export const binderKey = (early: Uint8Array): Uint8Array => exp(early, 'join binder', EMPTY_HASH);

/** @param front the body of M1 up to the binder, 1288 bytes. */
export const binder = (early: Uint8Array, front: Uint8Array): Uint8Array =>
  hmac(sha384, binderKey(early), sha384(front));

export interface HandshakeSecrets {
  handshake: Uint8Array;
  client: Uint8Array;
  server: Uint8Array;
  master: Uint8Array;
}

/** `HS`, `c hs`, `s hs`, `MS`. @param hash TH(through M3). */
export function handshakeSecrets(early: Uint8Array, shared: Uint8Array, hash: Uint8Array): HandshakeSecrets {
  const handshake = extract(derived(early), shared);
  return {
    handshake,
    client: exp(handshake, 'c hs', hash),
    server: exp(handshake, 's hs', hash),
    master: extract(derived(handshake), ZERO),
  };
}

export interface ApplicationSecrets {
  client: Uint8Array;
  server: Uint8Array;
  exporter: Uint8Array;
  resumption: Uint8Array;
}

/** @param hash TH(through FIN 10). */
export function applicationSecrets(master: Uint8Array, hash: Uint8Array): ApplicationSecrets {
  return {
    client: exp(master, 'c ap', hash),
    server: exp(master, 's ap', hash),
    exporter: exp(master, 'exp master', hash),
    resumption: exp(master, 'res master', hash),
  };
}

export const trafficKey = (secret: Uint8Array): Uint8Array => exp(secret, 'key', EMPTY, 32);
export const trafficIv = (secret: Uint8Array): Uint8Array => exp(secret, 'iv', EMPTY, 12);
export const updatedSecret = (secret: Uint8Array): Uint8Array => exp(secret, 'upd');
export const finishedKey = (secret: Uint8Array): Uint8Array => exp(secret, 'finished');

/** @param secret of the handshake, of the side whose code it is. */
export const finished = (secret: Uint8Array, hash: Uint8Array): Uint8Array => hmac(sha384, finishedKey(secret), hash);

/** `Export(label, context, n)`. */
export const exported = (exporter: Uint8Array, label: string, context: Uint8Array, length: number): Uint8Array =>
  exp(exp(exporter, label, EMPTY_HASH), 'exporter', sha384(context), length);

export const joinSecret = (resumption: Uint8Array, joinId: Uint8Array): Uint8Array => exp(resumption, 'join', joinId);
