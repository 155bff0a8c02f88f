/**
 * Somebody on the path between client and server: sees every byte, and may hold, change or add some.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';

/** One direction of one connection. */
export class Lane {
  /** What came in, in order. */
  readonly chunks: Buffer[] = [];
  /** After so many bytes the lane stands still until {@link release}. */
  holdAt: number = Number.POSITIVE_INFINITY;
  /** Sees each piece before it goes on, with its position, and says what goes on instead. */
  change: (piece: Buffer, offset: number) => Buffer = (piece) => piece;
  /** Resolves when the lane stands still for the first time. */
  readonly held: Promise<void>;
  readonly #to: Socket;
  readonly #from: Socket;
  readonly #waiting: Buffer[] = [];
  #forwarded = 0;
  #resolveHeld: () => void = () => undefined;

  constructor(from: Socket, to: Socket) {
    this.#from = from;
    this.#to = to;
    this.held = new Promise((resolve) => {
      this.#resolveHeld = resolve;
    });
    from.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.#take(chunk);
    });
  }

  /** Everything that came in. */
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** How many bytes went on. */
  get forwarded(): number {
    return this.#forwarded;
  }

  /** Lets what waits and what comes go on. */
  release(): void {
    this.holdAt = Number.POSITIVE_INFINITY;
    for (const chunk of this.#waiting.splice(0)) this.#take(chunk);
    this.#from.resume();
  }

  /** Sends bytes of its own to the end of the lane. */
  inject(bytes: Buffer): void {
    this.#to.write(bytes);
  }

  #take(chunk: Buffer): void {
    const room = Math.max(0, this.holdAt - this.#forwarded);
    const now = chunk.subarray(0, room);
    if (now.length > 0) {
      const piece = this.change(now, this.#forwarded);
      this.#forwarded += now.length;
      if (!this.#to.write(piece) && !this.#from.isPaused()) {
        this.#from.pause();
        this.#to.once('drain', () => {
          if (this.#waiting.length === 0) this.#from.resume();
        });
      }
    }
    if (now.length === chunk.length) return;
    this.#waiting.push(chunk.subarray(now.length));
    this.#from.pause();
    this.#resolveHeld();
  }
}

/** One connection through the proxy. */
export class Link {
  readonly toServer: Lane;
  readonly toClient: Lane;
  readonly #sockets: readonly Socket[];

  constructor(client: Socket, server: Socket) {
    this.#sockets = [client, server];
    this.toServer = new Lane(client, server);
    this.toClient = new Lane(server, client);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('end', () => other.end());
      one.on('close', () => other.destroy());
    }
  }

  /** Cuts the connection without a word. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A proxy in front of a server on 127.0.0.1. */
export class Proxy {
  readonly links: Link[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param prepare is given each connection before its first byte. */
  static async start(
    t: ExecutionContext,
    port: number,
    prepare: (link: Link) => void = () => undefined,
  ): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(server);
    server.on('connection', (client) => {
      const upstream = connect(port, '127.0.0.1');
      proxy.#keep(client);
      proxy.#keep(upstream);
      const link = new Link(client, upstream);
      proxy.links.push(link);
      prepare(link);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => proxy.close());
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The first connection; there must be one. */
  get link(): Link {
    const [link] = this.links;
    if (link === undefined) throw new Error('nobody connected');
    return link;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket: Socket): void {
    socket.setNoDelay(true);
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

/** Cuts a recorded byte stream into the records of `docs/PROTOCOL.md` §1; a record that was cut off is left out. */
export function records(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 4 <= bytes.length;) {
    const end = at + 4 + bytes.readUIntBE(at + 1, 3);
    if (end > bytes.length) break;
    found.push(bytes.subarray(at, end));
    at = end;
  }
  return found;
}
