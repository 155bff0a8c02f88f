/** Protected records: `docs/PROTOCOL.md` §1 and §6. */
import { gcm } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { concat, Fields, ProtocolFault, uint } from './byte-fields.js';
import { trafficIv, trafficKey, updatedSecret } from './key-schedule.js';

/** 1 AES-256-GCM, 2 ChaCha20-Poly1305. */
export type Suite = 1 | 2;

export const KIND = { clear: 0x51, protected: 0x52, refusal: 0x53 } as const;
export const TYPE = {
  control: 1,
  data: 2,
  end: 3,
  abort: 4,
  stop: 5,
  keyUpdate: 6,
  close: 7,
  handshake: 0x20,
} as const;

export const INNER_HEAD = 8;
export const TAG = 16;
export const MAX_PAD = 4096;
export const MAX_CONTENT = 262_144;
export const MAX_CONTROL = 16_384;
export const MAX_RECORD = INNER_HEAD + MAX_CONTENT + MAX_PAD + TAG;
export const MIN_RECORD_LIMIT = 20_504;

/** The inner part of a record, without padding. */
export interface Inner {
  type: number;
  flags: number;
  stream: number;
  content: Uint8Array;
}

export const recordHeader = (kind: number, length: number): Uint8Array => concat(Uint8Array.of(kind), uint(length, 3));

export const clearRecord = (body: Uint8Array): Uint8Array => concat(recordHeader(KIND.clear, body.length), body);

export function encodeInner({ type, flags, stream, content }: Inner, pad: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(type, flags), uint(pad.length, 2), uint(stream, 4), content, pad);
}

/** Checks what holds for every record: padding in range and zero, content in range. */
export function decodeInner(inner: Uint8Array): Inner & { padLength: number } {
  const fields = new Fields(inner);
  const [type, flags, padLength, stream] = [fields.uint(1), fields.uint(1), fields.uint(2), fields.uint(4)];
  if (padLength > MAX_PAD || padLength > fields.left) throw new ProtocolFault('padding out of range');
  const content = fields.take(fields.left - padLength);
  fields.zero(padLength);
  if (content.length > MAX_CONTENT) throw new ProtocolFault('content too long');
  return { type, flags, stream, content, padLength };
}

/** The length that an inner part of `length` bytes is padded to, for every type but Data. */
export function bucket(length: number): number {
  if (length <= 64) return 64;
  const e = Math.floor(Math.log2(length));
  const s = Math.floor(Math.log2(e)) + 1;
  const step = Math.min(2 ** (e - s), 4096);
  return Math.ceil(length / step) * step;
}

/** The keys of one direction, one after another. */
export class DirectionKeys {
  readonly suite: Suite;
  secret: Uint8Array;
  seq = 0;
  #key: Uint8Array;
  #iv: Uint8Array;

  constructor(suite: Suite, secret: Uint8Array) {
    this.suite = suite;
    this.secret = secret;
    this.#key = trafficKey(secret);
    this.#iv = trafficIv(secret);
  }

  /** Goes on to the next key. */
  update(): void {
    this.secret = updatedSecret(this.secret);
    this.#key = trafficKey(this.secret);
    this.#iv = trafficIv(this.secret);
    this.seq = 0;
  }

  /** The next record around `inner`. */
  seal(inner: Uint8Array): Uint8Array {
    const header = recordHeader(KIND.protected, inner.length + TAG);
    return concat(header, this.#cipher(header).encrypt(inner));
  }

  /** The inner part of the next record. */
  open(record: Uint8Array): Uint8Array {
    const header = record.slice(0, 4);
    const cipher = this.#cipher(header);
    try {
      return cipher.decrypt(record.slice(4));
    } catch {
      throw new ProtocolFault('a record does not authenticate');
    }
  }

  #cipher(header: Uint8Array): ReturnType<typeof gcm> {
    const seq = concat(new Uint8Array(4), uint(this.seq, 8));
    this.seq += 1;
    const nonce = this.#iv.map((byte, at) => byte ^ (seq[at] ?? 0));
    return this.suite === 1 ? gcm(this.#key, nonce, header) : chacha20poly1305(this.#key, nonce, header);
  }
}

/** The sending direction of a session. */
export class Sealer {
  readonly keys: DirectionKeys;

  constructor(suite: Suite, secret: Uint8Array) {
    this.keys = new DirectionKeys(suite, secret);
  }

  /** @param padLength for Data; the others go up to their bucket unless it is given. */
  seal(inner: Inner, padLength?: number): Uint8Array {
    const length = INNER_HEAD + inner.content.length;
    const pad = padLength ?? (inner.type === TYPE.data ? 0 : bucket(length) - length);
    const record = this.keys.seal(encodeInner(inner, new Uint8Array(pad)));
    if (inner.type === TYPE.keyUpdate) this.keys.update();
    return record;
  }
}

/** What is fixed for each type: the length of its content, and whether stream and flags must be 0. */
const RULES: ReadonlyMap<number, { min: number; max: number; isStream: boolean }> = new Map([
  [TYPE.control, { min: 1, max: MAX_CONTROL, isStream: false }],
  [TYPE.data, { min: 0, max: MAX_CONTENT, isStream: true }],
  [TYPE.end, { min: 40, max: 40, isStream: true }],
  [TYPE.abort, { min: 2, max: 2, isStream: true }],
  [TYPE.stop, { min: 2, max: 2, isStream: true }],
  [TYPE.keyUpdate, { min: 0, max: 0, isStream: false }],
  [TYPE.close, { min: 2, max: 2, isStream: false }],
]);

/** The receiving direction of a session. Version 1 defines no flags: all records have 0. */
export class Opener {
  readonly keys: DirectionKeys;
  isClosed = false;

  constructor(suite: Suite, secret: Uint8Array) {
    this.keys = new DirectionKeys(suite, secret);
  }

  open(record: Uint8Array): Inner & { padLength: number } {
    if (this.isClosed) throw new ProtocolFault('a record after Close');
    const inner = decodeInner(this.keys.open(record));
    const rule = RULES.get(inner.type);
    if (rule === undefined) throw new ProtocolFault(`record type ${inner.type}`);
    if (inner.content.length < rule.min || inner.content.length > rule.max) throw new ProtocolFault('content length');
    if (inner.flags !== 0 || (inner.stream !== 0) !== rule.isStream) throw new ProtocolFault('flags or stream');
    if (inner.type === TYPE.keyUpdate) this.keys.update();
    if (inner.type === TYPE.close) this.isClosed = true;
    return inner;
  }
}
