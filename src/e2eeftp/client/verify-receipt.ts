/**
 * Verifying a receipt offline: against the keys and the file that its reader has from elsewhere.
 */
import { E2eeftpError } from '../../errors.js';
import { displayName } from '../../storage/display-name.js';
import { readReceipt } from '../receipt.js';
import type { Receipt } from '../receipt.js';
import { hashFile } from './hash.js';

/** What a receipt is held against. */
export interface VerifyReceiptOptions {
  /** Fingerprints one of which the server's key must have. @default any: the receipt says which */
  readonly serverKeys?: readonly string[];
  /** Fingerprints one of which the client's key must have. @default any */
  readonly clientKeys?: readonly string[];
  /** A local file that must have the length and the root of the receipt. @default none */
  readonly file?: string;
  readonly signal?: AbortSignal;
}

/**
 * Verifies a receipt: its form, both signatures, the name where it is revealed, and what `options` asks for. Nobody is
 * asked over a network.
 *
 * @param text the content of a receipt file.
 * @throws E2eeftpError `E2EEFTP_RECEIPT` for whatever does not hold; as {@link hashFile} for a file that can't be read.
 */
export async function verifyReceipt(text: string, options: VerifyReceiptOptions = {}): Promise<Receipt> {
  const { serverKeys, clientKeys, file, signal } = options;
  const receipt = readReceipt(text);
  requireKey('server', receipt.serverKey.fingerprint, serverKeys);
  requireKey('client', receipt.clientKey.fingerprint, clientKeys);
  if (file === undefined) return receipt;
  const { bytes, root } = await hashFile(file, signal === undefined ? {} : { signal });
  const name = displayName(file);
  if (bytes !== receipt.bytes) {
    throw broken(`${name} has ${bytes} bytes, the file of the receipt has ${receipt.bytes}`);
  }
  if (root !== receipt.root) throw broken(`${name} has another content than the file of the receipt`);
  return receipt;
}

function requireKey(side: string, fingerprint: string, allowed: readonly string[] | undefined): void {
  if (allowed === undefined || allowed.includes(fingerprint)) return;
  throw broken(`it is signed by the ${side} key ${fingerprint}, not by ${allowed.join(' or ')}`);
}

function broken(text: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_RECEIPT', text);
}
