/** The files that are transferred: made once, compared in the warm-up round. */
import crypto from 'node:crypto';
import fs from 'node:fs';

const CHUNK = 1 << 20;
const PATTERN_CHUNKS = 16;

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

/** Makes a file of `bytes` zero bytes that takes no room. */
export function makeSparseFile(file, bytes) {
  fs.writeFileSync(file, '', { flag: 'wx' });
  fs.truncateSync(file, bytes);
}

/** @throws {Error} when two files do not hold the same bytes */
export function assertSameContent(expected, actual) {
  assertSize(actual, fs.statSync(expected).size);
  if (!digests.has(expected)) digests.set(expected, digest(expected));
  if (digests.get(expected) !== digest(actual)) throw new Error('the copy differs from its source');
}

/** @throws {Error} when a file does not have this length */
export function assertSize(file, bytes) {
  const { size } = fs.statSync(file);
  if (size !== bytes) throw new Error(`the copy has ${size} bytes instead of ${bytes}`);
}

/** SHA-256 of the sources: these do not change while the bench runs. */
const digests = new Map();

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
