/**
 * Entries of a listing as they come off the wire. The body of a LIST reply is a sequence of pages, which the native layer
 * writes (`crates/core/src/listing.rs`). A page is a CBOR array of entries `[name bytes, type 'f' | 'd' | 'l' | 'o', size,
 * mtime in ms, mode]`. In a recursive listing the name is a path from the listed directory, and reports `[path bytes,
 * code, text]` of directories that could not be read stand among the entries (docs/PROTOCOL.md §7.5).
 */
import { E2eeftpError } from '../errors.js';
import { decodeValue } from './control-codec.js';
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
  /** One component; in a recursive listing a path from the listed directory. */
  readonly name: Buffer;
  readonly type: EntryType;
  readonly size: number;
  readonly modifiedMs: number;
  readonly mode: number;
}

/** A directory of a recursive listing that could not be read, or not to its end. */
export interface WireReport {
  /** Path from the listed directory; empty for that one itself. */
  readonly unreadable: Buffer;
  readonly code: string;
  /** For people; as the server sent it. */
  readonly text: string;
}

/** What a page holds. */
export type WireItem = WireEntry | WireReport;

const MAX_PATH_LENGTH = 4096;
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

/** Reads one item of a page; throws `E2EEFTP_PROTOCOL` for what is none. */
export type ReadItem<T> = (item: ControlValue) => T;

/** Puts pages together from the pieces in which a body arrives. Keeps at most one page. */
export class PageReader<T> {
  readonly #readItem: ReadItem<T>;
  #rest: Buffer = Buffer.alloc(0);

  /** @param readItem {@link readEntry}, or for a recursive listing {@link readTreeItem}. */
  constructor(readItem: ReadItem<T>) {
    this.#readItem = readItem;
  }

  /**
   * Takes the next piece of the body and yields the items of every page that it completes.
   *
   * @throws E2eeftpError `E2EEFTP_PROTOCOL` for anything that is no page.
   */
  *push(piece: Buffer): Generator<T> {
    this.#rest = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    for (;;) {
      const length = itemLength(this.#rest);
      if (length === null || length > this.#rest.length) break;
      const page = this.#rest.subarray(0, length);
      this.#rest = this.#rest.subarray(length);
      yield* decodePage(page).map(this.#readItem);
    }
    if (this.#rest.length > MAX_LIST_PAGE_LENGTH) throw broken('a page is too long');
  }

  /** To be called at the end of the body: throws `E2EEFTP_PROTOCOL` when a page was begun and not finished. */
  end(): void {
    if (this.#rest.length > 0) throw broken('the last page is cut short');
  }
}

function decodePage(bytes: Buffer): readonly ControlValue[] {
  let page: ControlValue;
  try {
    page = decodeValue(bytes);
  } catch (error) {
    throw broken('a page is not well-formed', error);
  }
  if (!Array.isArray(page)) throw broken('a page is not a list');
  return page as readonly ControlValue[];
}

/** An entry whose name is one component. */
export function readEntry(item: ControlValue): WireEntry {
  return decodeEntry(membersOf(item), (name) => isName(latin1(name)));
}

/** An entry whose name is a path, or a report. */
export function readTreeItem(item: ControlValue): WireItem {
  const members = membersOf(item);
  return members.length === 3 ? decodeReport(members) : decodeEntry(members, isPath);
}

function membersOf(item: ControlValue): readonly ControlValue[] {
  return Array.isArray(item) ? (item as readonly ControlValue[]) : [];
}

function decodeEntry(
  [name, letter, size, modifiedMs, mode]: readonly ControlValue[],
  isGoodName: (name: Uint8Array) => boolean,
): WireEntry {
  const type = typeOfLetter(letter);
  if (
    !(name instanceof Uint8Array) ||
    !isGoodName(name) ||
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
}

function decodeReport([path, code, text]: readonly ControlValue[]): WireReport {
  if (!(path instanceof Uint8Array && (path.length === 0 || isPath(path)))) throw broken('a report is malformed');
  if (typeof code !== 'string' || typeof text !== 'string') throw broken('a report is malformed');
  return { unreadable: Buffer.from(path), code, text };
}

/** A server must not make a client leave the directory that it asked for. */
function isName(text: string): boolean {
  return text !== '' && text !== '.' && text !== '..' && !/[/\0]/.test(text);
}

function isPath(path: Uint8Array): boolean {
  return path.length <= MAX_PATH_LENGTH && latin1(path).split('/').every(isName);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
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
