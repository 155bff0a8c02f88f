/**
 * The whole files that one session has moved and that no receipt was made of yet.
 */
import type { CompletedFile } from './exchange.js';

/** A file as the client knows it. */
export interface LedgerEntry {
  /** `send` or `get`, as the client sees it. */
  readonly direction: 'send' | 'get';
  /** The path that the client was told for `send`, or has asked for with `get`, in its one form. */
  readonly path: string;
  readonly bytes: number;
  /** BLAKE3 root, hex. */
  readonly root: string;
}

/** More are forgotten, the oldest first. */
export const MAX_LEDGER_ENTRIES = 64;

/** What a session may ask receipts of. */
export class TransferLedger {
  readonly #entries: LedgerEntry[] = [];

  /** Remembers a file; of a part of one there are no receipts. `path` is the client's name of it. */
  record({ direction, bytes, root, offset }: CompletedFile, path: string): void {
    if (offset !== undefined) return;
    this.#entries.push({ direction: direction === 'in' ? 'send' : 'get', path, bytes, root });
    if (this.#entries.length > MAX_LEDGER_ENTRIES) this.#entries.shift();
  }

  /** Takes out the oldest file that `fits`, so that it is there once only; `null` when none does. */
  take(fits: (entry: LedgerEntry) => boolean): LedgerEntry | null {
    const index = this.#entries.findIndex(fits);
    return index < 0 ? null : (this.#entries.splice(index, 1)[0] ?? null);
  }
}
