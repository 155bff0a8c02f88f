/**
 * A private Ed25519 identity: whose key it is, where it is kept, and how it is written.
 *
 * The key itself lives in native memory or in an ssh-agent. JavaScript sees its text form only while a file is read or
 * written.
 */
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { E2eeftpError } from '../errors.js';
import { NativeIdentity, native, nativeSync, readPublicHalf } from '../native.js';
import { isSystemError, makePrivateDirectory, reason, writeAtomically } from './atomic-file.js';
import { copySecret, openWithPassphrase } from './passphrase.js';
import type { Passphrase, Secret } from './passphrase.js';
import type { PublicKey } from './public-key.js';
import { readSmallFile } from './read-small-file.js';

const MAX_KEY_FILE = 64 * 1024;

/** How {@link Identity.save} writes. */
export interface SaveOptions {
  /** Text at the end of the key, usually `user@host`. @default '' */
  readonly comment?: string;
  /** Replace a file that is there. @default false */
  readonly overwrite?: boolean;
  /** Encrypt the key: who has the file then needs this as well. @default not encrypted */
  readonly passphrase?: Secret;
}

/** A private key with its public half. Made by {@link Identity.generate}, {@link Identity.load} or `openIdentity`. */
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
   * Reads a private key without passphrase: OpenSSH format or PKCS#8 PEM.
   *
   * @throws E2eeftpError `E2EEFTP_KEY_FILE`, or `E2EEFTP_KEY_ENCRYPTED` when a passphrase is needed.
   */
  static parse(text: string | Uint8Array): Identity {
    const bytes = copySecret(text);
    try {
      return new Identity(nativeSync(() => NativeIdentity.fromText(bytes)));
    } finally {
      bytes.fill(0);
    }
  }

  /**
   * As {@link Identity.parse}, with a passphrase. It takes a second or so, on a thread of its own.
   *
   * @throws E2eeftpError `E2EEFTP_KEY_FILE`, `E2EEFTP_WRONG_PASSPHRASE`, or `E2EEFTP_UNSUPPORTED` for a way of encrypting
   * that is not known.
   */
  static async decrypt(text: string | Uint8Array, passphrase: Secret): Promise<Identity> {
    const bytes = copySecret(text);
    const secret = copySecret(passphrase);
    try {
      return new Identity(await native(() => NativeIdentity.decrypt(bytes, secret)));
    } finally {
      bytes.fill(0);
      secret.fill(0);
    }
  }

  /** Reads the private key in the file `path`; errors as {@link Identity.decrypt}, and name the file. */
  static async load(path: string, passphrase?: Passphrase): Promise<Identity> {
    const text = await readKeyFile(path);
    try {
      return Identity.parse(text);
    } catch (error) {
      if (!E2eeftpError.is(error)) throw error;
      if (error.code !== 'E2EEFTP_KEY_ENCRYPTED') throw error.within(path);
      return await openWithPassphrase(path, passphrase, (secret) => Identity.decrypt(text, secret)).catch(
        (failure: unknown) => {
          throw E2eeftpError.is(failure) ? failure.within(path) : failure;
        },
      );
    } finally {
      text.fill(0);
    }
  }

  /**
   * An identity whose private half an ssh-agent has. The agent is asked when it is used.
   *
   * @param socket path of the agent's socket, mostly that of `SSH_AUTH_SOCK`.
   */
  static fromAgent(socket: string, key: PublicKey): Identity {
    return new Identity(nativeSync(() => NativeIdentity.fromAgent(socket, key.openssh)));
  }

  /** The comment of the file that it was read from, or `''`; it may hold anything. */
  get comment(): string {
    return nativeSync(() => this.#key.comment);
  }

  /** Whether an ssh-agent has the private half. */
  get isInAgent(): boolean {
    return nativeSync(() => this.#key.isInAgent);
  }

  /**
   * Writes the private key in OpenSSH's format, whole and readable by the owner only (0600).
   *
   * @throws E2eeftpError `E2EEFTP_EXISTS` unless `overwrite` is set; `E2EEFTP_UNSUPPORTED` when an agent has the key.
   */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    const text = await this.#text(options);
    await makePrivateDirectory(dirname(path));
    await writeAtomically(path, text, { mode: 0o600, overwrite: options.overwrite ?? false });
  }

  async #text({ comment = '', passphrase }: SaveOptions): Promise<string> {
    if (passphrase === undefined) return nativeSync(() => this.#key.toOpenssh(comment));
    const secret = copySecret(passphrase);
    try {
      return await native(() => this.#key.toEncryptedOpenssh(comment, secret));
    } finally {
      secret.fill(0);
    }
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

/**
 * The content of a file that is to hold a key; the caller overwrites it after use.
 *
 * @throws E2eeftpError `E2EEFTP_KEY_FILE` when there is none, or it is too large for one.
 */
export async function readKeyFile(path: string): Promise<Buffer> {
  try {
    return (await readSmallFile(path, MAX_KEY_FILE)).bytes;
  } catch (error) {
    const hint = isSystemError(error, 'ENOENT') ? `make one with: e2eeftp keygen ${path}` : undefined;
    throw new E2eeftpError('E2EEFTP_KEY_FILE', `cannot read ${path}: ${reason(error)}`, { cause: error, hint });
  }
}

/**
 * The public half of the text of a private key. It needs no passphrase: where the key has one, this is what the text
 * names, and nothing proves that the private half fits.
 *
 * @throws E2eeftpError `E2EEFTP_KEY_FILE`, `E2EEFTP_WEAK_KEY`.
 */
export function publicHalf(text: Uint8Array): PublicKey {
  return nativeSync(() => readPublicHalf(text));
}
