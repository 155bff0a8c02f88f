/**
 * The listeners take addresses only; a host name to listen on is looked up here.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { E2eeftpError } from '../errors.js';

/**
 * The address of `host`.
 *
 * @throws E2eeftpError `E2EEFTP_UNKNOWN_HOST`.
 */
export async function addressOf(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new E2eeftpError('E2EEFTP_UNKNOWN_HOST', `cannot look up ${host}`, { cause: error });
  }
}
