/**
 * The two directions of a request's body on the client's side. Whatever happens to the code that uses them, the body is
 * ended on the wire, so that the final reply can follow.
 */
import { E2eeftpError } from '../../errors.js';
import { NativeTransfer, native } from '../../native.js';
import type {
  BlocksResult,
  BodyResult,
  NativeBlocks,
  NativeSession,
  NativeSource,
  NativeStaged,
  OpenLanes,
} from '../../native.js';
import { PIECE_LENGTH, writeSource } from '../body-pieces.js';
import type { BodySource } from '../command-registry.js';
import type { Compression } from '../compression.js';

/** The body that the server asked for. May be used once, by one of its methods. */
export class OutboundBody {
  readonly #session: NativeSession;
  readonly #id: number;
  readonly #signal: AbortSignal;
  #isUsed = false;

  constructor(session: NativeSession, id: number, signal: AbortSignal) {
    this.#session = session;
    this.#id = id;
    this.#signal = signal;
  }

  /** Sends `size` bytes of a file. */
  async fromFile(
    source: NativeSource,
    size: number,
    transfer: NativeTransfer,
    compress: Compression = 'none',
  ): Promise<BodyResult> {
    this.#isUsed = true;
    return cancelOnAbort(transfer, this.#signal, () =>
      compress === 'none'
        ? this.#session.sendFile(transfer, source, this.#id, 0, size)
        : this.#session.sendCompressedFile(transfer, source, this.#id, 0, size, compress),
    );
  }

  /** Sends standard input to its end. */
  async fromStandardInput(transfer: NativeTransfer, compress: Compression): Promise<BodyResult> {
    this.#isUsed = true;
    return cancelOnAbort(transfer, this.#signal, () => this.#session.sendStandardInput(transfer, this.#id, compress));
  }

  /** Sends a file of `size` bytes by blocks, over as many of the offered `lanes` as are worth it. */
  async fromBlocks(
    source: NativeSource,
    size: number,
    transfer: NativeTransfer,
    lanes: OpenLanes,
  ): Promise<BlocksResult> {
    this.#isUsed = true;
    return cancelOnAbort(transfer, this.#signal, () =>
      this.#session.sendBlocks(transfer, source, this.#id, size, null, lanes),
    );
  }

  /** Runs a dialog in both directions with what `prepare` opens; when that fails, the server is told that there is none. */
  async dialog<Prepared, T>(
    transfer: NativeTransfer,
    prepare: () => Promise<Prepared>,
    run: (prepared: Prepared, session: NativeSession, id: number) => Promise<T>,
  ): Promise<T> {
    this.#isUsed = true;
    let prepared: Prepared;
    try {
      prepared = await prepare();
    } catch (error) {
      await native(() => this.#session.abandonTree(new NativeTransfer(), this.#id));
      throw error;
    }
    return cancelOnAbort(transfer, this.#signal, () => run(prepared, this.#session, this.#id));
  }

  /** Sends what `source` yields. */
  async fromSource(source: BodySource): Promise<BodyResult> {
    this.#isUsed = true;
    const writer = this.#session.bodyWriter(this.#id);
    try {
      await writeSource((piece) => native(() => writer.write(piece)), source, this.#signal);
      this.#signal.throwIfAborted();
    } catch (error) {
      // A body that failed by itself has ended already.
      await native(() => writer.abort()).catch(() => undefined);
      throw error;
    }
    return native(() => writer.finish());
  }

  /** Ends a body that nobody used: the server is told that there will be none. */
  async abandon(): Promise<void> {
    if (this.#isUsed) return;
    this.#isUsed = true;
    const writer = this.#session.bodyWriter(this.#id);
    await native(() => writer.abort());
  }
}

/** The body that the server announced. May be used once, by one of its methods. */
export class InboundBody {
  /** Resolves when another request waits for this one. */
  readonly contended: Promise<void>;
  readonly #session: NativeSession;
  readonly #id: number;
  readonly #signal: AbortSignal;
  #isUsed = false;

  constructor(session: NativeSession, id: number, signal: AbortSignal, contended: Promise<void>) {
    this.#session = session;
    this.#id = id;
    this.#signal = signal;
    this.contended = contended;
  }

  /** Receives the body into a staged file. */
  async toFile(
    staged: NativeStaged,
    size: number,
    transfer: NativeTransfer,
    isCompressed = false,
  ): Promise<BodyResult> {
    this.#isUsed = true;
    return cancelOnAbort(transfer, this.#signal, () =>
      isCompressed
        ? this.#session.receiveCompressedFile(transfer, staged, this.#id, size)
        : this.#session.receiveFile(transfer, staged, this.#id, size),
    );
  }

  /** Receives the body to standard output. */
  async toStandardOutput(size: number, transfer: NativeTransfer, isCompressed: boolean): Promise<BodyResult> {
    this.#isUsed = true;
    return cancelOnAbort(transfer, this.#signal, () =>
      this.#session.receiveToStandardOutput(transfer, this.#id, size, isCompressed),
    );
  }

  /** Receives a file by blocks. */
  async toBlocks(blocks: NativeBlocks, transfer: NativeTransfer, lanes: OpenLanes): Promise<BlocksResult> {
    this.#isUsed = true;
    return cancelOnAbort(transfer, this.#signal, () =>
      this.#session.receiveBlocks(transfer, blocks, this.#id, null, lanes),
    );
  }

  /** The body in pieces of up to 256 KiB. Ends when all of it was verified; leaving early stops the server. */
  async *pieces(): AsyncGenerator<Buffer, void, undefined> {
    this.#isUsed = true;
    const reader = this.#session.bodyReader(this.#id);
    let isOver = false;
    try {
      for (;;) {
        this.#signal.throwIfAborted();
        const piece = await native(() => reader.read(PIECE_LENGTH));
        if (piece === null || piece === undefined) break;
        yield piece;
      }
      isOver = true;
    } catch (error) {
      isOver = E2eeftpError.is(error) && error !== this.#signal.reason;
      throw error;
    } finally {
      // A body that failed by itself has ended already.
      if (!isOver) await native(() => reader.stop()).catch(() => undefined);
    }
  }

  /** Stops a body that nobody used. */
  async abandon(): Promise<void> {
    if (this.#isUsed) return;
    this.#isUsed = true;
    const reader = this.#session.bodyReader(this.#id);
    await native(() => reader.stop());
  }
}

async function cancelOnAbort<T>(transfer: NativeTransfer, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  const cancel = (): void => transfer.cancel();
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await native(run);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}
