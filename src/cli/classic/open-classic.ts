/** Finds an old server with the global options: identity, trust, port, time limits. */
import { join } from 'node:path';
import {
  type ClassicClient,
  clientDirectory,
  connectClassic,
  displayName,
  E2eeftpError,
  serverName,
} from '../../index.js';
import type { PeerAddress, RemoteAddress } from '../address.js';
import type { CliContext } from '../context.js';
import { confirmServerKey } from '../first-contact.js';
import { endpoint, knownServersFile, timeLimits } from '../open-client.js';
import { passphraseSource } from '../passphrase-source.js';
import { resolvePeer } from '../settings/peer-settings.js';

/** The port of the original's command line: where its servers are, unless told otherwise. */
const CLASSIC_PORT = 2121;

/** Runs `use` with a client of an old server and closes it, whatever happens. */
export async function withClassicClient<T>(
  context: CliContext,
  peer: PeerAddress,
  use: (client: ClassicClient) => Promise<T>,
): Promise<T> {
  const { env, signal, output, settings } = context;
  const { host, port: usual } = endpoint(context, peer);
  const isPortGiven = peer.port !== undefined || settings.get('port', peer.host).origin.from !== 'default';
  const port = isPortGiven ? usual : CLASSIC_PORT;
  const { globals } = resolvePeer(context, peer);
  const [identity = join(clientDirectory(env), 'client_id.key'), ...others] = globals.identity ?? [];
  refuseOption(others.length > 0, 'several identities', 'an old server and every listener see each key that is tried');
  output.detail(`connecting to ${displayName(serverName(host, port))} with ${displayName(identity)} (classic)`);
  const client = await connectClassic({
    host,
    port,
    identity,
    passphrase: passphraseSource({ ...context, globals }),
    onWarning: (message) => output.warn(displayName(message)),
    knownServers: knownServersFile(env),
    hashKnownServers: globals.hashKnownServers,
    ...(globals.serverKey === undefined ? {} : { serverKey: globals.serverKey }),
    ...timeLimits(globals.timeout),
    onUnknownServer: (server) => confirmServerKey(context, server),
    signal,
  });
  context.alive();
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** The one server that all addresses name: an old server is asked for each file anew, but trusted once. */
export function onlyPeer(addresses: readonly RemoteAddress[]): RemoteAddress {
  const [first, ...others] = addresses;
  if (first === undefined) throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'no server is named');
  if (others.every(({ host, port, user }) => host === first.host && port === first.port && user === first.user)) {
    return first;
  }
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'with --classic all names are on one server', {
    hint: 'run the command once for each server',
  });
}

/** Refuses an option that the old protocol has no means for: it would have no effect. */
export function refuseOption(isGiven: boolean, option: string, reason: string): void {
  if (isGiven) throw new E2eeftpError('E2EEFTP_UNSUPPORTED', `${option} with --classic: ${reason}`);
}
