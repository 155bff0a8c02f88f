/**
 * Paths as text, without loss.
 *
 * A path on the wire and on a Unix disk is a string of bytes. As a JavaScript string it is decoded as UTF-8; a byte
 * that is not part of valid UTF-8 becomes the lone surrogate U+DC00 + byte (U+DC80 to U+DCFF), as Python's
 * `surrogateescape` does. Any byte string survives `pathToBytes(pathFromBytes(bytes))` unchanged.
 */
import { isUtf8 } from 'node:buffer';
import { E2eeftpError } from '../errors.js';

const ESCAPE_BASE = 0xdc00;
const loneSurrogate = /\p{Cs}/u;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The text form of a path's bytes. Never fails. */
export function pathFromBytes(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return decoder.decode(bytes);
  let text = '';
  let start = 0;
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    text += decoder.decode(bytes.subarray(start, at)) + String.fromCharCode(ESCAPE_BASE + (bytes[at] ?? 0));
    at += 1;
    start = at;
  }
  return text + decoder.decode(bytes.subarray(start));
}

/**
 * The bytes of a path's text form.
 *
 * @throws E2eeftpError `E2EEFTP_BAD_PATH` for a lone surrogate outside U+DC80 to U+DCFF, which stands for nothing.
 */
export function pathToBytes(text: string): Buffer {
  if (!loneSurrogate.test(text)) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  let start = 0;
  for (let at = 0; at < text.length;) {
    const point = text.codePointAt(at) ?? 0;
    if (point < 0xd800 || point > 0xdfff) {
      at += point > 0xffff ? 2 : 1;
      continue;
    }
    if (point < ESCAPE_BASE + 0x80 || point > ESCAPE_BASE + 0xff) {
      throw new E2eeftpError('E2EEFTP_BAD_PATH', 'the path contains a lone surrogate that stands for no byte');
    }
    parts.push(Buffer.from(text.slice(start, at), 'utf8'), Buffer.of(point - ESCAPE_BASE));
    at += 1;
    start = at;
  }
  parts.push(Buffer.from(text.slice(start), 'utf8'));
  return Buffer.concat(parts);
}

/**
 * A remote path in its one form: `/a/b`, counted from the client's root whether it starts with `/` or not; `/` is the
 * root. As the storage reads it, which refuses more.
 *
 * @throws E2eeftpError `E2EEFTP_BAD_PATH` when a component is `..` or there is a NUL character.
 */
export function canonicalPath(path: string): string {
  const components = path.split('/').filter((part) => part !== '' && part !== '.');
  if (components.includes('..') || path.includes('\0')) {
    throw new E2eeftpError('E2EEFTP_BAD_PATH', 'Bad path: a component is .. or holds a NUL byte');
  }
  return `/${components.join('/')}`;
}

/** The last component of a remote path, ignoring slashes at its end; `''` for the root. */
export function remoteBaseName(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  return trimmed.slice(trimmed.lastIndexOf('/') + 1);
}

/** `name` inside `directory`, both in text form. */
export function joinRemote(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

/** Length of the valid UTF-8 sequence that starts at `at`, or 0 if there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const sequence = bytes.subarray(at, at + length);
  return sequence.length === length && isUtf8(sequence) ? length : 0;
}
