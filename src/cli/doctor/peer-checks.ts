/** What `doctor` looks at on the way to a server, and there. */
import { type Client, type ConnectionStats, displayName, serverName } from '../../index.js';
import type { PeerAddress } from '../address.js';
import type { CliContext } from '../context.js';
import { endpoint, withClient } from '../open-client.js';
import { toE2eeftpError } from '../report-error.js';
import { type Check, fail, ok, warn } from './check.js';
import type { TcpPath } from './tcp-settings.js';

/** The result, with the path that was measured. */
export interface PeerChecks {
  readonly checks: readonly Check[];
  /** `null` when the server was not reached. */
  readonly path: TcpPath | null;
}

/** Round trips that are measured. */
const TRIPS = 5;
/** A clock that is further off makes times of files and ends of grants wrong. */
const MAX_CLOCK_OFFSET = 5;
/** Path MTU of an ordinary Ethernet. */
const ORDINARY_MTU = 1500;

/** Connects as every other verb does, and looks around. */
export async function peerChecks(context: CliContext, peer: PeerAddress): Promise<PeerChecks> {
  const checks: Check[] = [];
  const { host, port } = endpoint(context, peer);
  const name = displayName(serverName(host, port));
  const started = performance.now();
  try {
    return await withClient(context, peer, async (client) => {
      const ms = (performance.now() - started).toPrecision(3);
      checks.push(
        ok('connection', `${name} reached, and logged in, in ${ms} ms`),
        ok('server key', client.serverKey.fingerprint),
        ok('server', `${displayName(client.software)}, ${client.suite}`),
        judgeClock(client.clockOffset),
      );
      const rtt = await fastestTrip(context, client);
      checks.push(ok('round trip', `${(rtt * 1000).toPrecision(3)} ms`));
      const info = await client.connectionStats();
      if (info !== null) checks.push(judgeMtu(info));
      return { checks, path: { rtt: info === null || info.minRtt === 0 ? rtt : info.minRtt, isMeasured: true } };
    });
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason;
    const failure = toE2eeftpError(error);
    const advice = failure.hint ?? 'is the server running, and does a firewall let this machine through?';
    checks.push(
      fail('connection', `${name}: ${displayName(failure.message)} (${failure.code})`, advice, failure.exitCode),
    );
    return { checks, path: null };
  }
}

/** What the server's clock says. @param offset seconds that it is ahead. */
export function judgeClock(offset: number): Check {
  // It tells whole seconds, cut off.
  const off = Math.max(0, Math.abs(offset + 0.5) - 0.5);
  if (off <= MAX_CLOCK_OFFSET) return ok('clock', 'the same as the server’s, to a few seconds');
  const direction = offset > 0 ? 'behind' : 'ahead of';
  return warn(
    'clock',
    `this machine’s clock is ${Math.round(off)} s ${direction} the server’s`,
    'let both keep their time by NTP: times of files and ends of grants go by it',
  );
}

/** What the kernel knows of the largest packet on the way. */
export function judgeMtu({ pathMtu, segmentLen }: Pick<ConnectionStats, 'pathMtu' | 'segmentLen'>): Check {
  const text = `path MTU ${pathMtu} bytes, segments of ${segmentLen}`;
  if (pathMtu === 0 || pathMtu >= ORDINARY_MTU - 100) return ok('mtu', text);
  return warn('mtu', text, 'small packets cost speed: a tunnel or VPN on the way, or a wrong MTU of an interface?');
}

async function fastestTrip({ signal, alive }: CliContext, client: Client): Promise<number> {
  let fastest = Infinity;
  for (let trip = 0; trip < TRIPS; trip += 1) {
    const started = performance.now();
    await client.commands({ signal });
    alive();
    fastest = Math.min(fastest, (performance.now() - started) / 1000);
  }
  return fastest;
}
