/**
 * Logging in to a server that has proved its key: with the first of several identities that it accepts.
 */
import { E2eeftpError } from '../../errors.js';
import type { Identity } from '../../identity/identity.js';
import type { IdentitySequence } from '../../identity/identity-sequence.js';
import type { PublicKey } from '../../identity/public-key.js';
import { native } from '../../native.js';
import type { NativeConnecting, NativeSession } from '../../native.js';
import { displayName } from '../../storage/display-name.js';
import { PROTOCOL_VERSION, STATUS_OK } from '../status.js';
import { orAbort } from './abort.js';
import { decodeReply, replyError } from './reply.js';

/** Options of {@link logIn}. */
export interface LogInOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
  /** Told that somebody has to touch the security key that has `key`. */
  readonly onTouch?: ((key: PublicKey) => void) | undefined;
}

/** A session, and what the server says it is. */
export interface LoggedIn {
  readonly session: NativeSession;
  readonly software: string;
}

/**
 * Logs in with `identity` on a connection of its own.
 *
 * @throws E2eeftpError `E2EEFTP_AUTH_REFUSED`, `E2EEFTP_AGENT`, `E2EEFTP_INCOMPATIBLE` and those of the connection.
 */
export async function logIn(
  connecting: NativeConnecting,
  identity: Identity,
  options: LogInOptions,
): Promise<LoggedIn> {
  const { signal, timeoutMs = 10_000, onTouch } = options;
  let session: NativeSession;
  try {
    if (identity.isInAgent && identity.publicKey.kind !== 'ssh-ed25519') onTouch?.(identity.publicKey);
    session = await orAbort(
      identity.withKey((key) => connecting.authenticate(key)),
      signal,
      (late) => late.destroy(),
    );
  } catch (error) {
    connecting.close();
    throw error;
  }
  try {
    const message = await orAbort(
      native(() => session.nextControl(timeoutMs)),
      signal,
    );
    return { session, software: readReady(message ?? null) };
  } catch (error) {
    session.destroy();
    throw E2eeftpError.is(error, 'E2EEFTP_AUTH_REFUSED') ? refused([identity], error) : error;
  }
}

/**
 * Logs in with the first identity that the server accepts, `first` or one that follows it.
 *
 * @param connecting the connection for `first`; each further identity gets one from `dial`.
 * @throws E2eeftpError as {@link logIn}; `E2EEFTP_AUTH_REFUSED` names all keys that were refused.
 */
export async function logInWithAny(
  connecting: NativeConnecting,
  first: Identity,
  others: IdentitySequence,
  dial: () => Promise<NativeConnecting>,
  options: LogInOptions,
): Promise<LoggedIn & { identity: Identity }> {
  const turnedAway: Identity[] = [];
  let identity = first;
  let connection = connecting;
  for (;;) {
    try {
      return { ...(await logIn(connection, identity, options)), identity };
    } catch (error) {
      const isRefused = E2eeftpError.is(error, 'E2EEFTP_AUTH_REFUSED');
      if (isRefused) turnedAway.push(identity);
      const next = isRefused || E2eeftpError.is(error, 'E2EEFTP_AGENT') ? await others.next() : undefined;
      if (next === undefined) throw isRefused ? refused(turnedAway, error) : error;
      identity = next;
      connection = await dial();
    }
  }
}

function readReady(message: Buffer | null): string {
  if (message === null) throw new E2eeftpError('E2EEFTP_CONNECTION_LOST', 'the server closed the connection');
  const ready = decodeReply(message);
  const refusal = replyError(ready);
  if (refusal !== null) throw refusal;
  const { protocol, software } = ready.members;
  if (ready.id !== 0 || ready.status !== STATUS_OK || protocol !== PROTOCOL_VERSION) {
    throw new E2eeftpError('E2EEFTP_INCOMPATIBLE', 'the server speaks another version of the protocol');
  }
  return typeof software === 'string' ? displayName(software).slice(0, 100) : '';
}

/** The error of a client none of whose keys is accepted. */
export function refused(identities: readonly Identity[], cause: E2eeftpError): E2eeftpError {
  const keys = identities.map(({ publicKey }) => publicKey);
  const names = keys.map(({ fingerprint }) => fingerprint).join(', ');
  return new E2eeftpError(
    'E2EEFTP_AUTH_REFUSED',
    keys.length === 1 ? `the server does not accept the key ${names}` : `the server accepts none of the keys ${names}`,
    { cause, hint: `its operator can add one: e2eeftp authorize '${keys[0]?.openssh}'` },
  );
}
