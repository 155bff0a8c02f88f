/**
 * The classic wire format by hand, on Node's own cryptography: a client and a server that may say what honest ones never
 * would.
 */
import {
  createCipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';
import { type Ending, RawConnection } from '../hostile/raw-connection.js';

const HELLO_LENGTH = 132;
const X25519_SPKI = Buffer.from('302a300506032b656e032100', 'hex');

/** An Ed25519 key with its raw public half. */
export interface RawIdentity {
  readonly privateKey: KeyObject;
  /** 32 bytes. */
  readonly raw: Buffer;
  /** As a line of `authorized_clients.pub`, in the original's form. */
  readonly line: string;
  /** PKCS#8 PEM, as the original writes its key files. */
  readonly pem: string;
  /** PEM of the public half, as the original writes `known_server.pub`. */
  readonly publicPem: string;
}

export function rawIdentity(): RawIdentity {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = rawPublic(publicKey);
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  return { privateKey, raw, line: raw.toString('base64'), pem, publicPem };
}

function rawPublic(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' }).subarray(-32);
}

/** An ephemeral key and the hello that shows it. */
export interface RawHello {
  readonly secret: KeyObject;
  readonly message: Buffer;
}

export function rawHello(identity: RawIdentity, ephemeral?: Buffer): RawHello {
  const { privateKey: secret, publicKey } = generateKeyPairSync('x25519');
  const shown = ephemeral ?? rawPublic(publicKey);
  const signature = sign(null, shown, identity.privateKey);
  return { secret, message: Buffer.concat([Buffer.from([0, 0, 0, 128]), shown, identity.raw, signature]) };
}

/** The 64 bytes of keys that both sides of a connection have. */
export function rawKeys(secret: KeyObject, hello: Buffer): Buffer {
  const der = Buffer.concat([X25519_SPKI, hello.subarray(4, 36)]);
  const publicKey = createPublicKey({ key: der, type: 'spki', format: 'der' });
  const shared = diffieHellman({ privateKey: secret, publicKey });
  return Buffer.from(hkdfSync('sha256', shared, Buffer.alloc(0), 'file-transfer-e2ee', 64));
}

/** Seals a piece. */
export function rawSeal(keys: Buffer, plain: Buffer): Buffer {
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', keys.subarray(0, 32), iv);
  const sealed = Buffer.concat([iv, cipher.update(plain), cipher.final()]);
  return Buffer.concat([sealed, createHmac('sha256', keys.subarray(32)).update(sealed).digest()]);
}

/** A client that the server has let in. */
export interface RawClient {
  readonly connection: RawConnection;
  readonly keys: Buffer;
}

/** Connects and says hello; `null` when the server closes without its own. */
export async function rawConnect(
  port: number,
  identity: RawIdentity,
  hello: RawHello = rawHello(identity),
): Promise<RawClient | null> {
  const connection = await RawConnection.open(port);
  connection.send(hello.message);
  const reply = await connection.hear(HELLO_LENGTH);
  if (reply.length < HELLO_LENGTH) {
    connection.close();
    return null;
  }
  return { connection, keys: rawKeys(hello.secret, reply) };
}

/** How a raw command is sent. */
export interface RawCommand {
  /** Sent behind the line; a function gets the keys of the connection. */
  readonly body?: Buffer | ((keys: Buffer) => Buffer);
  /** End this side's direction afterwards. */
  readonly end?: boolean;
}

/** Sends one line on a connection of its own and returns all that is answered, in Latin-1. */
export async function rawCommand(
  port: number,
  identity: RawIdentity,
  line: string | Buffer,
  { body = Buffer.alloc(0), end = false }: RawCommand = {},
): Promise<string> {
  const client = await rawConnect(port, identity);
  if (client === null) return 'REFUSED';
  const { connection, keys } = client;
  connection.send(Buffer.concat([Buffer.from(line), typeof body === 'function' ? body(keys) : body]));
  if (end) connection.socket.end();
  const { said }: Ending = await connection.ended;
  connection.close();
  return said.subarray(HELLO_LENGTH).toString('latin1');
}

/** What a server by hand does with one connection: it gets the line and the keys, and has the socket. */
export type RawAnswer = (socket: Socket, line: string, keys: Buffer) => void;

/** A server by hand, which lets everybody in. It closes with the test. */
export async function rawServer(t: ExecutionContext, identity: RawIdentity, answer: RawAnswer): Promise<number> {
  const server: Server = createServer((socket) => {
    let received = Buffer.alloc(0);
    let keys: Buffer | null = null;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (keys === null && received.length >= HELLO_LENGTH) {
        const hello = rawHello(identity);
        keys = rawKeys(hello.secret, received);
        received = received.subarray(HELLO_LENGTH);
        socket.write(hello.message);
      }
      const end = received.indexOf('\n');
      if (keys === null || end < 0) return;
      socket.removeAllListeners('data').resume();
      answer(socket, received.subarray(0, end).toString(), keys);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as { port: number }).port;
}

/** The private key in a PKCS#8 PEM file, as {@link RawIdentity}. */
export function readRawIdentity(pem: string): RawIdentity {
  const privateKey = createPrivateKey(pem);
  const publicKey = createPublicKey(privateKey);
  const raw = rawPublic(publicKey);
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  return { privateKey, raw, line: raw.toString('base64'), pem, publicPem };
}
