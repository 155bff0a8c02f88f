/**
 * The lines of the protocol, as text: `VERB|field|field`. Nothing about them is protected on the way, so nothing in them
 * is believed before it is checked here.
 */
import { isUtf8 } from 'node:buffer';

/** A command as it came, split into its fields. */
export interface ClassicCommand {
  /** Upper case. */
  readonly verb: string;
  readonly fields: readonly string[];
}

// What the old server takes off at both ends: the white space of Unicode and four separators, but no byte order mark.
const space = String.raw`[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+`;
const ends = new RegExp(`^${space}|${space}$`, 'g');
// Control characters, which no name needs, and what separates names and directories anywhere.
// oxlint-disable-next-line no-control-regex
const notPlain = /[\u0000-\u001f\u007f-\u009f/\\|\u2028\u2029]/;

/** Reads a command line; `null` when it is not UTF-8. */
export function readCommand(line: Buffer): ClassicCommand | null {
  if (!isUtf8(line)) return null;
  const [verb = '', ...fields] = line.toString('utf8').replace(ends, '').split('|');
  return { verb: verb.toUpperCase(), fields };
}

/**
 * Reads the size of a piece, written as the old server's language writes whole numbers: a sign, underscores between
 * digits and white space around are allowed. `null` for anything else. Beyond 2^53 the number is not exact any more, and
 * larger than any limit.
 */
export function readSize(field: string): number | null {
  const text = field.replace(ends, '');
  return /^[+-]?\d+(?:_\d+)*$/.test(text) ? Number(text.replaceAll('_', '')) : null;
}

/** Whether a name is one that can be stored: no path, no control characters, neither `.` nor `..`, not empty. */
export function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !notPlain.test(name);
}

/** Whether a field that is no plain name stands for the directory itself, which every command answers in its own way. */
export function isOwnDirectory(name: string): boolean {
  return name === '' || name === '.';
}

/** A status line with its end. */
export function statusLine(status: number, text: string): Buffer {
  return Buffer.from(`${status}|${text}\n`, 'utf8');
}
