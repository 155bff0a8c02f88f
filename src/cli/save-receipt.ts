/** `--receipt FILE`: asks for the receipt of a file that was moved, and writes it. */
import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Client, displayName, E2eeftpError, type TransferResult, writeAtomically } from '../index.js';
import type { CliContext } from './context.js';

/**
 * Looks whether the receipt could be written, before anything is moved.
 *
 * @param files how many files are to be moved.
 */
export async function checkReceiptFile(file: string | undefined, files: number): Promise<void> {
  if (file === undefined) return;
  if (files !== 1) throw usage('a receipt is for one file', 'move the files one by one, each with its --receipt');
  if (file === '' || file === '-') throw usage('--receipt needs the name of a file', 'a receipt is not a stream');
  const kind = await stat(file).catch(() => null);
  if (kind?.isDirectory() === true) throw usage(`'${file}' is a directory`, 'name the file of the receipt');
  await access(dirname(file), constants.W_OK);
}

/** Refuses the option for a transfer that no receipt can be had of. */
export function refuseReceipt(file: string | undefined, why: string): void {
  if (file !== undefined) throw new E2eeftpError('E2EEFTP_UNSUPPORTED', `no receipt: ${why}`);
}

/** Asks for the receipt of `moved` and writes it to `file`, in place of what is there. */
export async function saveReceipt(
  context: CliContext,
  client: Client,
  moved: TransferResult,
  file: string,
): Promise<void> {
  const { output, signal } = context;
  try {
    const receipt = await client.receipt(moved, { signal });
    const { id, direction, bytes, root, clientKey, serverKey, time } = receipt;
    await writeAtomically(file, receipt.text, { mode: 0o644, overwrite: true });
    if (output.json) {
      output.event({
        type: 'receipt',
        file,
        id,
        direction,
        path: receipt.path ?? '',
        bytes,
        root,
        clientKey: clientKey.fingerprint,
        serverKey: serverKey.fingerprint,
        signedAt: time.toISOString(),
      });
    } else output.note(`receipt signed by both sides: ${displayName(file)}`);
  } catch (error) {
    if (!E2eeftpError.is(error)) throw error;
    const failure = error.within('the file was moved, but there is no receipt of it');
    const { message, status, hint = HINTS[error.code], reference } = failure;
    throw new E2eeftpError(error.code, message, { status, hint, reference, cause: error });
  }
}

const HINTS: Partial<Record<string, string>> = {
  E2EEFTP_UNKNOWN_COMMAND: 'this server signs no receipts; the file itself is in place and verified',
  E2EEFTP_RECEIPT: 'the file itself is in place and verified; the message says what keeps it from being signed',
};

function usage(message: string, hint: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', message, { hint });
}
