/** Searches the memory of a child process of this one (Linux). */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const CHUNK = 1 << 22;

/**
 * How often each secret stands in the writable memory of a process. Reading needs the right to trace the process: root,
 * or the process's parent.
 *
 * @param needles at least 16 bytes each
 */
export function occurrences(pid: number, needles: Readonly<Record<string, Uint8Array>>): Record<string, number> {
  const found = Object.fromEntries(Object.keys(needles).map((name) => [name, 0]));
  const overlap = Math.max(...Object.values(needles).map(({ length }) => length)) - 1;
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  let searched = 0;
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
      if (match === null) continue;
      const end = Number.parseInt(match[2] ?? '', 16);
      for (let at = Number.parseInt(match[1] ?? '', 16); at < end; at += CHUNK) {
        const piece = Buffer.alloc(Math.min(CHUNK + overlap, end - at));
        let length: number;
        try {
          length = readSync(memory, piece, 0, piece.length, at);
        } catch {
          // A mapping of a device, or one that has just gone.
          continue;
        }
        searched += length;
        for (const [name, needle] of Object.entries(needles)) {
          found[name] = (found[name] ?? 0) + count(piece.subarray(0, length), needle, CHUNK);
        }
      }
    }
  } finally {
    closeSync(memory);
  }
  if (searched < 1 << 20) throw new Error(`only ${searched} bytes of the process could be read`);
  return found;
}

/** Occurrences that begin in the first `limit` bytes: what lies in the overlap counts for the next piece. */
function count(haystack: Buffer, needle: Uint8Array, limit: number): number {
  let total = 0;
  for (let at = haystack.indexOf(needle); at >= 0 && at < limit; at = haystack.indexOf(needle, at + 1)) total += 1;
  return total;
}
