/** Connects to a server with the global options: identity, trust, port, time limits. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Client,
  clientDirectory,
  connect,
  type ConnectOptions,
  displayName,
  E2eeftpError,
  serverName,
} from '../index.js';
import type { PeerAddress } from './address.js';
import type { CliContext } from './context.js';
import { confirmServerKey } from './first-contact.js';
import { PEER_GRACE_MS } from './interruption.js';

/** `host` and `port` of an address: its own port wins over `-P`. */
export function endpoint(context: CliContext, peer: PeerAddress): { host: string; port: number } {
  if (peer.user !== undefined) {
    throw new E2eeftpError('E2EEFTP_UNSUPPORTED', `'${peer.user}@': user names in addresses are not supported yet`, {
      hint: 'leave it out; your key decides what you may do',
    });
  }
  return { host: peer.host, port: peer.port ?? context.globals.port };
}

/** The file of known servers. */
export function knownServersFile(env: NodeJS.ProcessEnv): string {
  return join(clientDirectory(env), 'known_servers');
}

/** The private key file to log in with; it is there. */
export async function identityFile(context: CliContext): Promise<string> {
  const file = context.globals.identity ?? join(clientDirectory(context.env), 'client_id.key');
  try {
    await access(file);
  } catch (cause) {
    const given = context.globals.identity !== undefined;
    throw new E2eeftpError('E2EEFTP_KEY_FILE', `${file}: there is no private key`, {
      cause,
      hint: given ? `make one: e2eeftp keygen ${file}` : 'make one: e2eeftp keygen, or name one with -i',
    });
  }
  return file;
}

/** The limits of `connect` for `--timeout`: it bounds connecting, a transfer that stands still, and each reply. */
export function timeLimits(
  seconds: number | undefined,
): Pick<ConnectOptions, 'timeoutMs' | 'stallTimeoutMs' | 'replyTimeoutMs'> {
  if (seconds === undefined) return {};
  const limit = Math.ceil(seconds * 1000);
  return { timeoutMs: limit, stallTimeoutMs: limit, replyTimeoutMs: limit };
}

/** Connects and logs in. A server that is not known yet is shown to the person at the terminal. */
async function openClient(context: CliContext, peer: PeerAddress): Promise<Client> {
  const { globals, env, signal, output } = context;
  const { host, port } = endpoint(context, peer);
  const identity = await identityFile(context);
  output.detail(`connecting to ${displayName(serverName(host, port))} with ${displayName(identity)}`);
  const client = await connect({
    host,
    port,
    identity,
    knownServers: knownServersFile(env),
    ...(globals.serverKey === undefined ? {} : { serverKey: globals.serverKey }),
    ...timeLimits(globals.timeout),
    abortGraceMs: PEER_GRACE_MS,
    onUnknownServer: (server) => confirmServerKey(context, server),
    signal,
  });
  context.alive();
  return client;
}

/** Runs `use` with a client and closes it, whatever happens. */
export async function withClient<T>(
  context: CliContext,
  peer: PeerAddress,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await openClient(context, peer);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** One client for each server, opened when first needed. */
export class ClientPool {
  readonly #context: CliContext;
  readonly #clients = new Map<string, Client>();

  constructor(context: CliContext) {
    this.#context = context;
  }

  async open(peer: PeerAddress): Promise<Client> {
    const { host, port } = endpoint(this.#context, peer);
    const name = serverName(host, port);
    const known = this.#clients.get(name);
    if (known !== undefined) return known;
    const client = await openClient(this.#context, peer);
    this.#clients.set(name, client);
    return client;
  }

  /** Closes all of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }
}
