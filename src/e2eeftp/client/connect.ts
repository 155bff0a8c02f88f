/**
 * Connecting: whom to trust, then who we are. The server proves its key first; the client's identity is sent only to a
 * server that was found to be the right one.
 */
import { join } from 'node:path';
import { E2eeftpError } from '../../errors.js';
import { clientDirectory } from '../../identity/default-directories.js';
import { Identity } from '../../identity/identity.js';
import { IdentitySequence } from '../../identity/identity-sequence.js';
import { KnownServers } from '../../identity/known-servers.js';
import type { Passphrase } from '../../identity/passphrase.js';
import type { PublicKey } from '../../identity/public-key.js';
import { DEFAULT_PORT, serverName } from '../../identity/server-address.js';
import { resolveServerKey } from '../../identity/server-pin.js';
import { connectNative, native, nativeSync } from '../../native.js';
import type { KeyRotation, NativeConnecting, NativeSession } from '../../native.js';
import { orAbort } from './abort.js';
import { Client } from './client.js';
import { followRotation } from './follow-rotation.js';
import type { RotatedServer } from './follow-rotation.js';
import { logIn, logInWithAny } from './log-in.js';

/** A server whose key is not on record. */
export interface UnknownServer {
  readonly host: string;
  readonly port: number;
  /** `SHA256:…`, to be compared with what the server's operator says. */
  readonly fingerprint: string;
  readonly key: PublicKey;
}

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** Name or address. */
  readonly host: string;
  /** @default 5001 */
  readonly port?: number;
  /**
   * Who the client is: what `openIdentity` takes, an identity that was opened, or several of them. Of several, one after
   * another is shown to a server that refused the one before, each on a new connection, six at most. `agent` stands for
   * all keys of the ssh-agent. @default client_id.key in the client's directory
   */
  readonly identity?: string | Identity | readonly (string | Identity)[];
  /** For private key files that need one. @default none */
  readonly passphrase?: Passphrase;
  /** Socket of the ssh-agent. @default SSH_AUTH_SOCK */
  readonly agentSocket?: string;
  /** Told when somebody has to touch the security key that has `key`. */
  readonly onTouch?: (key: PublicKey) => void;
  /** Told about what the client's owner should look at, such as a private key that others can read. @default silent */
  readonly onWarning?: (message: string) => void;
  /**
   * The key that the server must have: a fingerprint, a public key, or a file such as `known_server.pub`. The file of
   * known servers is not looked at then, and a new key is refused even if this one has named it.
   */
  readonly serverKey?: string;
  /** File of known servers. @default known_servers in the client's directory */
  readonly knownServers?: string;
  /** Write names that come onto record as hashes, so that the file does not tell them. @default false */
  readonly hashKnownServers?: boolean;
  /**
   * Asked about a server that is not on record; `true` puts its key on record. It may take its time: no connection is
   * open meanwhile. A server whose key has changed is never asked about. @default refuse
   */
  readonly onUnknownServer?: (server: UnknownServer) => boolean | Promise<boolean>;
  /**
   * Told that a server on record has another key, that the old one had named it, and that it is on record in its place.
   * @default silent
   */
  readonly onRotatedServer?: (server: RotatedServer) => void;
  /** Time for look-up, connection and handshake, in milliseconds. @default 10_000 */
  readonly timeoutMs?: number;
  /** How long a transfer may stand still, in milliseconds. @default 30_000 */
  readonly stallTimeoutMs?: number;
  /**
   * How often a stream that is written to, and whose writer is silent, says that it is still there, in milliseconds; to
   * be well below the server's `stallTimeoutMs`. @default 10_000
   */
  readonly keepAliveMs?: number;
  /** How long a full local disk is waited for, in milliseconds; 0 = not at all. @default 600_000 */
  readonly spaceTimeoutMs?: number;
  /** How long a reply may take, in milliseconds; 0 = no limit. @default 300_000 */
  readonly replyTimeoutMs?: number;
  /**
   * How long a transfer whose connection broke tries to reach the server again while nothing moves, in milliseconds; 0 =
   * not at all. A transfer's own option wins. @default 120_000
   */
  readonly reconnectMs?: number;
  /** How long an aborted transfer may take to end before the connection is dropped, in milliseconds. @default 750 */
  readonly abortGraceMs?: number;
  /** Aborts connecting; has no effect on the client once it is there. */
  readonly signal?: AbortSignal;
}

/** How a server's key is judged. */
export type Judge = (key: PublicKey, steps?: readonly KeyRotation[]) => Promise<'trusted' | 'unknown'>;

/**
 * Connects to a server and logs in.
 *
 * @throws E2eeftpError `E2EEFTP_CONNECT`, `E2EEFTP_UNKNOWN_HOST`, `E2EEFTP_TIMEOUT`; `E2EEFTP_SERVER_KEY_UNKNOWN`,
 * `E2EEFTP_SERVER_KEY_CHANGED`; `E2EEFTP_AUTH_REFUSED`; `E2EEFTP_INCOMPATIBLE`; and those of `openIdentity`.
 */
export async function connect(options: ConnectOptions): Promise<Client> {
  const { signal } = options;
  signal?.throwIfAborted();
  const target = checkTarget(options);
  const identities = identitiesOf(options);
  const first = await orAbort(identities.next(), signal);
  if (first === undefined) throw invalid('identity must name at least one key');
  const known = new KnownServers(options.knownServers ?? join(clientDirectory(), 'known_servers'), {
    hash: options.hashKnownServers ?? false,
  });
  let judge: Judge;
  if (options.serverKey !== undefined) {
    judge = pinned(target, await resolveServerKey(options.serverKey, target.host, target.port));
  } else {
    judge = (key, steps) => onRecord(target, known, key, steps, options.onRotatedServer);
  }

  let connecting = await dial(target, signal);
  let trust: { key: PublicKey; isNew: boolean };
  try {
    const key = nativeSync(() => connecting.serverKey);
    const steps = nativeSync(() => connecting.rotation);
    trust = { key, isNew: (await judge(key, steps)) === 'unknown' };
  } catch (error) {
    connecting.close();
    throw error;
  }
  const clockOffset = nativeSync(() => connecting.serverTime) - Date.now() / 1000;
  const { key } = trust;
  const exactly = pinned(target, [key.fingerprint]);
  if (trust.isNew) {
    // The answer may take minutes, and the server waits for seconds: ask without a connection, then make a new one.
    connecting.close();
    await askAbout({ ...target, fingerprint: key.fingerprint, key }, options, signal);
    connecting = await dial(target, signal);
    await judgeOrClose(connecting, exactly);
  }
  const redial = async (dialSignal: AbortSignal | undefined): Promise<NativeConnecting> => {
    const side = await dial(target, dialSignal);
    await judgeOrClose(side, exactly);
    return side;
  };
  const opened = await logInWithAny(connecting, first, identities, () => redial(signal), options);
  if (trust.isNew) {
    try {
      await known.add(target.host, target.port, key);
    } catch (error) {
      opened.session.destroy();
      throw error;
    }
  }
  const again = async (streamSignal: AbortSignal | undefined): Promise<NativeSession> => {
    const side = await redial(streamSignal);
    return (await logIn(side, opened.identity, { ...options, signal: streamSignal })).session;
  };
  return new Client({
    session: opened.session,
    dial: again,
    host: target.host,
    port: target.port,
    serverKey: key,
    identity: opened.identity,
    onTouch: options.onTouch,
    software: opened.software,
    clockOffset,
    channel: { replyTimeoutMs: options.replyTimeoutMs ?? 300_000, abortGraceMs: options.abortGraceMs ?? 750 },
    reconnectMs: options.reconnectMs ?? 120_000,
  });
}

/**
 * The key that a server shows, without logging in: the server does not learn who asked. It proves that the server has
 * the private key, not that it is the right server: that is for the caller to find out.
 *
 * @throws E2eeftpError `E2EEFTP_CONNECT`, `E2EEFTP_UNKNOWN_HOST`, `E2EEFTP_TIMEOUT`.
 */
export async function fetchServerKey(
  options: Pick<ConnectOptions, 'host' | 'port' | 'timeoutMs' | 'signal'>,
): Promise<PublicKey> {
  options.signal?.throwIfAborted();
  const connecting = await dial(checkTarget(options), options.signal);
  try {
    return nativeSync(() => connecting.serverKey);
  } finally {
    connecting.close();
  }
}

/** Options about the connection itself, checked. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly stallTimeoutMs?: number;
  readonly keepAliveMs?: number;
  readonly spaceTimeoutMs?: number;
}

/** Fills in and checks what {@link Target} has. */
export function checkTarget(options: Omit<ConnectOptions, 'identity'>): Target {
  const { host, port = DEFAULT_PORT, timeoutMs = 10_000, stallTimeoutMs, keepAliveMs, spaceTimeoutMs } = options;
  if (typeof host !== 'string' || host === '') throw invalid('host must be a name or an address');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw invalid('port must be a number from 1 to 65535');
  for (const [name, value] of Object.entries({ timeoutMs, stallTimeoutMs, keepAliveMs })) {
    if (value !== undefined && !(value > 0 && value < 2 ** 31)) throw invalid(`${name} must be a positive number`);
  }
  if (spaceTimeoutMs !== undefined && !(spaceTimeoutMs >= 0 && spaceTimeoutMs < 2 ** 31)) {
    throw invalid('spaceTimeoutMs must be a number from 0 on');
  }
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  return {
    host: bare,
    port,
    timeoutMs,
    ...(stallTimeoutMs === undefined ? {} : { stallTimeoutMs }),
    ...(keepAliveMs === undefined ? {} : { keepAliveMs }),
    ...(spaceTimeoutMs === undefined ? {} : { spaceTimeoutMs }),
  };
}

function identitiesOf(options: ConnectOptions): IdentitySequence {
  const { identity = join(clientDirectory(), 'client_id.key'), passphrase, agentSocket, onWarning } = options;
  const sources = typeof identity === 'string' || identity instanceof Identity ? [identity] : identity;
  return new IdentitySequence(sources, { passphrase, agentSocket, onWarning });
}

async function dial(target: Target, signal: AbortSignal | undefined): Promise<NativeConnecting> {
  return orAbort(
    native(() => connectNative(target)),
    signal,
    (late) => late.close(),
  );
}

async function judgeOrClose(connecting: NativeConnecting, judge: Judge): Promise<void> {
  try {
    await judge(
      nativeSync(() => connecting.serverKey),
      nativeSync(() => connecting.rotation),
    );
  } catch (error) {
    connecting.close();
    throw error;
  }
}

/** Trusts these keys and no other. */
export function pinned(target: Target, fingerprints: readonly string[]): Judge {
  return async (key, steps = []) => {
    if (fingerprints.includes(key.fingerprint)) return 'trusted';
    const isNamed = steps.some(({ oldKey }) => fingerprints.includes(oldKey.fingerprint));
    throw keyChanged(target, fingerprints, key.fingerprint, { isNamed });
  };
}

/** Trusts what is on record, and what a key on record has named its successor. */
export async function onRecord(
  target: Target,
  known: KnownServers,
  key: PublicKey,
  steps: readonly KeyRotation[] = [],
  onRotatedServer?: ConnectOptions['onRotatedServer'],
): Promise<'trusted' | 'unknown'> {
  const { result, entries } = await known.lookup(target.host, target.port, key);
  if (result === 'match') return 'trusted';
  if (result === 'unknown') return 'unknown';
  const rotated = await followRotation(known, target, entries, key, steps);
  if (rotated !== null) {
    onRotatedServer?.(rotated);
    return 'trusted';
  }
  // Another process may have followed the same statement meanwhile.
  if ((await known.lookup(target.host, target.port, key)).result === 'match') return 'trusted';
  const fingerprints = entries.map((entry) => entry.key.fingerprint);
  const lines = entries.map((entry) => entry.line).join(', ');
  throw keyChanged(target, fingerprints, key.fingerprint, { where: `${known.path} line ${lines}` });
}

/** Asks about a server that is not on record; throws unless the answer is yes. */
export async function askAbout(
  server: UnknownServer,
  { onUnknownServer }: ConnectOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  const name = serverName(server.host, server.port);
  if (onUnknownServer !== undefined) {
    const answer = await orAbort(Promise.resolve(onUnknownServer(server)), signal);
    if (answer) return;
  }
  throw new E2eeftpError(
    'E2EEFTP_SERVER_KEY_UNKNOWN',
    `the server ${name} is not known; its key is ${server.fingerprint}`,
    { hint: `compare the fingerprint with its operator, then: e2eeftp trust ${name} ${server.fingerprint}` },
  );
}

function keyChanged(
  target: Target,
  expected: readonly string[],
  got: string,
  { where, isNamed = false }: { where?: string; isNamed?: boolean },
): E2eeftpError {
  const place = where === undefined ? '' : ` (${where})`;
  return new E2eeftpError(
    'E2EEFTP_SERVER_KEY_CHANGED',
    `the key of ${serverName(target.host, target.port)} is ${got}, expected ${expected.join(' or ')}${place}`,
    {
      hint: isNamed
        ? 'the pinned key has signed that this one follows it; a pin is for you to change, once the operator confirms it'
        : 'do not connect until the server’s operator has confirmed the new key',
    },
  );
}

function invalid(text: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', text);
}
