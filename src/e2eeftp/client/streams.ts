/**
 * Files on the server as Node streams, with real back-pressure. Each stream has its own connection, so that it may stay
 * open while other requests run, and so that one may be piped into another.
 */
import { Readable, Writable } from 'node:stream';
import { callbackify } from 'node:util';
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { E2eeftpError } from '../../errors.js';
import type { ByteCount } from '../../storage/byte-count.js';
import { PIECE_LENGTH } from '../body-pieces.js';
import { partOf, toRange } from '../byte-range.js';
import type { ByteRange } from '../byte-range.js';
import { pathToBytes } from '../../storage/path-text.js';
import { linkSignals } from './abort.js';
import type { ChannelOptions } from './channel.js';
import { checkReceived, readAnnouncement } from './get.js';
import { checkSent } from './send.js';
import { SideChannel } from './side-channel.js';
import type { Dial } from './side-channel.js';
import type { Overwrite, TransferResult } from './transfer-options.js';
import { toWebReadable, toWebWritable } from './web-streams.js';

/** Options of `client.createReadStream`. */
export interface ReadStreamOptions {
  /** First byte; a stream that starts behind the end of the file is empty. @default 0 */
  readonly start?: ByteCount;
  /** Last byte, inclusive; what is behind the end of the file is left out. @default the last one of the file */
  readonly end?: ByteCount;
  readonly signal?: AbortSignal;
}

/** Options of `client.createWriteStream`. */
export interface WriteStreamOptions {
  /** @default 'replace' */
  readonly overwrite?: Overwrite;
  /** Make directories that are missing above the target. @default true */
  readonly parents?: boolean;
  readonly signal?: AbortSignal;
}

/** What a stream works with. */
export interface StreamParts {
  readonly dial: Dial;
  readonly channel: ChannelOptions;
  /** Aborts when the client is closed. */
  readonly closing: AbortSignal;
}

/**
 * A remote file, or a part of it, as a Readable. It ends only after every byte was verified; until then its bytes are
 * authentic, but there may be less of them than were announced. The server is held back while nobody reads, and stops
 * when the stream is destroyed.
 */
export class RemoteReadStream extends Readable {
  /** Length and root of what was read; `null` before the end. */
  result: TransferResult | null = null;
  /** Bytes that the stream will have; `null` before the first one. */
  size: number | null = null;
  /** Length of the whole file; `null` before the first byte. */
  fileSize: number | null = null;
  readonly #path: string;
  readonly #range: ByteRange | null;
  readonly #started: number = performance.now();
  readonly #life: StreamLife;

  constructor(parts: StreamParts, path: string, options: ReadStreamOptions) {
    const range = toRange(options.start, options.end);
    super({ highWaterMark: PIECE_LENGTH });
    this.#path = path;
    this.#range = range;
    this.#life = new StreamLife(this, parts, options.signal);
  }

  /** The same stream for Web APIs. */
  toWeb(): ReadableStream<Uint8Array> {
    return toWebReadable(this);
  }

  override _construct(callback: (error?: Error | null) => void): void {
    this.#life.run(async () => {
      const range = this.#range;
      const announced = readAnnouncement(
        await this.#life.open('GET', {
          path: pathToBytes(this.#path),
          start: range?.start,
          end: range?.end ?? undefined,
        }),
      );
      this.size = announced.size;
      this.fileSize = range === null ? announced.size : announced.fileSize;
      if (range === null) return;
      if (announced.fileSize === null || partOf(range, announced.fileSize).length !== announced.size) {
        throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server announced another part of the file');
      }
    }, callback);
  }

  override _read(): void {
    this.#life.run(
      async () => {
        const piece = await this.#life.side.read();
        if (piece !== null) {
          this.push(piece);
          return;
        }
        const reply = await this.#life.side.finalReply();
        const { bytes, root } = await this.#life.side.received();
        checkReceived(reply, { bytes, root });
        if (bytes !== this.size) throw new E2eeftpError('E2EEFTP_INTEGRITY', 'the length is not the announced one');
        const seconds = (performance.now() - this.#started) / 1000;
        this.result = { bytes, root: root.toString('hex'), resumedBytes: 0, skipped: false, seconds, path: this.#path };
        await this.#life.finish();
        this.push(null);
      },
      (error) => {
        if (error) this.destroy(error);
      },
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#life.run(async () => {
      await this.#life.end();
      if (error !== null) throw error;
    }, callback);
  }
}

/**
 * A remote file as a Writable. The file appears under its name when the stream has finished; a stream that is destroyed
 * before leaves nothing.
 */
export class RemoteWriteStream extends Writable {
  /** What was stored; `null` before the end. */
  result: TransferResult | null = null;
  readonly #path: string;
  readonly #options: WriteStreamOptions;
  readonly #started: number = performance.now();
  readonly #life: StreamLife;

  constructor(parts: StreamParts, path: string, options: WriteStreamOptions) {
    super({ highWaterMark: PIECE_LENGTH, decodeStrings: true });
    this.#path = path;
    this.#options = options;
    this.#life = new StreamLife(this, parts, options.signal);
  }

  /** The same stream for Web APIs. */
  toWeb(): WritableStream<Uint8Array> {
    return toWebWritable(this);
  }

  override _construct(callback: (error?: Error | null) => void): void {
    const { overwrite = 'replace', parents = true } = this.#options;
    this.#life.run(async () => {
      await this.#life.open('SEND', { path: pathToBytes(this.#path), overwrite, parents });
    }, callback);
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#life.run(() => this.#life.side.write(chunk), callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#life.run(async () => {
      const sent = await this.#life.side.finish();
      const { path } = checkSent(await this.#life.side.finalReply(), sent, this.#path);
      const seconds = (performance.now() - this.#started) / 1000;
      this.result = {
        bytes: sent.bytes,
        root: sent.root.toString('hex'),
        resumedBytes: 0,
        skipped: false,
        seconds,
        path,
      };
      await this.#life.finish();
    }, callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#life.run(async () => {
      await this.#life.end();
      if (error !== null) throw error;
    }, callback);
  }
}

/** What both directions share: the connection, and its end by the caller's signal or the client's close. */
class StreamLife {
  readonly #parts: StreamParts;
  readonly #signal: AbortSignal;
  readonly #unlink: () => void;
  #side: SideChannel | null = null;
  #isFinished = false;

  constructor(stream: Readable | Writable, parts: StreamParts, signal: AbortSignal | undefined) {
    this.#parts = parts;
    const linked = linkSignals(signal, parts.closing);
    this.#signal = linked.signal;
    const abort = (): void => void stream.destroy(this.#signal.reason as Error);
    if (this.#signal.aborted) process.nextTick(abort);
    else this.#signal.addEventListener('abort', abort, { once: true });
    this.#unlink = () => {
      this.#signal.removeEventListener('abort', abort);
      linked.unlink();
    };
  }

  /** The open connection. */
  get side(): SideChannel {
    if (this.#side !== null) return this.#side;
    throw new E2eeftpError('E2EEFTP_CLOSED', 'the stream is closed');
  }

  async open(verb: string, args: Parameters<typeof SideChannel.open>[2]) {
    this.#signal.throwIfAborted();
    const { dial, channel } = this.#parts;
    const { side, announcement } = await SideChannel.open(dial, verb, args, channel, this.#signal);
    this.#side = side;
    if (this.#signal.aborted) await this.end();
    this.#signal.throwIfAborted();
    return announcement;
  }

  /** Runs a step of the stream and tells its callback how it ended; after an abort that is the signal's reason. */
  run(step: () => Promise<void>, callback: (error?: Error | null) => void): void {
    callbackify(async () => {
      try {
        await step();
      } catch (error) {
        throw this.#signal.aborted ? this.#signal.reason : error;
      }
    })(callback);
  }

  /** The request is answered: says good-bye. */
  async finish(): Promise<void> {
    this.#isFinished = true;
    this.#unlink();
    await this.#side?.close();
  }

  /** The stream is destroyed: gives up a request that is not answered. */
  async end(): Promise<void> {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#unlink();
    await this.#side?.abandon();
  }
}
