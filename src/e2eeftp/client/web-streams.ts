/**
 * Node streams as Web streams, with the same back-pressure: queues are measured in bytes. (`Writable.toWeb` of Node
 * measures them in chunks, and takes in the whole of a large source before a slow target has taken its first piece.)
 */
import { Readable } from 'node:stream';
import type { Writable } from 'node:stream';
import { ByteLengthQueuingStrategy, WritableStream } from 'node:stream/web';
import type { ReadableStream, WritableStreamDefaultController } from 'node:stream/web';
import { PIECE_LENGTH } from '../body-pieces.js';

/** The same stream for Web APIs. Cancelling it destroys the Node stream. */
export function toWebReadable(stream: Readable): ReadableStream<Uint8Array> {
  const strategy = new ByteLengthQueuingStrategy({ highWaterMark: PIECE_LENGTH });
  return Readable.toWeb(stream, { strategy }) as ReadableStream<Uint8Array>;
}

/**
 * The same stream for Web APIs; chunks are byte arrays. Closing it resolves when the Node stream has finished; aborting
 * it, or writing something else, destroys the Node stream.
 */
export function toWebWritable(stream: Writable): WritableStream<Uint8Array> {
  return new WritableStream<Uint8Array>(
    {
      start(controller) {
        stream.once('error', (error) => controller.error(error));
        // `abort` below is called only when the write under way has ended, which may need this.
        const { signal } = controller as WritableStreamDefaultController & { readonly signal: AbortSignal };
        signal.addEventListener('abort', () => stream.destroy(toError(signal.reason)));
      },
      async write(chunk) {
        if (!(chunk instanceof Uint8Array)) {
          const error = new TypeError('a chunk must be a Uint8Array');
          stream.destroy(error);
          throw error;
        }
        await new Promise<void>((resolve, reject) => {
          stream.write(chunk, (error) => (error ? reject(error) : resolve()));
        });
      },
      async close() {
        await new Promise<void>((resolve, reject) => void stream.once('error', reject).end(resolve));
      },
      async abort(reason) {
        await new Promise<void>((resolve) => {
          if (stream.closed) resolve();
          stream.once('close', resolve).destroy(toError(reason));
        });
      },
    },
    // A size for anything: what is no byte array has to get as far as `write`, which ends the Node stream.
    { highWaterMark: PIECE_LENGTH, size: (chunk) => (chunk instanceof Uint8Array ? chunk.byteLength : 1) },
  );
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
