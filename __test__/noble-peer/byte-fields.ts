/** Numbers, length prefixes and strict reading: the encodings that `docs/PROTOCOL.md` and SSH build their messages of. */

/** The other side said something that the page does not allow. */
export class ProtocolFault extends Error {
  override readonly name: string = 'ProtocolFault';
}

/** A big-endian number of `length` bytes. */
export function uint(value: number | bigint, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let rest = BigInt(value);
  for (let at = length - 1; at >= 0; at -= 1) {
    out[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  if (rest !== 0n) throw new RangeError(`${value} does not fit into ${length} bytes`);
  return out;
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const fromHex = (value: string): Uint8Array => new Uint8Array(Buffer.from(value, 'hex'));
export const isEqual = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
export const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** A length of one or two bytes in front. */
export const lv8 = (bytes: Uint8Array): Uint8Array => concat(uint(bytes.length, 1), bytes);
export const lv16 = (bytes: Uint8Array): Uint8Array => concat(uint(bytes.length, 2), bytes);

/** A `string` of SSH (RFC 4251 §5). */
export const sshString = (bytes: Uint8Array): Uint8Array => concat(uint(bytes.length, 4), bytes);

/** Reads from front to back; whatever is missing, or left over at the {@link end}, is a fault. */
export class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw new ProtocolFault(`${length} bytes expected, ${this.left} left`);
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  uint(length: number): number {
    return Number(BigInt(`0x${hex(this.take(length))}`));
  }

  lv16(): Uint8Array {
    return this.take(this.uint(2));
  }

  sshString(): Uint8Array {
    return this.take(this.uint(4));
  }

  /** Takes bytes that must be zero. */
  zero(length: number): void {
    if (!isZero(this.take(length))) throw new ProtocolFault('reserved bytes are not zero');
  }

  end(): void {
    if (this.left !== 0) throw new ProtocolFault(`${this.left} bytes too many`);
  }
}
