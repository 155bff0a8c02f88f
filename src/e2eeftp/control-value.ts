/**
 * The values that a control message may hold, and typed access to the members of a message that a peer sent.
 */
import { E2eeftpError } from '../errors.js';

/** A value that survives the trip: CBOR without tags, `undefined`, bigints, NaN or infinities. */
export type ControlValue =
  null | boolean | number | string | Uint8Array | readonly ControlValue[] | { readonly [key: string]: ControlValue };

/** A message, or the arguments of one: an object without prototype when it comes from a peer. */
export type ControlMap = { readonly [key: string]: ControlValue };

/** Reads typed members of a peer's message; each method throws `E2EEFTP_BAD_REQUEST` for a member of another type. */
export class ControlReader {
  readonly #map: ControlMap;

  constructor(map: ControlMap) {
    this.#map = map;
  }

  /** A byte string that must be there. */
  bytes(name: string): Buffer {
    const value = this.#get(name);
    if (!(value instanceof Uint8Array)) throw malformed(name);
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }

  /** A byte string; `null` when it is left out. */
  optionalBytes(name: string): Buffer | null {
    return this.#get(name) === undefined ? null : this.bytes(name);
  }

  /** A text that must be there. */
  text(name: string): string {
    const value = this.#get(name);
    if (typeof value !== 'string') throw malformed(name);
    return value;
  }

  /** A boolean; `fallback` when it is left out. */
  boolean(name: string, fallback: boolean): boolean {
    const value = this.#get(name) ?? fallback;
    if (typeof value !== 'boolean') throw malformed(name);
    return value;
  }

  /** A whole number from 0 to `max`; `null` when it is left out. */
  count(name: string, max: number = Number.MAX_SAFE_INTEGER): number | null {
    const value = this.#get(name) ?? null;
    if (value === null) return null;
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) throw malformed(name);
    return value;
  }

  /** A time in milliseconds since 1970, with fractions, between the years -271821 and 275760; `null` when left out. */
  time(name: string): number | null {
    const value = this.#get(name) ?? null;
    if (value === null) return null;
    if (typeof value !== 'number' || !(Math.abs(value) <= 8.64e15)) throw malformed(name);
    return value;
  }

  /** One of `choices`; the first of them when left out. */
  choice<T extends string>(name: string, choices: readonly [T, ...T[]]): T {
    const value = this.#get(name) ?? choices[0];
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw malformed(name);
    return found;
  }

  #get(name: string): ControlValue | undefined {
    return Object.hasOwn(this.#map, name) ? this.#map[name] : undefined;
  }
}

function malformed(name: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_BAD_REQUEST', `Malformed request: ${name} is missing or of the wrong type`);
}
