/** Whole records over a TCP socket: `docs/PROTOCOL.md` §1. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { concat, ProtocolFault } from './byte-fields.js';
import { KIND, MAX_RECORD } from './record-layer.js';

/** The server's refusal, in clear. */
export class Refused extends Error {
  override readonly name: string = 'Refused';
  readonly code: number;

  constructor(code: number) {
    super(`refused with code ${code}`);
    this.code = code;
  }
}

/** The byte stream ended where a record could have begun. */
export class StreamEnded extends Error {
  override readonly name: string = 'StreamEnded';
}

export class Wire {
  readonly socket: Socket;
  /** Lengths of all record bodies that came in. */
  readonly lengths: number[] = [];
  /** The record that came in last. */
  last: Uint8Array = new Uint8Array();
  readonly #chunks: Uint8Array[] = [];
  #available = 0;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#available += chunk.length;
      // Nothing is read ahead without bound.
      if (this.#available > 2 * MAX_RECORD) socket.pause();
      this.#wake();
    });
    const over = (): void => {
      this.#isOver = true;
      this.#wake();
    };
    // A reset is as good an end as any.
    socket.on('end', over).on('close', over).on('error', over);
  }

  static async connect(port: number): Promise<Wire> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Wire(socket);
  }

  async send(...records: readonly Uint8Array[]): Promise<void> {
    const { socket } = this;
    if (socket.write(concat(...records)) || socket.destroyed) return;
    // When the other side is gone there is nothing to wait for; reading tells how it went.
    await new Promise<void>((resolve) => {
      const over = (): void => {
        socket.off('drain', over).off('close', over);
        resolve();
      };
      socket.on('drain', over).on('close', over);
    });
  }

  /**
   * The next record of one kind, with its header; the header alone decides whether the rest is read.
   *
   * @param kind that is expected
   * @param min of the length of the body
   * @param max of the length of the body
   * @throws Refused, StreamEnded, ProtocolFault
   */
  async record(kind: number, min: number, max: number): Promise<Uint8Array> {
    const header = await this.#take(4, 'between records');
    const [found = 0, high = 0, middle = 0, low = 0] = header;
    const length = (high << 16) | (middle << 8) | low;
    if (found === KIND.refusal && length === 4) {
      throw new Refused(Buffer.from(await this.#take(4, 'in a refusal')).readUInt32BE());
    }
    if (found !== kind || length < min || length > max) {
      throw new ProtocolFault(`record of kind ${found} with ${length} bytes`);
    }
    this.lengths.push(length);
    this.last = concat(header, await this.#take(length, 'in a record'));
    return this.last;
  }

  /** Resolves when the other side has ended its direction, whatever it says until then. */
  async ended(): Promise<void> {
    while (!this.#isOver) {
      this.#chunks.length = 0;
      this.#available = 0;
      await this.#more();
    }
  }

  close(): void {
    this.socket.destroy();
  }

  async #take(length: number, where: string): Promise<Uint8Array> {
    while (this.#available < length) {
      if (this.#isOver) {
        const isBetween = this.#available === 0 && where === 'between records';
        throw isBetween ? new StreamEnded('the stream ended') : new ProtocolFault(`the stream ended ${where}`);
      }
      await this.#more();
    }
    const all = concat(...this.#chunks);
    this.#chunks.length = 0;
    if (all.length > length) this.#chunks.push(all.subarray(length));
    this.#available = all.length - length;
    return all.slice(0, length);
  }

  async #more(): Promise<void> {
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    this.socket.resume();
    await woken;
  }
}
