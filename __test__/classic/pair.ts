import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type ClassicClient, connectClassic, Identity, type Logger, Server } from '../../dist/index.js';
import type { ClassicConnectOptions, ServerOptions } from '../../dist/index.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { type RawCommand, rawCommand, type RawIdentity, rawIdentity } from './raw-peer.js';

/** A server that serves old clients, with one key that may log in, and everything a test needs around it. */
export interface ClassicPair {
  readonly server: Server;
  readonly identity: RawIdentity;
  readonly directory: string;
  /** The server's root, the directory of the canary beside it, and one for local files. */
  readonly root: string;
  readonly outside: string;
  readonly local: string;
  readonly port: number;
  readonly errors: unknown[];
  /** Lines of the server's log. */
  readonly log: string[];
  /** Sends one line by hand and returns what is answered. */
  raw(line: string | Buffer, more?: RawCommand): Promise<string>;
  /** A client of ours; it is closed with the test. */
  client(options?: Partial<ClassicConnectOptions>): Promise<ClassicClient>;
}

/** Options of {@link startClassic}. */
export interface ClassicPairOptions extends ServerOptions {
  /** Options in front of the key in the list of clients. */
  readonly keyOptions?: string;
  readonly directory?: string;
  readonly identity?: never;
  readonly key?: RawIdentity;
  readonly make?: (options: ServerOptions) => Server;
}

/** Starts a server with a classic address on a free port; it is closed when the test is over. */
export async function startClassic(t: ExecutionContext, options: ClassicPairOptions = {}): Promise<ClassicPair> {
  const { keyOptions = '', key: identity = rawIdentity(), make = (given) => new Server(given), ...more } = options;
  const directory = options.directory ?? (await temporaryDirectory(t));
  const [root, outside, local, dataDir] = ['root', 'outside', 'local', 'data'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const path of [root, outside, local, dataDir]) await mkdir(path, { recursive: true });
  await writeFile(join(outside, 'canary'), 'alive');
  const list = join(dataDir, 'authorized_clients.pub');
  await writeFile(list, `${keyOptions === '' ? '' : `${keyOptions} `}${identity.line}\n`);
  const log: string[] = [];
  const write = (fields: object, text: string): unknown => log.push(`${text} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: write, info: write, warn: write, error: write };
  const { directory: _directory, ...serverOptions } = more;
  const server = make({
    root,
    dataDir,
    listen: { port: 0 },
    classic: { port: 0 },
    durability: 'none',
    logger,
    ...serverOptions,
  });
  const errors: unknown[] = [];
  server.on('error', (error) => errors.push(error));
  await server.listen();
  t.teardown(() => server.close({ graceMs: 0 }));
  const port = server.classicAddresses[0]?.port ?? 0;
  return {
    server,
    identity,
    directory,
    root,
    outside,
    local,
    port,
    errors,
    log,
    raw: (line, command) => rawCommand(port, identity, line, command),
    client: async (given = {}) => {
      const own = Identity.parse(identity.pem);
      const client = await connectClassic({
        host: '127.0.0.1',
        port,
        identity: own,
        serverKey: server.fingerprint,
        ...given,
      });
      t.teardown(() => client.close());
      return client;
    },
  };
}
