/** A server with files in memory: `docs/PROTOCOL.md` §7 and §8. What its clients do against the page it remembers. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { blake3 } from '@noble/hashes/blake3.js';
import type { ExecutionContext } from 'ava';
import { encode } from 'cborg';
import { concat, isEqual, ProtocolFault, text } from './byte-fields.js';
import { FLIGHT_LENGTH } from './flight.js';
import { ServerHandshake, type ServerOptions } from './handshake.js';
import { CLIENT_HELLO_LENGTH } from './hello.js';
import { KIND, TYPE } from './record-layer.js';
import { type Control, NobleSession } from './session.js';
import { fingerprint, SigningIdentity } from './signing-identity.js';
import { StreamEnded, Wire } from './wire.js';

export interface NobleServerOptions extends Partial<ServerOptions> {
  /** What to do with a session instead of answering requests for files. */
  serve?: Serve;
}

export type Serve = (session: NobleSession, server: NobleServer) => Promise<void>;

/** The refusal of §1.2. */
const REFUSAL = Uint8Array.of(KIND.refusal, 0, 0, 4, 0, 0, 0, 1);

export class NobleServer {
  readonly identity: SigningIdentity;
  readonly files = new Map<string, Uint8Array>();
  readonly sessions: NobleSession[] = [];
  /** What went wrong, in order; empty after honest clients. */
  readonly faults: unknown[] = [];
  readonly #options: NobleServerOptions;
  readonly #listener: Server = createServer();
  readonly #sockets = new Set<Socket>();
  readonly #running = new Set<Promise<void>>();

  private constructor(options: NobleServerOptions) {
    this.#options = options;
    this.identity = options.identity ?? new SigningIdentity(new Uint8Array(randomBytes(32)));
    this.#listener.on('connection', (socket) => {
      this.#sockets.add(socket);
      const run = this.#run(new Wire(socket))
        .catch((error: unknown) => {
          if (!(error instanceof StreamEnded)) this.faults.push(error);
          socket.destroy();
        })
        .finally(() => this.#running.delete(run));
      this.#running.add(run);
    });
  }

  /** Listens on a free port of 127.0.0.1 until the test is over. */
  static async start(t: ExecutionContext, options: NobleServerOptions = {}): Promise<NobleServer> {
    const server = new NobleServer(options);
    server.#listener.listen(0, '127.0.0.1');
    await once(server.#listener, 'listening');
    t.teardown(() => {
      server.#listener.close();
      for (const socket of server.#sockets) socket.destroy();
    });
    return server;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  get fingerprint(): string {
    return fingerprint(this.identity.publicKey);
  }

  /** The options of a command line that connects here. */
  get at(): string[] {
    return ['-P', String(this.port), '--server-key', this.fingerprint];
  }

  /** Waits until nothing of what was accepted so far is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #run(wire: Wire): Promise<void> {
    const m1 = await wire.record(KIND.clear, CLIENT_HELLO_LENGTH, CLIENT_HELLO_LENGTH);
    let session: NobleSession;
    try {
      const handshake = new ServerHandshake({ ...this.#options, identity: this.identity }, m1);
      await wire.send(handshake.m3, handshake.m4);
      const m5 = await wire.record(KIND.protected, FLIGHT_LENGTH, FLIGHT_LENGTH);
      session = new NobleSession('server', wire, handshake.finish(m5));
    } catch (error) {
      if (error instanceof ProtocolFault) await wire.send(REFUSAL);
      throw error;
    }
    this.sessions.push(session);
    await (this.#options.serve ?? serveFiles)(session, this);
  }
}

/** The first message of a server. */
export async function sayReady(session: NobleSession): Promise<void> {
  await session.sendControl({ id: 0, status: 200, text: 'ready', software: 'noble', protocol: 1 });
}

/** Answers requests until the client says good-bye. */
export async function serveFiles(session: NobleSession, { files }: NobleServer): Promise<void> {
  await sayReady(session);
  for (;;) {
    const request = await nextRequest(session);
    if (request === undefined) break;
    await answer(session, files, request);
  }
  await session.close();
}

/** The next request; nothing after the client's Close. */
export async function nextRequest(session: NobleSession): Promise<Control | undefined> {
  try {
    return await session.control();
  } catch (error) {
    if (session.opener.isClosed) return undefined;
    throw error;
  }
}

/** The body that a client sends, checked against its End. */
export async function receiveBody(
  session: NobleSession,
  id: number,
): Promise<{ content: Uint8Array; root: Uint8Array }> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const { type, stream, content } = await session.receive();
    if (stream !== id) throw new ProtocolFault(`stream ${stream} instead of ${id}`);
    if (type === TYPE.data) {
      pieces.push(content);
    } else if (type === TYPE.end) {
      const body = concat(...pieces);
      const [total, root] = [Buffer.from(content).readBigUInt64BE(), content.slice(8)];
      if (total !== BigInt(body.length) || !isEqual(root, blake3(body))) throw new ProtocolFault('length or root');
      return { content: body, root };
    } else {
      throw new ProtocolFault(`record type ${type} in a body`);
    }
  }
}

async function answer(session: NobleSession, files: Map<string, Uint8Array>, request: Control): Promise<void> {
  const { id, verb, path: rawPath } = request;
  if (typeof id !== 'number' || typeof verb !== 'string') throw new ProtocolFault('a malformed request');
  const path = rawPath instanceof Uint8Array ? Buffer.from(rawPath).toString().replace(/^\//, '') : '';
  const reply = (status: number, members: Control = {}): Promise<void> =>
    session.sendControl({ id, status, text: 'noble', ...members });
  const file = files.get(path);
  switch (verb) {
    case 'SEND': {
      await reply(100);
      const { content, root } = await receiveBody(session, id);
      files.set(path, content);
      return reply(226, { bytes: content.length, root, path: text(path) });
    }
    case 'GET': {
      if (file === undefined) return reply(404, { code: 'E2EEFTP_NOT_FOUND' });
      const root = blake3(file);
      await reply(150, { size: file.length, mtime: 1_700_000_000_000, mode: 0o644 });
      await session.sendBody(id, file, root);
      return reply(226, { bytes: file.length, root });
    }
    case 'LIST': {
      await reply(150, { type: 'd' });
      const entries = [...files].map(([name, { length }]) => [text(name), 'f', length, 1_700_000_000_000, 0o644]);
      const pages = entries.length === 0 ? new Uint8Array() : encode(entries);
      await session.sendBody(id, pages, blake3(pages));
      return reply(200);
    }
    case 'STAT':
      if (file === undefined) return reply(404, { code: 'E2EEFTP_NOT_FOUND' });
      return reply(200, { type: 'f', size: file.length, mtime: 1_700_000_000_000, mode: 0o644 });
    case 'DELETE':
      return files.delete(path) ? reply(200) : reply(404, { code: 'E2EEFTP_NOT_FOUND' });
    case 'HLIST':
      return reply(200, { commands: [{ verb: 'GET', summary: 'Fetches a file' }] });
    default:
      return reply(400, { code: 'E2EEFTP_UNKNOWN_COMMAND' });
  }
}
