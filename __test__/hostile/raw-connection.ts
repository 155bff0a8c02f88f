/** A TCP connection by somebody who does not speak the protocol, or only parts of it. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** How a connection ended. */
export interface Ending {
  /** Everything that the server said. */
  said: Buffer;
  /** From the connection to its end, in milliseconds. */
  milliseconds: number;
}

export class RawConnection {
  readonly socket: Socket;
  /** Resolves when the server has ended the connection; it never rejects. */
  readonly ended: Promise<Ending>;
  readonly #said: Buffer[] = [];

  private constructor(socket: Socket) {
    const begin = Date.now();
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#said.push(chunk));
    // A reset is as good an end as any.
    socket.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      const over = (): void => resolve({ said: this.said, milliseconds: Date.now() - begin });
      socket.on('end', over).on('close', over);
    });
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  /** Everything that the server has said so far. */
  get said(): Buffer {
    return Buffer.concat(this.#said);
  }

  /** Waits until the server has said this much, or has ended the connection. */
  async hear(length: number): Promise<Buffer> {
    let isOver = false;
    void this.ended.then(() => (isOver = true));
    while (this.said.length < length && !isOver) await new Promise((resolve) => setTimeout(resolve, 5));
    return this.said;
  }

  send(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  close(): void {
    this.socket.destroy();
  }
}

/** The one refusal of `docs/PROTOCOL.md` §1.2. */
export const REFUSAL: Buffer = Buffer.from('5300000400000001', 'hex');
