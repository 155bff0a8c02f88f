/** `--classic`: talk to a server of the original Python e2eeftp (`docs/CLASSIC.md`). */
import type { PeerAddress } from '../address.js';
import type { CliContext } from '../context.js';

/** Whether it was given, for these servers: it may also stand with a peer in the configuration file. */
export function isClassic({ settings }: CliContext, addresses: readonly PeerAddress[]): boolean {
  return addresses.some(({ host }) => settings.get('classic', host).value === true);
}
