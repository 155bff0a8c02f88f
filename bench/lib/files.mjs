/** The files that are transferred: made once, compared in the warm-up round. */
import crypto from 'node:crypto';
import fs from 'node:fs';

const CHUNK = 1 << 20;
const PATTERN_CHUNKS = 16;
/** Data of a file with islands: so many bytes in each piece of that length. */
const ISLAND = 512 << 10;
const ISLAND_EVERY = 5 << 20;

/** SHA-256 of sources by the identity of an unchanged file. */
const digests = new Map();

/** Writes a file of `bytes` random-looking bytes of which no two MiB are equal. */
export function makeRandomFile(file, bytes) {
  const pattern = crypto.randomBytes(PATTERN_CHUNKS * CHUNK);
  const descriptor = fs.openSync(file, 'wx');
  try {
    for (let offset = 0, index = 0; offset < bytes; offset += CHUNK, index++) {
      const start = (index % PATTERN_CHUNKS) * CHUNK;
      const chunk = pattern.subarray(start, start + Math.min(CHUNK, bytes - offset));
      // The index makes equal patterns differ; small files hold at least one byte of it.
      chunk.writeUIntLE(index, 0, Math.min(6, chunk.length));
      writeAll(descriptor, chunk);
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

function writeAll(descriptor, chunk) {
  for (let done = 0; done < chunk.length;) done += fs.writeSync(descriptor, chunk, done);
}

/** Makes a file of `bytes` zero bytes whose room is allocated, unless it is there. */
export function makeAllocatedFile(file, bytes) {
  if (fs.existsSync(file)) return;
  const descriptor = fs.openSync(file, 'wx');
  const zeros = Buffer.alloc(CHUNK);
  try {
    for (let left = bytes; left > 0; left -= CHUNK) {
      writeAll(descriptor, zeros.subarray(0, Math.min(CHUNK, left)));
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * Makes a file of `bytes` bytes of which a tenth is random data, in islands; the rest are holes, which
 * read as zeros and take no room.
 *
 * @returns {number} bytes of data
 */
export function makeIslandFile(file, bytes) {
  fs.writeFileSync(file, '', { flag: 'wx' });
  fs.truncateSync(file, bytes);
  const descriptor = fs.openSync(file, 'r+');
  const island = crypto.randomBytes(ISLAND);
  let written = 0;
  try {
    for (let offset = 0, index = 0; offset + ISLAND <= bytes; offset += ISLAND_EVERY, index++) {
      // The index makes islands differ.
      island.writeUIntLE(index, 0, 6);
      written += fs.writeSync(descriptor, island, 0, ISLAND, offset);
    }
  } finally {
    fs.closeSync(descriptor);
  }
  return written;
}

/** Changes the byte at `offset` of a file. */
export function changeByte(file, offset) {
  const descriptor = fs.openSync(file, 'r+');
  const byte = Buffer.alloc(1);
  try {
    fs.readSync(descriptor, byte, 0, 1, offset);
    byte[0] ^= 0x55;
    fs.writeSync(descriptor, byte, 0, 1, offset);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Makes a file of `bytes` zero bytes that takes no room. */
export function makeSparseFile(file, bytes) {
  fs.writeFileSync(file, '', { flag: 'wx' });
  fs.truncateSync(file, bytes);
}

/** @throws {Error} when two files do not hold the same bytes */
export function assertSameContent(expected, actual) {
  assertSize(actual, fs.statSync(expected).size);
  const { ino, ctimeNs } = fs.statSync(expected, { bigint: true });
  const identity = `${expected} ${ino} ${ctimeNs}`;
  if (!digests.has(identity)) digests.set(identity, digest(expected));
  if (digests.get(identity) !== digest(actual)) throw new Error('the copy differs from its source');
}

/** @throws {Error} when a file does not have this length */
export function assertSize(file, bytes) {
  const { size } = fs.statSync(file);
  if (size !== bytes) throw new Error(`the copy has ${size} bytes instead of ${bytes}`);
}

function digest(file) {
  const hash = crypto.createHash('sha256');
  const descriptor = fs.openSync(file, 'r');
  const chunk = Buffer.alloc(CHUNK);
  try {
    for (let read; (read = fs.readSync(descriptor, chunk)) > 0;) hash.update(chunk.subarray(0, read));
  } finally {
    fs.closeSync(descriptor);
  }
  return hash.digest('hex');
}

/** @throws {Error} when a file system has less than `bytes` free */
export function assertRoom(folder, bytes) {
  const { bavail, bsize } = fs.statfsSync(folder);
  if (bavail * bsize < bytes) {
    const gigabytes = (bytes / 1e9).toFixed(1);
    throw new Error(`${folder} has less than the ${gigabytes} GB that this needs`);
  }
}
