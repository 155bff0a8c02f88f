// Random numbers that repeat with their seed, and file contents that are made of them.

import { createCipheriv, createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';

const PIECE_LEN = 2 ** 20;

/** A sequence of numbers (mulberry32): the same one for the same seed. */
export class Random {
  #state;

  /** @param {string} seed any text */
  constructor(seed) {
    this.#state = createHash('sha256').update(seed).digest().readUInt32LE();
  }

  /** @returns {number} from 0 up to, not including, 1 */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let number = this.#state;
    number = Math.imul(number ^ (number >>> 15), number | 1);
    number ^= number + Math.imul(number ^ (number >>> 7), number | 61);
    return ((number ^ (number >>> 14)) >>> 0) / 2 ** 32;
  }

  /** @param {number} least @param {number} most @returns {number} a whole number, both included */
  between(least, most) {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** @param {number} share */
  chance(share) {
    return this.next() < share;
  }

  /** @template T @param {readonly T[]} list not empty @returns {T} */
  pick(list) {
    return list[Math.floor(this.next() * list.length)];
  }

  /**
   * @template T
   * @param {readonly (readonly [T, number])[]} choices with their weights
   * @returns {T}
   */
  weighted(choices) {
    let left = this.next() * choices.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [choice, weight] of choices) {
      left -= weight;
      if (left < 0) return choice;
    }
    return choices[choices.length - 1][0];
  }
}

/**
 * Writes a file whose content follows from `seed` and looks random.
 *
 * @param {string} path is replaced
 * @param {number} size bytes
 * @param {string} seed
 * @returns {string} SHA-256 of the content in hex
 */
export function writeContent(path, size, seed) {
  const key = createHash('sha256').update(seed).digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const hash = createHash('sha256');
  const zeros = Buffer.alloc(Math.min(PIECE_LEN, size));
  const file = openSync(path, 'w');
  try {
    for (let left = size; left > 0; left -= PIECE_LEN) {
      const piece = stream.update(zeros.subarray(0, Math.min(left, PIECE_LEN)));
      hash.update(piece);
      for (let done = 0; done < piece.length;) done += writeSync(file, piece, done);
    }
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}
