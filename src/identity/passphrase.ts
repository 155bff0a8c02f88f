/**
 * Where the passphrase of a private key comes from: a text, or a function that is asked when one is needed.
 */
import { E2eeftpError } from '../errors.js';

/** What a passphrase is needed for. */
export interface PassphraseRequest {
  /** The key file. */
  readonly file: string;
  /** 1, 2 or 3: the passphrase given before was wrong. */
  readonly attempt: number;
}

/** A passphrase as text, or as the bytes of a text in UTF-8, which the receiver copies. */
export type Secret = string | Uint8Array;

/**
 * A passphrase, or a function that finds one; `null` gives up. A function is asked up to three times for each key, and
 * only for a key that needs a passphrase. Bytes that it returns are overwritten after use.
 */
export type Passphrase = Secret | ((request: PassphraseRequest) => Secret | null | Promise<Secret | null>);

/** How often a function is asked about one key. */
const ATTEMPTS = 3;

/**
 * Calls `open` with passphrases until one is right.
 *
 * @throws E2eeftpError `E2EEFTP_KEY_ENCRYPTED` when there is none, `E2EEFTP_WRONG_PASSPHRASE`, and what `open` throws.
 */
export async function openWithPassphrase<T>(
  file: string,
  passphrase: Passphrase | undefined,
  open: (secret: Secret) => Promise<T>,
): Promise<T> {
  const attempts = typeof passphrase === 'function' ? ATTEMPTS : 1;
  let wrong: E2eeftpError | undefined;
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const secret = typeof passphrase === 'function' ? await passphrase({ file, attempt }) : passphrase;
    if (secret === null || secret === undefined) break;
    try {
      return await open(secret);
    } catch (error) {
      if (!E2eeftpError.is(error, 'E2EEFTP_WRONG_PASSPHRASE')) throw error;
      wrong = error;
    } finally {
      if (typeof passphrase === 'function' && typeof secret !== 'string') secret.fill(0);
    }
  }
  throw wrong ?? new E2eeftpError('E2EEFTP_KEY_ENCRYPTED', 'the private key needs a passphrase');
}

/** The bytes of a secret in a buffer of their own, which the caller is to overwrite. */
export function copySecret(secret: Secret): Buffer {
  return typeof secret === 'string' ? Buffer.from(secret, 'utf8') : Buffer.from(secret);
}
