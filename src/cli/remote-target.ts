/** Where files go on a server: the rules of `TARGET` in one place. */
import { type Client, E2eeftpError, type Entry, joinRemote } from '../index.js';
import type { RemoteAddress } from './address.js';

/** A name on a server as it is shown: `PEER:PATH`, whatever form it was given in. */
export function shownRemote({ host }: Pick<RemoteAddress, 'host'>, path: string): string {
  return `${host.includes(':') ? `[${host}]` : host}:${path}`;
}

/** The entry of a remote name, null when there is none, or undefined when this client may not know. */
async function lookUp(client: Client, path: string, signal: AbortSignal): Promise<Entry | null | undefined> {
  try {
    return await client.stat(path, { signal });
  } catch (error) {
    if (E2eeftpError.is(error, 'E2EEFTP_NOT_FOUND')) return null;
    if (E2eeftpError.is(error, 'E2EEFTP_NOT_PERMITTED')) return undefined;
    throw error;
  }
}

/** Whether a target is written as a directory: it ends with `/`, or is the home itself (`PEER:`). */
export function namesDirectory(path: string): boolean {
  return path === '' || path.endsWith('/') || path === '.' || path.endsWith('/.');
}

/** A target that is written as a directory, with the `/` at its end. */
export function asDirectory(path: string): string {
  return path === '' ? './' : path.endsWith('/') ? path : `${path}/`;
}

/**
 * The final name of a file called `baseName` that is sent to `target`: into it when it is written as a directory or is
 * one, else the target itself.
 */
export async function finalName(
  client: Client,
  target: string,
  baseName: string,
  signal: AbortSignal,
): Promise<{ path: string; existing: Entry | null | undefined }> {
  if (!namesDirectory(target)) {
    const existing = await lookUp(client, target, signal);
    if (existing?.type !== 'directory') return { path: target, existing };
  }
  const path = joinRemote(asDirectory(target), baseName);
  return { path, existing: await lookUp(client, path, signal) };
}

/**
 * The directory that several sources go into.
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` unless the target is written as one or is one.
 */
export async function requireDirectory(client: Client, target: string, signal: AbortSignal): Promise<string> {
  if (namesDirectory(target)) return asDirectory(target);
  const existing = await lookUp(client, target, signal);
  if (existing?.type === 'directory') return asDirectory(target);
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `'${target}' is not a directory, but there are several sources`, {
    hint: `write '${target}/' for a directory`,
  });
}
