/**
 * How a server is named in `known_servers`: `host:port`, with IPv6 addresses in brackets.
 */
import { isIPv6 } from 'node:net';

/** Port of the `e2eeftp/1` protocol when none is given. */
export const DEFAULT_PORT = 5001;

/** `host:port` in one spelling: lower case, no dot at the end, IPv6 shortened and in brackets. */
export function serverName(host: string, port: number): string {
  return `${canonicalHost(host)}:${port}`;
}

/** Reads `host:port` or `[v6]:port`; `null` when it is neither. */
export function parseServerName(text: string): { host: string; port: number } | null {
  const match = /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) return null;
  return { host: match[1] ?? match[2] ?? '', port };
}

function canonicalHost(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  if (!isIPv6(bare)) return bare.toLowerCase().replace(/\.$/, '');
  const [address = '', zone] = bare.split('%');
  const short = new URL(`http://[${address}]/`).hostname;
  return zone === undefined ? short : `${short.slice(0, -1)}%${zone}]`;
}
