/**
 * Control messages: CBOR maps with text keys, at most 16 KiB, at most 8 levels deep, in the shortest encoding.
 *
 * Decoding accepts only what encoding produces: no tags, no indefinite lengths, no `undefined`, no numbers outside
 * ±(2^53 - 1) or not finite, no repeated keys, no text that is not UTF-8, nothing after the map.
 */
import { isUtf8 } from 'node:buffer';
import { Tokenizer, decode, encode } from 'cborg';
import type { DecodeOptions, Token } from 'cborg';
import { E2eeftpError } from '../errors.js';
import type { ControlMap, ControlValue } from './control-value.js';

/** Largest control message in bytes. */
export const MAX_CONTROL_LENGTH: number = 16 * 1024;
/** Deepest nesting: a map of scalars has depth 1. */
export const MAX_CONTROL_DEPTH = 8;

const strict: DecodeOptions = {
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  strict: true,
  rejectDuplicateMapKeys: true,
  retainStringBytes: true,
};

/**
 * Encodes a message. Members that are `undefined` are left out.
 *
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` for a value that can't travel, or a message that is too long or deep.
 */
export function encodeControl(message: { readonly [key: string]: ControlValue | undefined }): Buffer {
  const bytes = encodeBounded(message, 1);
  if (bytes.length > MAX_CONTROL_LENGTH) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `a control message has at most ${MAX_CONTROL_LENGTH} bytes`);
  }
  return bytes;
}

/** Encodes any one value under the rules of control messages, without the limit on length. */
export function encodeValue(value: ControlValue): Buffer {
  return encodeBounded(value, 1);
}

/**
 * Decodes a message from a peer.
 *
 * @throws E2eeftpError `E2EEFTP_BAD_REQUEST` for anything but one well-formed map.
 */
export function decodeControl(bytes: Uint8Array): ControlMap {
  if (bytes.length > MAX_CONTROL_LENGTH) throw malformed('the message is too long');
  const value = decodeValue(bytes);
  if (!isMap(value)) throw malformed('the message is not a map');
  return value;
}

/** Decodes any one value under the rules of control messages, without the limit on length. */
export function decodeValue(bytes: Uint8Array): ControlValue {
  try {
    return bare(decode(bytes, { ...strict, tokenizer: new BoundedTokenizer(bytes, strict) }));
  } catch (error) {
    if (E2eeftpError.is(error)) throw error;
    throw malformed('the message is not well-formed CBOR', error);
  }
}

/** Counts open maps and arrays, so that a hostile message ends before the decoder's recursion goes deep. */
class BoundedTokenizer extends Tokenizer {
  readonly #open: number[] = [];

  override next(): Token {
    const token = super.next();
    const { type, value, byteValue } = token as { type: Token['type']; value: unknown; byteValue?: Uint8Array };
    if (type.name === 'string' && byteValue !== undefined) checkText(byteValue, String(value));
    const last = this.#open.length - 1;
    if (last >= 0) this.#open[last] = (this.#open[last] ?? 0) - 1;
    if (type.name === 'array' || type.name === 'map') {
      this.#open.push(Number(value) * (type.name === 'map' ? 2 : 1));
      if (this.#open.length > MAX_CONTROL_DEPTH) throw malformed('the message is nested too deep');
    }
    while (this.#open.at(-1) === 0) this.#open.pop();
    return token;
  }
}

function checkText(bytes: Uint8Array, text: string): void {
  // The decoder replaces bad bytes and drops a byte order mark: either way the lengths differ, or the bytes are bad.
  if (!isUtf8(bytes) || Buffer.byteLength(text) !== bytes.length) throw malformed('a text is not UTF-8');
}

function encodeBounded(value: unknown, depth: number): Buffer {
  checkEncodable(value, depth);
  const bytes = encode(value, { ignoreUndefinedProperties: true });
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checkEncodable(value: unknown, depth: number): void {
  if (typeof value === 'boolean') return;
  if (typeof value === 'string') {
    if (/\p{Cs}/u.test(value)) throw unencodable('a text with a lone surrogate');
    return;
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw unencodable(String(value));
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw unencodable('a number above 2^53 - 1');
    return;
  }
  if (typeof value !== 'object') throw unencodable(`a value of type ${typeof value}`);
  if (value === null || value instanceof Uint8Array) return;
  if (depth > MAX_CONTROL_DEPTH) throw unencodable('nesting this deep');
  if (Array.isArray(value)) {
    for (const item of value) checkEncodable(item, depth + 1);
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw unencodable('an object that is not a plain one');
  for (const [key, item] of Object.entries(value)) {
    checkEncodable(key, depth);
    if (item !== undefined) checkEncodable(item, depth + 1);
  }
}

/** Copies maps into objects without prototype, so that a peer's key `toString` can't stand for anything else. */
function bare(value: unknown): ControlValue {
  if (typeof value !== 'object' || value === null) return value as ControlValue;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (Array.isArray(value)) return value.map(bare);
  const copy = Object.create(null) as Record<string, ControlValue>;
  for (const [key, item] of Object.entries(value)) copy[key] = bare(item);
  return copy;
}

function isMap(value: ControlValue): value is ControlMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function malformed(text: string, cause?: unknown): E2eeftpError {
  return new E2eeftpError('E2EEFTP_BAD_REQUEST', `Malformed request: ${text}`, { cause });
}

function unencodable(what: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `${what} can't be part of a control message`);
}
