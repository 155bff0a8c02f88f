/**
 * Files on the server as Node streams, with real back-pressure. Each stream has its own connection, so that it may stay
 * open while other requests run, and so that one may be piped into another.
 */
import { Readable, Writable } from 'node:stream';
import { callbackify } from 'node:util';
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { E2eeftpError } from '../../errors.js';
import { PIECE_LENGTH } from '../body-pieces.js';
import { pathToBytes } from '../../storage/path-text.js';
import { linkSignals } from './abort.js';
import type { ChannelOptions } from './channel.js';
import { checkReceived, readAnnouncement } from './get.js';
import { checkSent } from './send.js';
import { SideChannel } from './side-channel.js';
import type { Dial } from './side-channel.js';
import type { Overwrite, TransferResult } from './transfer-options.js';

/** Options of `client.createReadStream`. */
export interface ReadStreamOptions {
  /** First byte. Not there yet: anything but 0 is refused with `E2EEFTP_UNSUPPORTED`. @default 0 */
  readonly start?: number;
  /** Last byte. Not there yet: refused with `E2EEFTP_UNSUPPORTED`. */
  readonly end?: number;
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
 * A remote file as a Readable. It ends only after every byte was verified; until then its bytes are authentic, but there
 * may be less of them than the file has.
 */
export class RemoteReadStream extends Readable {
  /** Length and root of the file; `null` before the end. */
  result: TransferResult | null = null;
  /** Length that the server announced; `null` before the first byte. */
  size: number | null = null;
  readonly #path: string;
  readonly #started: number = performance.now();
  readonly #life: StreamLife;

  constructor(parts: StreamParts, path: string, options: ReadStreamOptions) {
    if ((options.start ?? 0) !== 0 || options.end !== undefined) {
      throw new E2eeftpError('E2EEFTP_UNSUPPORTED', 'reading a part of a file is not supported yet');
    }
    super({ highWaterMark: PIECE_LENGTH });
    this.#path = path;
    this.#life = new StreamLife(this, parts, options.signal);
  }

  /** The same stream for Web APIs. */
  toWeb(): ReadableStream<Uint8Array> {
    return Readable.toWeb(this) as ReadableStream<Uint8Array>;
  }

  override _construct(callback: (error?: Error | null) => void): void {
    this.#life.run(async () => {
      const announcement = await this.#life.open('GET', { path: pathToBytes(this.#path) });
      this.size = readAnnouncement(announcement).size;
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
        const seconds = (performance.now() - this.#started) / 1000;
        this.result = { bytes, root: root.toString('hex'), resumedBytes: 0, seconds, path: this.#path };
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
    return Writable.toWeb(this) as WritableStream<Uint8Array>;
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
      this.result = { bytes: sent.bytes, root: sent.root.toString('hex'), resumedBytes: 0, seconds, path };
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
