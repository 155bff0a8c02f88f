/**
 * Entries of a listing on the wire. The body of a LIST reply is a sequence of pages; a page is a CBOR array of entries,
 * and an entry is the array `[name bytes, type 'f' | 'd' | 'l' | 'o', size, mtime in ms, mode]`.
 */
import { E2eeftpError } from '../errors.js';
import type { NativeEntry, NativeMetadata } from '../native.js';
import { decodeValue, encodeValue } from './control-codec.js';
import type { ControlValue } from './control-value.js';
import { MAX_LIST_PAGE_LENGTH } from './status.js';

/** What kind of thing an entry is. `other` is a device, pipe or socket. */
export type EntryType = 'file' | 'directory' | 'symlink' | 'other';

/** One file, directory or other thing on a server. */
export interface Entry {
  /** From the client's root, starts with `/`. Bytes that are not UTF-8 appear as U+DC80 to U+DCFF. */
  readonly path: string;
  /** Last component of `path`. */
  readonly name: string;
  readonly type: EntryType;
  /** Bytes; 0 for anything but a file. */
  readonly size: number;
  readonly modified: Date;
  /** Unix permission bits, 0 to 0o7777. */
  readonly mode: number;
}

/** An entry as it travels: the name is still bytes. */
export interface WireEntry {
  readonly name: Buffer;
  readonly type: EntryType;
  readonly size: number;
  readonly modifiedMs: number;
  readonly mode: number;
}

const letters = { file: 'f', directory: 'd', symlink: 'l', other: 'o' } as const;
const types: ReadonlyMap<unknown, EntryType> = new Map([
  ['f', 'file'],
  ['d', 'directory'],
  ['l', 'symlink'],
  ['o', 'other'],
]);

/** The one-letter type of a native file type. */
export function typeLetter(fileType: string): string {
  return Object.hasOwn(letters, fileType) ? letters[fileType as EntryType] : 'o';
}

/** The type for a letter; `null` when it is none. */
export function typeOfLetter(letter: unknown): EntryType | null {
  return types.get(letter) ?? null;
}

/** Encodes one page. */
export function encodePage(entries: readonly NativeEntry[]): Buffer {
  return encodeValue(entries.map(({ name, metadata }) => [name, ...metadataMembers(metadata)]));
}

/** Type letter, size, time and mode in wire order. */
function metadataMembers(metadata: NativeMetadata): ControlValue[] {
  const { fileType, size, modifiedMs, mode } = metadata;
  return [typeLetter(fileType), fileType === 'file' ? size : 0, modifiedMs, mode];
}

/** Puts pages together from the pieces in which a body arrives. Keeps at most one page. */
export class PageReader {
  #rest: Buffer = Buffer.alloc(0);

  /**
   * Takes the next piece of the body and yields the entries of every page that it completes.
   *
   * @throws E2eeftpError `E2EEFTP_PROTOCOL` for anything that is no page.
   */
  *push(piece: Buffer): Generator<WireEntry> {
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    for (;;) {
      const length = itemLength(this.#rest);
      if (length === null || length > this.#rest.length) break;
      const page = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      yield* decodePage(page);
    }
    if (this.#rest.length > MAX_LIST_PAGE_LENGTH) throw broken('a page is too long');
  }

  /** To be called at the end of the body: throws `E2EEFTP_PROTOCOL` when a page was begun and not finished. */
  end(): void {
    if (this.#rest.length > 0) throw broken('the last page is cut short');
  }
}

function decodePage(bytes: Buffer): WireEntry[] {
  let page: ControlValue;
  try {
    page = decodeValue(bytes);
  } catch (error) {
    throw broken('a page is not well-formed', error);
  }
  if (!Array.isArray(page)) throw broken('a page is not a list');
  return page.map((item: ControlValue): WireEntry => {
    const [name, letter, size, modifiedMs, mode] = Array.isArray(item) ? (item as ControlValue[]) : [];
    const type = typeOfLetter(letter);
    if (
      !(name instanceof Uint8Array) ||
      !isName(name) ||
      type === null ||
      typeof size !== 'number' ||
      !(Number.isSafeInteger(size) && size >= 0) ||
      typeof modifiedMs !== 'number' ||
      !(Math.abs(modifiedMs) <= 8.64e15) ||
      typeof mode !== 'number' ||
      !(Number.isInteger(mode) && mode >= 0 && mode <= 0o7777)
    ) {
      throw broken('an entry is malformed');
    }
    return { name: Buffer.from(name), type, size, modifiedMs, mode };
  });
}

/** A server must not make a client leave the directory that it asked for. */
function isName(name: Uint8Array): boolean {
  const text = Buffer.from(name).toString('latin1');
  return text !== '' && text !== '.' && text !== '..' && !/[/\0]/.test(text);
}

/**
 * Length of the CBOR item at the start of `bytes`, as far as it can be known: `null` when more bytes are needed. The
 * length may be larger than `bytes`.
 */
function itemLength(bytes: Buffer): number | null {
  let at = 0;
  for (let wanted = 1; wanted > 0; wanted -= 1) {
    const initial = bytes[at];
    if (initial === undefined) return null;
    at += 1;
    const info = initial & 0x1f;
    let argument = info;
    if (info >= 24) {
      const width = 2 ** (info - 24);
      if (info > 27) throw broken('an item has no definite length');
      if (at + width > bytes.length) return null;
      argument = width === 8 ? Number(bytes.readBigUInt64BE(at)) : bytes.readUIntBE(at, width);
      at += width;
    }
    const major = initial >> 5;
    if (major === 2 || major === 3) at += argument;
    else if (major === 4) wanted += argument;
    else if (major === 5) wanted += 2 * argument;
    else if (major === 6) throw broken('an item is tagged');
    if (at > MAX_LIST_PAGE_LENGTH || wanted > MAX_LIST_PAGE_LENGTH) throw broken('a page is too long');
  }
  return at;
}

function broken(text: string, cause?: unknown): E2eeftpError {
  return new E2eeftpError('E2EEFTP_PROTOCOL', `the listing can't be read: ${text}`, { cause });
}
