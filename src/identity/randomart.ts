/**
 * A fingerprint as a picture, the one that `ssh-keygen -lv` draws: the eye notices a difference that it would miss in 43
 * characters of base64. The way of a bishop over a board of 17 by 9 fields, steered by the bits of the hash.
 */
import { Buffer } from 'node:buffer';

const WIDTH = 17;
const HEIGHT = 9;
/** What a field shows by how often it was entered; the last two mark start and end. */
const MARKS = ' .o+=*BOX@%&#/^SE';

/**
 * The lines of the picture, without line breaks at the end.
 *
 * @param fingerprint `SHA256:…`
 * @param kind how the key's algorithm is named in the frame, such as `ED25519`
 */
export function randomart(fingerprint: string, kind = 'ED25519'): readonly string[] {
  const hash = Buffer.from(fingerprint.replace(/^SHA256:/, ''), 'base64');
  const visits = new Uint8Array(WIDTH * HEIGHT);
  let x = WIDTH >> 1;
  let y = HEIGHT >> 1;
  for (const byte of hash) {
    for (let shift = 0; shift < 8; shift += 2) {
      x = clamp(x + (((byte >> shift) & 1) === 1 ? 1 : -1), WIDTH);
      y = clamp(y + (((byte >> shift) & 2) === 2 ? 1 : -1), HEIGHT);
      const at = y * WIDTH + x;
      // The two marks at the end are not reached by counting.
      visits[at] = Math.min((visits[at] ?? 0) + 1, MARKS.length - 3);
    }
  }
  visits[(HEIGHT >> 1) * WIDTH + (WIDTH >> 1)] = MARKS.length - 2;
  visits[y * WIDTH + x] = MARKS.length - 1;
  const rows = Array.from({ length: HEIGHT }, (_, row) =>
    Array.from(visits.subarray(row * WIDTH, (row + 1) * WIDTH), (count) => MARKS[count]).join(''),
  );
  return [frame(`[${kind} 256]`), ...rows.map((row) => `|${row}|`), frame('[SHA256]')];
}

function clamp(value: number, size: number): number {
  return Math.max(0, Math.min(size - 1, value));
}

function frame(title: string): string {
  const left = (WIDTH - title.length) >> 1;
  return `+${'-'.repeat(left)}${title}${'-'.repeat(WIDTH - left - title.length)}+`;
}
