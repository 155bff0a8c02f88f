/**
 * Reads a small file whole, and nothing but a file: a pipe, a socket or a device in its place is refused without waiting
 * for whoever may be at its other end. Nothing here loads the native addon.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** What is at a path can't be the file that is wanted; the message says why, as `it is not a regular file`. */
export class UnfitFileError extends Error {
  override readonly name = 'UnfitFileError';
}

/** A file that was read. */
export interface SmallFile {
  /** The content; overwritten by the caller where it is secret. */
  readonly bytes: Buffer;
  /** Permission bits and type, as `stat` tells them. */
  readonly mode: number;
}

/**
 * The content of the regular file at `path`; symbolic links are followed.
 *
 * @param limit most bytes that it may have.
 * @throws UnfitFileError for what is no regular file, or too long; else the error of the system.
 */
export async function readSmallFile(path: string, limit: number): Promise<SmallFile> {
  // Without O_NONBLOCK the open of a pipe waits for a writer, on a thread that nothing can interrupt.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const info = await handle.stat();
    if (info.isDirectory()) throw new UnfitFileError('it is a directory');
    if (!info.isFile()) throw new UnfitFileError('it is not a regular file');
    let bytes = Buffer.alloc(Math.min(info.size, limit) + 1);
    for (let length = 0; ;) {
      const { bytesRead } = await handle.read(bytes, length, bytes.length - length);
      length += bytesRead;
      if (length > limit) throw new UnfitFileError(`it is longer than ${limit} bytes`);
      if (bytesRead === 0) return { bytes: bytes.subarray(0, length), mode: info.mode };
      if (length < bytes.length) continue;
      // It grew since, or is one of those that have no size, as in /proc.
      const larger = Buffer.alloc(Math.min(2 * length + 4096, limit + 1));
      bytes.copy(larger);
      bytes.fill(0);
      bytes = larger;
    }
  } finally {
    await handle.close();
  }
}
