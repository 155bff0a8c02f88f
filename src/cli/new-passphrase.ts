/** The passphrase of a key that is being written: given, asked for twice at the terminal, or none. */
import { E2eeftpError } from '../index.js';
import type { CliContext } from './context.js';
import { givenPassphrase, promptForPassphrase, readPassphraseFile } from './passphrase-source.js';

/** How often two different answers are taken for a slip. */
const ATTEMPTS = 3;

/** What the options of `keygen` say about it. */
export interface NewPassphraseOptions {
  /** `--no-passphrase`. */
  readonly none: boolean;
  /** `--new-passphrase-file`. */
  readonly file: string | undefined;
  /** The passphrase that the global options give is the one that opens the key now. */
  readonly isChange: boolean;
}

/**
 * The new passphrase, which the caller overwrites after use; undefined for none.
 *
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` when a change says neither what to nor has a terminal to ask at, and
 * when the answers at the terminal differ three times.
 */
export async function newPassphrase(context: CliContext, options: NewPassphraseOptions): Promise<Buffer | undefined> {
  const { none, file, isChange } = options;
  if (none) return undefined;
  if (file !== undefined) return readPassphraseFile(context, file);
  if (!isChange) {
    const given = await givenPassphrase(context);
    if (given !== null) return given;
  }
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const first = await promptForPassphrase(context, 'New passphrase (empty for none): ');
    if (first === null) {
      if (!isChange) return undefined;
      throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'there is no terminal to ask for the new passphrase at', {
        hint: 'give --new-passphrase-file, or --no-passphrase to take the passphrase off',
      });
    }
    if (first.length === 0) return undefined;
    const second = await promptForPassphrase(context, 'The same once more: ');
    const isSame = second !== null && first.equals(second);
    second?.fill(0);
    if (isSame) return first;
    first.fill(0);
    context.output.error('These are not the same.');
  }
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'the two passphrases were different');
}
