/**
 * Asking for the receipt of a transfer: the client signs first, and takes the server's signature only under the very same
 * statement and by the key that the server has proved to have.
 */
import { E2eeftpError } from '../../errors.js';
import type { Identity } from '../../identity/identity.js';
import type { PublicKey } from '../../identity/public-key.js';
import { composeReceipt, draftReceipt, nativeSync } from '../../native.js';
import { canonicalPath, pathToBytes } from '../../storage/path-text.js';
import { ControlReader } from '../control-value.js';
import { readReceipt } from '../receipt.js';
import type { Receipt } from '../receipt.js';
import { orAbort } from './abort.js';
import type { Channel } from './channel.js';
import type { Reply } from './reply.js';
import type { TransferResult } from './transfer-options.js';

/** Who signs, and who has to. */
export interface ReceiptParties {
  readonly identity: Identity;
  readonly serverKey: PublicKey;
  /** Told that somebody has to touch the security key that has `key`. */
  readonly onTouch?: ((key: PublicKey) => void) | undefined;
}

interface Moved {
  readonly direction: 'send' | 'get';
  /** The path on the server. */
  readonly path: string;
}

/** The receipts that one client may ask for: those of its own results. */
export class ReceiptDesk {
  readonly #moved = new WeakMap<TransferResult, Moved>();
  readonly #parties: ReceiptParties;

  constructor(parties: ReceiptParties) {
    this.#parties = parties;
  }

  /** Notes what a result of this client is about, and gives it back. */
  note(result: TransferResult, direction: Moved['direction'], path: string): TransferResult {
    if (!result.skipped) this.#moved.set(result, { direction, path });
    return result;
  }

  /** See `Client.receipt`. */
  async ask(channel: Channel, result: TransferResult, signal: AbortSignal | undefined): Promise<Receipt> {
    signal?.throwIfAborted();
    const moved = this.#moved.get(result);
    if (moved === undefined) {
      throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'a receipt is for what send or get of this client gave back');
    }
    const { identity, serverKey, onTouch } = this.#parties;
    const path = pathToBytes(canonicalPath(moved.path));
    const { statement, salt } = nativeSync(() =>
      draftReceipt({
        direction: moved.direction,
        size: result.bytes,
        root: Buffer.from(result.root, 'hex'),
        path,
        client: identity.publicKey.openssh,
        server: serverKey.openssh,
        time: Math.floor(Date.now() / 1000),
      }),
    );
    if (identity.isInAgent && identity.publicKey.kind !== 'ssh-ed25519') onTouch?.(identity.publicKey);
    const signature = await orAbort(
      identity.withKey((key) => key.signReceipt(statement)),
      signal,
    );
    const reply = await channel.request('RECEIPT', { statement, salt, signature }, { signal });
    const counter = readSignature(reply);
    return readReceipt(nativeSync(() => composeReceipt(statement, path, salt, signature, counter)));
  }
}

function readSignature(reply: Reply): Buffer {
  try {
    return new ControlReader(reply.members).bytes('signature');
  } catch (error) {
    throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server’s answer to RECEIPT can’t be read', { cause: error });
  }
}
