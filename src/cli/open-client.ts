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
  type RotatedServer,
  serverName,
} from '../index.js';
import type { PeerAddress } from './address.js';
import type { CliContext } from './context.js';
import { confirmServerKey } from './first-contact.js';
import { PEER_GRACE_MS } from './interruption.js';
import { passphraseSource } from './passphrase-source.js';
import { publicKeyFile } from './public-key-file.js';
import { resolvePeer } from './settings/peer-settings.js';

/** `host` and `port` of an address or of a peer of the configuration file: the address's own port wins over `-P`. */
export function endpoint(context: CliContext, peer: PeerAddress): { host: string; port: number } {
  const { host, port, user } = resolvePeer(context, peer);
  if (user !== undefined) {
    throw new E2eeftpError('E2EEFTP_UNSUPPORTED', `'${user}@': user names in addresses are not supported yet`, {
      hint: 'leave it out; your key decides what you may do',
    });
  }
  return { host, port };
}

/** The file of known servers. */
export function knownServersFile(env: NodeJS.ProcessEnv): string {
  return join(clientDirectory(env), 'known_servers');
}

/** What `-i` names, or the default key: its private half, or its public half for one that the ssh-agent holds. */
async function identitySources(context: CliContext): Promise<readonly string[]> {
  const given = context.globals.identity;
  if (given !== undefined) return given;
  const file = join(clientDirectory(context.env), 'client_id.key');
  for (const candidate of [file, publicKeyFile(file)]) if (await isThere(candidate)) return [candidate];
  throw new E2eeftpError('E2EEFTP_KEY_FILE', `${file}: there is no private key`, {
    hint: 'make one: e2eeftp keygen, or name one with -i',
  });
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

/** The limits of `connect` for `--timeout`: it bounds connecting, a transfer that stands still, and each reply. */
export function timeLimits(
  seconds: number | undefined,
): Pick<ConnectOptions, 'timeoutMs' | 'stallTimeoutMs' | 'replyTimeoutMs'> {
  if (seconds === undefined) return {};
  const limit = Math.ceil(seconds * 1000);
  return { timeoutMs: limit, stallTimeoutMs: limit, replyTimeoutMs: limit };
}

/** How long a full disk here is waited for; only some verbs write files here. */
function spaceLimit({ settings }: CliContext): Pick<ConnectOptions, 'spaceTimeoutMs'> {
  const { value } = settings.get('space-timeout');
  return typeof value === 'number' ? { spaceTimeoutMs: Math.ceil(value * 1000) } : {};
}

/** Says that a known server has a new key, which its old key has vouched for. */
function tellRotation({ output }: CliContext, { host, port, oldKey, key, sequence }: RotatedServer): void {
  const name = serverName(host, port);
  if (output.json) {
    const { fingerprint } = key;
    output.event({ type: 'server-key', host, port, fingerprint, replaced: oldKey.fingerprint, sequence });
  }
  output.warn(
    `${displayName(name)} has a new key, ${key.fingerprint}: its old key ${oldKey.fingerprint} has signed it`,
  );
}

/** Connects and logs in. A server that is not known yet is shown to the person at the terminal. */
async function openClient(context: CliContext, peer: PeerAddress): Promise<Client> {
  const { env, signal, output } = context;
  const { host, port } = endpoint(context, peer);
  const { globals } = resolvePeer(context, peer);
  const identity = await identitySources({ ...context, globals });
  output.detail(`connecting to ${displayName(serverName(host, port))} with ${displayName(identity.join(', '))}`);
  const client = await connect({
    host,
    port,
    identity,
    passphrase: passphraseSource({ ...context, globals }),
    ...(env['SSH_AUTH_SOCK'] === undefined ? {} : { agentSocket: env['SSH_AUTH_SOCK'] }),
    onTouch: (key) => {
      // Nobody can say how long a person takes; the ssh-agent has a limit of its own.
      context.pauseTimeout();
      output.error(`Touch your security key (${key.fingerprint}) …`);
    },
    onWarning: (message) => output.warn(displayName(message)),
    knownServers: knownServersFile(env),
    hashKnownServers: globals.hashKnownServers,
    ...(globals.serverKey === undefined ? {} : { serverKey: globals.serverKey }),
    ...timeLimits(globals.timeout),
    ...spaceLimit(context),
    abortGraceMs: PEER_GRACE_MS,
    onRotatedServer: (server) => tellRotation(context, server),
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
    // Two peers of the configuration file may be one server, with different keys.
    const { identity, serverKey } = resolvePeer(this.#context, peer).globals;
    const name = JSON.stringify([serverName(host, port), identity, serverKey]);
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
