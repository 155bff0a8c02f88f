/**
 * A server's key that changes: the old key signs a statement about the new one, and clients that know the old key follow
 * it. See `docs/PROTOCOL.md` §4.1 for the statement and `docs/THREATS.md` for what it can't do.
 */
import { E2eeftpError } from '../errors.js';
import { extendRotation, nativeSync, readRotation } from '../native.js';
import type { KeyRotation } from '../native.js';
import { isSystemError, reason, withFileLock, writeAtomically } from './atomic-file.js';
import { Identity, publicHalf, readKeyFile } from './identity.js';
import type { Passphrase, Secret } from './passphrase.js';
import type { PublicKey } from './public-key.js';
import { readSmallFile } from './read-small-file.js';

const MAX_FILE = 16 * 1024;

/** The statements of a server. */
export interface RotationFile {
  /** As it is written in `server_id.rotation`. */
  readonly text: string;
  /** Verified, oldest first; at least one. */
  readonly steps: readonly KeyRotation[];
}

/**
 * Reads a file `server_id.rotation` and verifies it; `null` when there is none.
 *
 * @throws E2eeftpError `E2EEFTP_KEY_FILE` when it can't be read or a statement does not hold.
 */
export async function readRotationFile(path: string): Promise<RotationFile | null> {
  let text: string;
  try {
    text = (await readSmallFile(path, MAX_FILE)).bytes.toString('utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return null;
    throw new E2eeftpError('E2EEFTP_KEY_FILE', `cannot read ${path}: ${reason(error)}`, { cause: error });
  }
  try {
    return { text, steps: nativeSync(() => readRotation(text)) };
  } catch (error) {
    throw E2eeftpError.is(error) ? error.within(path) : error;
  }
}

/** The files that a rotation works on. */
export interface RotationPaths {
  readonly key: string;
  readonly oldKey: string;
  readonly publicKey: string;
  readonly rotation: string;
}

/** How {@link rotateServerKey} works. */
export interface RotateOptions {
  /** Opens the old key. */
  readonly passphrase?: Passphrase;
  /** For the new key; overwritten by the caller. @default not encrypted */
  readonly newPassphrase?: Secret;
}

/** What {@link rotateServerKey} has done. */
export interface Rotated {
  readonly old: PublicKey;
  readonly identity: Identity;
  readonly sequence: number;
}

/**
 * Gives a server a new key and writes the statement of the old one about it.
 *
 * Broken off at any point, the server still starts: the statement is written first, and is not shown before the key
 * that it names is in place; the old key is kept beside the new one. A server that runs goes on with the old key until it
 * is started again.
 *
 * @throws E2eeftpError `E2EEFTP_KEY_FILE` when there is no key, or the statements until now do not hold.
 */
export async function rotateServerKey(paths: RotationPaths, options: RotateOptions = {}): Promise<Rotated> {
  const opened = await Identity.load(paths.key, options.passphrase);
  return withFileLock(paths.rotation, async () => {
    const text = await readKeyFile(paths.key);
    try {
      if (publicHalf(text).base64 !== opened.publicKey.base64) {
        throw new E2eeftpError('E2EEFTP_BUSY', `${paths.key} was changed by another process`);
      }
      const before = await readRotationFile(paths.rotation);
      const identity = Identity.generate();
      const statements = await opened.withKey(async (key) =>
        extendRotation(key, identity.publicKey.openssh, Math.floor(Date.now() / 1000), before?.text),
      );
      await writeAtomically(paths.rotation, statements, { mode: 0o644 });
      await writeAtomically(paths.oldKey, text, { mode: 0o600 });
      await identity.save(paths.key, {
        comment: 'e2eeftp server',
        overwrite: true,
        ...(options.newPassphrase === undefined ? {} : { passphrase: options.newPassphrase }),
      });
      await writeAtomically(paths.publicKey, identity.publicKey.pem, { mode: 0o644 });
      const last = nativeSync(() => readRotation(statements)).at(-1);
      if (last === undefined) throw new E2eeftpError('E2EEFTP_INTERNAL', 'a rotation without a statement');
      return { old: opened.publicKey, identity, sequence: last.sequence };
    } finally {
      text.fill(0);
    }
  });
}
