/**
 * Bodies that pass through JavaScript: cut into pieces of bounded size on the way out.
 */
import type { BodySource } from './command-registry.js';
import { E2eeftpError } from '../errors.js';

/** Largest piece that is handed over at once, in bytes. */
export const PIECE_LENGTH: number = 256 * 1024;

/** Takes one piece; resolves when there is room for the next. */
export type WritePiece = (piece: Buffer) => Promise<void>;

/** Writes one chunk of any length. */
export async function writePieces(write: WritePiece, chunk: Uint8Array): Promise<void> {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  for (let at = 0; at < bytes.length; at += PIECE_LENGTH) {
    await write(bytes.subarray(at, at + PIECE_LENGTH));
  }
}

/**
 * Writes a whole source. Does not finish or abort the body.
 *
 * @throws what the source throws, and `E2EEFTP_INVALID_ARGUMENT` for a chunk that is neither bytes nor text.
 */
export async function writeSource(write: WritePiece, source: BodySource, signal: AbortSignal): Promise<void> {
  for await (const chunk of source) {
    signal.throwIfAborted();
    if (typeof chunk === 'string') await writePieces(write, Buffer.from(chunk, 'utf8'));
    else if (chunk instanceof Uint8Array) await writePieces(write, chunk);
    else throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a body is made of byte arrays or texts');
  }
}

/** Whether `value` can be a body. */
export function isBodySource(value: unknown): value is BodySource {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Uint8Array) &&
    (Symbol.asyncIterator in value || Symbol.iterator in value)
  );
}
