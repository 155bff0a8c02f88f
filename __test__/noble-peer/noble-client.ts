/** A client that asks a server for files: `docs/PROTOCOL.md` §7 and §8. */
import { blake3 } from '@noble/hashes/blake3.js';
import { decodeFirst } from 'cborg';
import { concat, isEqual, ProtocolFault, text } from './byte-fields.js';
import { FLIGHT_LENGTH } from './flight.js';
import { ClientHandshake, type ClientOptions } from './handshake.js';
import { SERVER_HELLO_LENGTH } from './hello.js';
import { KIND, TYPE } from './record-layer.js';
import { type Control, NobleSession } from './session.js';
import type { KnownServer } from './rotation.js';
import { fingerprint } from './signing-identity.js';
import { Wire } from './wire.js';

export interface ConnectOptions extends ClientOptions {
  port: number;
  /** Fingerprint of the only key that the server may have. */
  serverKey: string;
  /** In place of `serverKey`: what an earlier connection has left; a statement of that key is followed. */
  known?: KnownServer;
}

/** Goes through the handshake; the server may still refuse in place of its first record. */
export async function dial(options: ConnectOptions): Promise<NobleSession> {
  const wire = await Wire.connect(options.port);
  const handshake = new ClientHandshake(options);
  await wire.send(handshake.m1);
  const m3 = await wire.record(KIND.clear, SERVER_HELLO_LENGTH, SERVER_HELLO_LENGTH);
  const m4 = await wire.record(KIND.protected, FLIGHT_LENGTH, FLIGHT_LENGTH);
  const { m5, established } = handshake.finish(m3, m4, (key, statements) => {
    if (options.known !== undefined) options.known.judge(key, statements);
    else if (fingerprint(key) !== options.serverKey)
      throw new ProtocolFault(`the server has the key ${fingerprint(key)}`);
  });
  await wire.send(m5);
  return new NobleSession('client', wire, established);
}

/** `[name, kind, size, mtime, mode]` of a listing. */
export type ListEntry = [name: Uint8Array, kind: string, size: number, mtime: number, mode: number];

/** A reply of 400 or more. */
export class RequestRefused extends Error {
  override readonly name: string = 'RequestRefused';
  readonly reply: Control;

  constructor(reply: Control) {
    super(`${String(reply['status'])} ${String(reply['code'])} ${String(reply['text'])}`);
    this.reply = reply;
  }
}

export class NobleClient {
  readonly session: NobleSession;
  #lastId = 0;

  private constructor(session: NobleSession) {
    this.session = session;
  }

  static async connect(options: ConnectOptions): Promise<NobleClient> {
    const session = await dial(options);
    const ready = await session.control();
    if (ready['id'] !== 0 || ready['status'] !== 200 || ready['protocol'] !== 1) throw new ProtocolFault('not ready');
    return new NobleClient(session);
  }

  /** Sends a request and returns its id. */
  async ask(verb: string, args: Control = {}): Promise<number> {
    this.#lastId += 1;
    await this.session.sendControl({ id: this.#lastId, verb, ...args });
    return this.#lastId;
  }

  /** The reply that comes next, with one of these statuses. */
  async reply(id: number, ...statuses: number[]): Promise<Control> {
    const reply = await this.session.control();
    if (reply['id'] !== id) throw new ProtocolFault(`a reply to ${String(reply['id'])} instead of ${id}`);
    if (Number(reply['status']) >= 400) throw new RequestRefused(reply);
    if (!statuses.includes(Number(reply['status']))) throw new ProtocolFault(`status ${String(reply['status'])}`);
    return reply;
  }

  /** The body of a reply; its length and hash are those of its End. */
  async body(id: number): Promise<{ content: Uint8Array; root: Uint8Array }> {
    const pieces: Uint8Array[] = [];
    for (;;) {
      const { type, stream, content } = await this.session.receive();
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

  async send(path: string, content: Uint8Array, args: Control = {}): Promise<Control> {
    const root = blake3(content);
    const id = await this.ask('SEND', { path: text(path), size: content.length, ...args });
    await this.reply(id, 100);
    await this.session.sendBody(id, content, root);
    const reply = await this.reply(id, 226);
    if (reply['bytes'] !== content.length || !isEqual(reply['root'] as Uint8Array, root)) {
      throw new ProtocolFault('the server has something else');
    }
    return reply;
  }

  async get(path: string): Promise<Uint8Array> {
    const id = await this.ask('GET', { path: text(path) });
    const { size } = await this.reply(id, 150);
    const { content, root } = await this.body(id);
    const reply = await this.reply(id, 226);
    if (size !== content.length || reply['bytes'] !== content.length) throw new ProtocolFault('length of a file');
    if (!isEqual(reply['root'] as Uint8Array, root)) throw new ProtocolFault('root of a file');
    return content;
  }

  async list(path: string): Promise<ListEntry[]> {
    const id = await this.ask('LIST', { path: text(path) });
    await this.reply(id, 150);
    const { content } = await this.body(id);
    await this.reply(id, 200);
    // The pages follow each other without anything between them: each is one CBOR array.
    const entries: ListEntry[] = [];
    for (let rest = content; rest.length > 0;) {
      const [page, left] = decodeFirst(rest) as [ListEntry[], Uint8Array];
      entries.push(...page);
      rest = left;
    }
    return entries;
  }

  async stat(path: string): Promise<Control> {
    return this.reply(await this.ask('STAT', { path: text(path) }), 200);
  }

  async close(): Promise<void> {
    await this.session.close();
  }
}
