/** The limits of `serve` in the terms of the library. */
import type { OptionValues } from 'commander';
import type { ServerOptions } from '../index.js';

const COUNTS = [
  'maxConnections',
  'maxHalfOpen',
  'maxTransfers',
  'handshakesPerSecond',
  'handshakeBurst',
  'limitRate',
] as const satisfies readonly (keyof ServerOptions)[];
const TIMES = {
  handshakeTimeout: 'handshakeTimeoutMs',
  idleTimeout: 'idleTimeoutMs',
  proofTimeout: 'proofTimeoutMs',
  spaceTimeout: 'spaceTimeoutMs',
  stallTimeout: 'stallTimeoutMs',
} as const;

/** The limits that somebody gave; those that nobody did have the defaults of the library. */
export function serverLimits(options: OptionValues): Partial<ServerOptions> {
  const limits: Record<string, number> = {};
  for (const name of COUNTS) if (typeof options[name] === 'number') limits[name] = options[name];
  for (const [name, member] of Object.entries(TIMES)) {
    const seconds: unknown = options[name];
    if (typeof seconds === 'number') limits[member] = Math.ceil(seconds * 1000);
  }
  return limits;
}
