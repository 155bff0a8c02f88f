/** `--listen ADDR:PORT`. */
import { isIP, isIPv6 } from 'node:net';
import { InvalidArgumentError } from 'commander';

/** Where a server listens. */
export interface ListenAddress {
  host: string;
  /** 0 picks a free port. */
  port: number;
}

/**
 * Reads `ADDR:PORT`, `[IPv6]:PORT`, `:PORT` and `*:PORT` (every address).
 * @throws InvalidArgumentError for anything else.
 */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? NaN);
  const bracketed = match?.[1];
  const plain = match?.[2] ?? '';
  if (match === null || port > 65_535) {
    throw new InvalidArgumentError('Give ADDRESS:PORT, for example 127.0.0.1:5001, [::1]:5001 or 0.0.0.0:5001.');
  }
  if (bracketed !== undefined && !isIPv6(bracketed)) {
    throw new InvalidArgumentError(`[${bracketed}] is not an IPv6 address.`);
  }
  const host = bracketed ?? (plain === '' || plain === '*' ? '::' : plain);
  if (isIP(host) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host)) {
    throw new InvalidArgumentError(`'${host}' is not an address.`);
  }
  return { host, port };
}

/** Whether only this machine can connect there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
