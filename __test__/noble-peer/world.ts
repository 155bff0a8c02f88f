/** The product and the second implementation, side by side, with keys that both have. */
import { randomBytes } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { connect } from '../../dist/index.js';
import { type RunningServer, Sandbox } from '../cli/run.js';
import type { Offer } from './hello.js';
import type { ConnectOptions } from './noble-client.js';
import { openSshLine, SigningIdentity } from './signing-identity.js';

/** A name for each suite, and what a side that has only that one offers. */
export const SUITES: readonly (readonly [name: string, offer: Offer])[] = [
  ['AES-256-GCM', { suites: 1, preferred: 1 }],
  ['ChaCha20-Poly1305', { suites: 2, preferred: 2 }],
];

export interface World {
  box: Sandbox;
  server: RunningServer;
  /** A client key that the server lets in. */
  identity: SigningIdentity;
  /** What a client of the second implementation connects with. */
  options: ConnectOptions;
}

export const newIdentity = (): SigningIdentity => new SigningIdentity(new Uint8Array(randomBytes(32)));

/** Puts a key on the server's list. */
export async function authorize(box: Sandbox, identity: SigningIdentity, name: string): Promise<void> {
  const file = box.write(`${name}.pub`, `${openSshLine(identity.publicKey)} ${name}\n`);
  const done = await box.run(['authorize', file]);
  if (done.code !== 0) throw new Error(done.stderr);
}

/** The real server, with a client key of the second implementation on its list. */
export async function world(t: ExecutionContext): Promise<World> {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const identity = newIdentity();
  await authorize(box, identity, 'noble');
  const server = await box.serve();
  return { box, server, identity, options: { port: server.port, serverKey: server.fingerprint, identity } };
}

/** The real server still serves: a client of the library comes in with the noble key and lists the root. */
export async function assertServes(t: ExecutionContext, { box, server, identity }: World): Promise<void> {
  const key = box.write('noble.key', identity.pem);
  const client = await connect({
    reconnectMs: 0,
    host: '127.0.0.1',
    port: server.port,
    identity: key,
    serverKey: server.fingerprint,
  });
  try {
    t.is((await client.stat('')).type, 'directory');
  } finally {
    await client.close();
  }
}

/** How many lines of a log match. */
export const logged = (log: string, pattern: RegExp): number =>
  log.split('\n').filter((line) => pattern.test(line)).length;
