/**
 * A server's data directory: its identity, the public half for its clients, the list of who may log in, and the files.
 */
import { join } from 'node:path';
import { E2eeftpError } from '../errors.js';
import { isSystemError, makePrivateDirectory, reason, writeAtomically } from './atomic-file.js';
import { Identity, isKeyFileExposed } from './identity.js';
import type { Passphrase } from './passphrase.js';
import { parsePublicKey } from './public-key.js';
import { readSmallFile } from './read-small-file.js';
import { readRotationFile } from './rotation.js';

/** Longest file with a public key, in bytes. */
const MAX_KEY_FILE = 64 * 1024;

/** Where the parts of a data directory are. */
export interface ServerDataPaths {
  /** Private key, mode 0600. */
  readonly key: string;
  /** The key before the last rotation, mode 0600. Nothing reads it. */
  readonly oldKey: string;
  /** Statements of older keys that lead to the present one. */
  readonly rotation: string;
  /** Its public half in PEM: what a client copies to pin the server. */
  readonly publicKey: string;
  /** Who may log in. */
  readonly authorizedClients: string;
  /** Default root. */
  readonly files: string;
}

/** A data directory that is ready to serve from. */
export interface ServerData {
  readonly identity: Identity;
  /** Text of the statements that lead to the identity; `null` when there are none. */
  readonly rotation: string | null;
  /** Whether the identity was made just now. */
  readonly created: boolean;
  readonly paths: ServerDataPaths;
  /** What the operator should look at, as sentences. */
  readonly warnings: readonly string[];
}

/** The file names below `dataDir`. */
export function serverDataPaths(dataDir: string): ServerDataPaths {
  return {
    key: join(dataDir, 'server_id.key'),
    oldKey: join(dataDir, 'server_id.old.key'),
    rotation: join(dataDir, 'server_id.rotation'),
    publicKey: join(dataDir, 'known_server.pub'),
    authorizedClients: join(dataDir, 'authorized_clients.pub'),
    files: join(dataDir, 'files'),
  };
}

/**
 * Opens a data directory; on the first start makes it, with a new identity.
 *
 * @param passphrase of the identity that is there.
 * @throws E2eeftpError `E2EEFTP_KEY_FILE`, `E2EEFTP_KEY_ENCRYPTED` or `E2EEFTP_WRONG_PASSPHRASE` when there is an identity that can't be read: it is never replaced.
 */
export async function openServerData(dataDir: string, passphrase?: Passphrase): Promise<ServerData> {
  const paths = serverDataPaths(dataDir);
  await makePrivateDirectory(dataDir);
  const { identity, created } = await loadOrMake(paths.key, passphrase);
  const warnings: string[] = [];
  if (await isKeyFileExposed(paths.key)) {
    warnings.push(`${paths.key} can be read by other users; run: chmod 600 ${paths.key}`);
  }
  const written = await readOrNull(paths.publicKey);
  if (written === null) {
    await writeAtomically(paths.publicKey, identity.publicKey.pem, { mode: 0o644 });
  } else if (!isSameKey(written, identity)) {
    warnings.push(`${paths.publicKey} does not belong to ${paths.key}; clients that pinned it will refuse this server`);
  }
  const rotation = await readRotationFile(paths.rotation);
  const isCurrent = rotation?.steps.at(-1)?.newKey.base64 === identity.publicKey.base64;
  if (rotation !== null && !isCurrent) {
    warnings.push(`${paths.rotation} does not lead to ${paths.key} and is not shown; was a rotation broken off?`);
  }
  return { identity, rotation: isCurrent ? (rotation?.text ?? null) : null, created, paths, warnings };
}

async function loadOrMake(
  path: string,
  passphrase: Passphrase | undefined,
): Promise<{ identity: Identity; created: boolean }> {
  try {
    return { identity: await Identity.load(path, passphrase), created: false };
  } catch (error) {
    if (!(E2eeftpError.is(error) && isSystemError(error.cause, 'ENOENT'))) throw error;
  }
  const identity = Identity.generate();
  try {
    await identity.save(path, { comment: 'e2eeftp server' });
    return { identity, created: true };
  } catch (error) {
    // Another server in the same directory was first: its key is the one.
    if (E2eeftpError.is(error, 'E2EEFTP_EXISTS'))
      return { identity: await Identity.load(path, passphrase), created: false };
    throw error;
  }
}

async function readOrNull(path: string): Promise<string | null> {
  try {
    return (await readSmallFile(path, MAX_KEY_FILE)).bytes.toString('utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return null;
    throw new E2eeftpError('E2EEFTP_KEY_FILE', `cannot read ${path}: ${reason(error)}`, { cause: error });
  }
}

function isSameKey(text: string, identity: Identity): boolean {
  try {
    return parsePublicKey(text).base64 === identity.publicKey.base64;
  } catch (error) {
    if (E2eeftpError.is(error)) return false;
    throw error;
  }
}
