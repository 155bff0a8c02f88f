/**
 * Connecting to an old server. The protocol has the client show its identity first, to whoever answers; what it asks is
 * said only after the server's key was found to be the right one.
 */
import { join } from 'node:path';
import { E2eeftpError } from '../../errors.js';
import { linkSignals, orAbort } from '../../e2eeftp/client/abort.js';
import { askAbout, checkTarget, onRecord, pinned } from '../../e2eeftp/client/connect.js';
import type { ConnectOptions, Judge } from '../../e2eeftp/client/connect.js';
import { refused } from '../../e2eeftp/client/log-in.js';
import { clientDirectory } from '../../identity/default-directories.js';
import { KnownServers } from '../../identity/known-servers.js';
import type { PublicKey } from '../../identity/public-key.js';
import { serverName } from '../../identity/server-address.js';
import { resolveServerKey } from '../../identity/server-pin.js';
import { connectClassicNative, nativeSync } from '../../native.js';
import type { NativeClassicConnection } from '../../native.js';
import { ClassicClient } from './classic-client.js';
import { openClassicIdentity } from './classic-identity.js';
import type { ClassicIdentityOptions } from './classic-identity.js';

/** Options of {@link connectClassic}: those of `connect` that the old protocol has a use for. */
export type ClassicConnectOptions = ClassicIdentityOptions &
  Omit<ConnectOptions, 'abortGraceMs' | 'agentSocket' | 'identity' | 'keepAliveMs' | 'onTouch' | 'spaceTimeoutMs'>;

/**
 * Finds out whether a server of the original e2eeftp is there, is the right one and lets this client in. Each command
 * then has a connection of its own, on which the server's key is compared again.
 *
 * @throws E2eeftpError `E2EEFTP_CONNECT`, `E2EEFTP_UNKNOWN_HOST`, `E2EEFTP_TIMEOUT`; `E2EEFTP_SERVER_KEY_UNKNOWN`,
 * `E2EEFTP_SERVER_KEY_CHANGED`; `E2EEFTP_KEY_FILE`, `E2EEFTP_KEY_ENCRYPTED`,
 * `E2EEFTP_WRONG_PASSPHRASE`, `E2EEFTP_UNSUPPORTED` for a key in an ssh-agent or a security key; `E2EEFTP_AUTH_REFUSED`; `E2EEFTP_PROTOCOL`, `E2EEFTP_WEAK_KEY` and
 * `E2EEFTP_INTEGRITY` when what answers is no such server.
 */
export async function connectClassic(options: ClassicConnectOptions): Promise<ClassicClient> {
  const { signal } = options;
  signal?.throwIfAborted();
  const target = checkTarget(options);
  const identity = await orAbort(openClassicIdentity(options), signal);
  const known = new KnownServers(options.knownServers ?? join(clientDirectory(), 'known_servers'), {
    hash: options.hashKnownServers ?? false,
  });
  const judge: Judge =
    options.serverKey === undefined
      ? (key) => onRecord(target, known, key)
      : pinned(target, await resolveServerKey(options.serverKey, target.host, target.port));

  const dial = async (callSignal: AbortSignal | undefined): Promise<NativeClassicConnection> =>
    orAbort(
      identity.withKey((key) => connectClassicNative(target, key)),
      callSignal,
      (late) => late.close(),
    ).catch((error: unknown) => {
      throw E2eeftpError.is(error, 'E2EEFTP_AUTH_REFUSED') ? refused([identity], error) : error;
    });

  const first = await dial(signal);
  let key: PublicKey;
  let verdict: 'trusted' | 'unknown';
  try {
    key = shownKey(first);
    verdict = await judge(key);
  } finally {
    first.close();
  }
  if (verdict === 'unknown') {
    await askAbout({ ...target, fingerprint: key.fingerprint, key }, options, signal).catch((error: unknown) => {
      if (!E2eeftpError.is(error, 'E2EEFTP_SERVER_KEY_UNKNOWN')) throw error;
      // `trust` can't ask a server of the old protocol: it is given the whole key.
      const name = serverName(target.host, target.port);
      const hint = `compare the fingerprint with its operator, then: e2eeftp trust ${name} '${key.openssh}'`;
      throw new E2eeftpError(error.code, error.message, { hint, cause: error });
    });
    // The server has let this client in: it says hello to nobody else.
    await known.add(target.host, target.port, key);
  }
  const exactly = pinned(target, [key.fingerprint]);
  return new ClassicClient({
    host: target.host,
    port: target.port,
    serverKey: key,
    replyTimeoutMs: options.replyTimeoutMs ?? 300_000,
    connection: async (callSignal, use) => {
      const connection = await dial(callSignal);
      const close = (): void => connection.close();
      const { signal: linked, unlink } = linkSignals(callSignal);
      linked.addEventListener('abort', close, { once: true });
      try {
        linked.throwIfAborted();
        await exactly(shownKey(connection));
        return await use(connection);
      } catch (error) {
        linked.throwIfAborted();
        throw error;
      } finally {
        unlink();
        close();
      }
    },
  });
}

function shownKey(connection: NativeClassicConnection): PublicKey {
  const key = nativeSync(() => connection.serverKey);
  if (key !== null && key !== undefined) return key;
  throw new E2eeftpError('E2EEFTP_INTERNAL', 'a connection to a server without the server’s key');
}
