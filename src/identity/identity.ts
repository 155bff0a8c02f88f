/**
 * A private Ed25519 identity: whose key it is, where it is kept, and how it is written.
 *
 * The key itself lives in native memory. JavaScript sees its text form only while a file is read or written.
 */
import { readFile, stat } from 'node:fs/promises';
import { E2eeftpError } from '../errors.js';
import { NativeIdentity, native, nativeSync } from '../native.js';
import { isSystemError, makePrivateDirectory, reason, writeAtomically } from './atomic-file.js';
import type { PublicKey } from './public-key.js';
import { dirname } from 'node:path';

const MAX_KEY_FILE = 64 * 1024;

/** How {@link Identity.save} writes. */
export interface SaveOptions {
  /** Text at the end of the key, usually `user@host`. @default '' */
  readonly comment?: string;
  /** Replace a file that is there. @default false */
  readonly overwrite?: boolean;
}

/** A private key with its public half. Made by {@link Identity.generate} or {@link Identity.load}. */
export class Identity {
  readonly #key: NativeIdentity;
  /** The public half. */
  readonly publicKey: PublicKey;

  private constructor(key: NativeIdentity) {
    this.#key = key;
    this.publicKey = nativeSync(() => key.publicKey);
  }

  /** A new random identity. */
  static generate(): Identity {
    return new Identity(nativeSync(() => NativeIdentity.generate()));
  }

  /**
   * Reads a private key: OpenSSH format or PKCS#8 PEM.
   *
   * @throws E2eeftpError `E2EEFTP_KEY_FILE`, or `E2EEFTP_KEY_ENCRYPTED` when a passphrase is needed.
   */
  static parse(text: string | Uint8Array, passphrase?: string): Identity {
    const bytes = Buffer.from(text as string);
    const secret = passphrase === undefined ? null : Buffer.from(passphrase, 'utf8');
    try {
      return new Identity(nativeSync(() => NativeIdentity.fromText(bytes, secret)));
    } finally {
      bytes.fill(0);
      secret?.fill(0);
    }
  }

  /** Reads the private key in the file `path`; errors as {@link Identity.parse}, and name the file. */
  static async load(path: string, passphrase?: string): Promise<Identity> {
    let text: Buffer;
    try {
      const info = await stat(path);
      if (!info.isFile() || info.size > MAX_KEY_FILE) {
        throw new E2eeftpError('E2EEFTP_KEY_FILE', `${path} is not a private key file`);
      }
      text = await readFile(path);
    } catch (error) {
      if (E2eeftpError.is(error)) throw error;
      const hint = isSystemError(error, 'ENOENT') ? `make one with: e2eeftp keygen ${path}` : undefined;
      throw new E2eeftpError('E2EEFTP_KEY_FILE', `cannot read ${path}: ${reason(error)}`, { cause: error, hint });
    }
    try {
      return Identity.parse(text, passphrase);
    } catch (error) {
      throw E2eeftpError.is(error) ? error.within(path) : error;
    } finally {
      text.fill(0);
    }
  }

  /**
   * Writes the private key in OpenSSH's format, whole and readable by the owner only (0600).
   *
   * @throws E2eeftpError `E2EEFTP_EXISTS` unless `overwrite` is set.
   */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    const text = nativeSync(() => this.#key.toOpenssh(options.comment ?? ''));
    await makePrivateDirectory(dirname(path));
    await writeAtomically(path, text, { mode: 0o600, overwrite: options.overwrite ?? false });
  }

  /** Lets `use` work with the native key. For the modules of this package only. @internal */
  withKey<T>(use: (key: NativeIdentity) => Promise<T>): Promise<T> {
    return native(() => use(this.#key));
  }
}

/** Whether others than the owner may read the key file at `path`. Always false on Windows. */
export async function isKeyFileExposed(path: string): Promise<boolean> {
  if (process.platform === 'win32') return false;
  return ((await stat(path)).mode & 0o077) !== 0;
}
