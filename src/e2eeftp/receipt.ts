/**
 * Receipts: what both sides of a transfer have signed about it. `docs/PROTOCOL.md` §7.6.
 */
import { E2eeftpError } from '../errors.js';
import type { PublicKey } from '../identity/public-key.js';
import { nativeSync, readReceipt as readReceiptNative } from '../native.js';
import { pathFromBytes } from '../storage/path-text.js';

/** A receipt whose two signatures fit. */
export interface Receipt {
  /** Random, hex. */
  readonly id: string;
  /** `send`: from the client to the server; `get`: the other way. */
  readonly direction: 'send' | 'get';
  readonly bytes: number;
  /** BLAKE3 root of the content in hex: what `b3sum` prints. */
  readonly root: string;
  /** The path on the server, counted from the client's root; `null` when it is withheld. */
  readonly path: string | null;
  /** Whose signature it bears on the client's side. Whether that is the right one is for the reader to say. */
  readonly clientKey: PublicKey;
  /** Whose signature it bears on the server's side; likewise. */
  readonly serverKey: PublicKey;
  /** When it was signed, by the client's clock; the server's was at most five minutes off. */
  readonly time: Date;
  /** The text that both keys have signed. */
  readonly statement: string;
  /** The whole receipt, as it is kept in a file. */
  readonly text: string;
}

/** The longest text that is taken for a receipt, in characters. */
export const MAX_RECEIPT_LENGTH: number = 32 * 1024;

/**
 * Reads a receipt and verifies its form, its name and both signatures, without asking anybody.
 *
 * @throws E2eeftpError `E2EEFTP_RECEIPT`.
 */
export function readReceipt(text: string): Receipt {
  if (typeof text !== 'string') throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a receipt is given as text');
  if (text.length > MAX_RECEIPT_LENGTH) throw new E2eeftpError('E2EEFTP_RECEIPT', 'this is too long for a receipt');
  const { text: statement, statement: said, path } = nativeSync(() => readReceiptNative(text));
  return {
    id: said.id.toString('hex'),
    direction: readDirection(said.direction),
    bytes: said.size,
    root: said.root.toString('hex'),
    path: path === null || path === undefined ? null : pathFromBytes(path),
    clientKey: said.client,
    serverKey: said.server,
    time: new Date(said.time * 1000),
    statement,
    text,
  };
}

function readDirection(word: string): Receipt['direction'] {
  if (word === 'send' || word === 'get') return word;
  throw new E2eeftpError('E2EEFTP_INTERNAL', 'a receipt has a direction that is none');
}
