import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Identity, Server, connect, fullGrant } from '../../dist/index.js';
import type { Client, ConnectOptions, Grant, ServerOptions } from '../../dist/index.js';
import { litter } from '../leftovers.js';
import { temporaryDirectory } from '../temporary-directory.js';

/** A server with one identity that may log in, and everything a test needs around it. */
export interface Pair {
  readonly server: Server;
  readonly identity: Identity;
  /** The server's root. */
  readonly root: string;
  /** A directory for local files. */
  readonly local: string;
  /** Where the server listens. */
  readonly address: { readonly host: string; readonly port: number };
  /** What the server called an error, and warnings. */
  readonly errors: unknown[];
  /** Connects; the client is closed when the test is over. */
  client(options?: Partial<ConnectOptions>): Promise<Client>;
}

/** Options of {@link startPair}. */
export interface PairOptions extends ServerOptions {
  /** Grant of the identity. */
  readonly grant?: Partial<Grant>;
  /** Makes the server. */
  readonly make?: (options: ServerOptions) => Server;
}

/** Starts a server on a free port; it is closed when the test is over. */
export async function startPair(t: ExecutionContext, options: PairOptions = {}): Promise<Pair> {
  const { grant = fullGrant, make = (given) => new Server(given), ...serverOptions } = options;
  const directory = await temporaryDirectory(t);
  const [root, local] = [join(directory, 'root'), join(directory, 'local')];
  await mkdir(local);
  const identity = Identity.generate();
  const server = make({
    root,
    dataDir: join(directory, 'data'),
    listen: { port: 0 },
    authorizedClients: (key) => (key.base64 === identity.publicKey.base64 ? grant : null),
    handshakesPerSecond: 0,
    durability: 'none',
    ...serverOptions,
  });
  const errors: unknown[] = [];
  server.on('error', (error) => errors.push(error));
  await server.listen();
  t.teardown(() => server.close({ graceMs: 0 }));
  const [address] = server.addresses;
  if (address === undefined) throw new Error('the server has no address');
  const client = async (given: Partial<ConnectOptions> = {}): Promise<Client> => {
    // A connection that breaks is what many tests are about.
    const opened = await connect({
      ...address,
      identity,
      serverKey: server.fingerprint,
      reconnectMs: 0,
      ...given,
    });
    t.teardown(() => opened.close());
    return opened;
  };
  return { server, identity, root, local, address, errors, client };
}

/** Names below directories of staged files that nobody can go on with. Empty when nothing half-done was left. */
export async function leftovers(...directories: string[]): Promise<string[]> {
  const names = await Promise.all(
    directories.map((directory) => readdir(directory, { recursive: true, encoding: 'utf8' })),
  );
  return names.flatMap((list) => litter(list));
}

/** Waits until `condition` holds; fails the test after `ms`. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 5_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
