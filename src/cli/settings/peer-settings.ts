/** How a server is reached: an address, together with what the file says about a peer of that name. */
import type { PeerAddress } from '../address.js';
import type { CliContext } from '../context.js';
import type { GlobalOptions } from '../global-options.js';

/** A server with all that applies to it. */
export interface ResolvedPeer {
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  /** The global options as they are for this server. */
  readonly globals: GlobalOptions;
}

/**
 * What applies to one server. The port and user of the address win over options, those over the environment, that over
 * `[peers.NAME]`, that over `[defaults]`.
 */
export function resolvePeer({ settings, globals }: CliContext, address: PeerAddress): ResolvedPeer {
  const text = (key: string): string | undefined => settings.get(key, address.host).value as string | undefined;
  const identity = settings.get('identity', address.host).value as readonly string[] | undefined;
  const passphraseFile = text('passphrase-file');
  const serverKey = text('server-key');
  const port = address.port ?? (settings.get('port', address.host).value as number);
  return {
    host: text('host') ?? address.host,
    port,
    user: address.user ?? text('user'),
    globals: {
      ...globals,
      port,
      ...(identity === undefined ? {} : { identity }),
      ...(passphraseFile === undefined ? {} : { passphraseFile }),
      ...(serverKey === undefined ? {} : { serverKey }),
    },
  };
}
