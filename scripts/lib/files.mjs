// Test files: made fast and incompressible, and hashed independently of the product.

import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

const PIECE_LEN = 4 * 2 ** 20;

/**
 * Writes `size` bytes of an AES-CTR key stream: as fast as the disk, and looks random.
 *
 * @param {string} path must not exist
 * @param {number} size bytes
 * @param {AbortSignal} signal
 */
export async function makeFile(path, size, signal) {
  const stream = createCipheriv('aes-256-ctr', randomBytes(32), randomBytes(16));
  const zeros = Buffer.alloc(PIECE_LEN);
  const file = await open(path, 'wx');
  try {
    for (let left = size; left > 0; left -= PIECE_LEN) {
      signal.throwIfAborted();
      const piece = stream.update(zeros.subarray(0, Math.min(left, PIECE_LEN)));
      await file.writeFile(piece);
    }
  } finally {
    await file.close();
  }
}

/**
 * SHA-256 of a file's bytes.
 *
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<string>} hex
 */
export async function sha256(path, signal) {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: PIECE_LEN, signal })) {
    hash.update(piece);
  }
  return hash.digest('hex');
}
