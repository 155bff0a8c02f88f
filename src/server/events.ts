/**
 * What a server tells its application.
 */
import type { Receipt } from '../e2eeftp/receipt.js';
import type { Session } from './session.js';

/** A file that was stored or fetched in full, or a part of one that was fetched. */
export interface TransferEvent {
  /** `SEND` when the client stored the file, `GET` when it fetched it. */
  readonly verb: string;
  readonly user: string;
  /** Fingerprint of the client's key. */
  readonly fingerprint: string;
  readonly host: string;
  /** From the client's root. */
  readonly path: string;
  readonly bytes: number;
  /** BLAKE3 root of the content, hex: what `b3sum` prints. */
  readonly root: string;
  /** Set when only a part was fetched: where it begins. `bytes` and `root` are those of the part. */
  readonly offset?: number;
  /** From the request to the final reply. */
  readonly seconds: number;
}

/** A receipt that the server has signed after the client. */
export interface ReceiptEvent {
  readonly user: string;
  /** Fingerprint of the client's key. */
  readonly fingerprint: string;
  readonly host: string;
  /** What both have signed; its `text` is what the application may keep. */
  readonly receipt: Receipt;
}

/**
 * Why a client with a proved key was not let in: its key is not listed; its grant has expired; it connects from an
 * address outside of `from`; the server is closing; it left before it was let in; its hello was used before (old clients
 * only, see `docs/CLASSIC.md`); the decision failed (see `error`).
 */
export type LoginRefusal = 'unknown-key' | 'expired' | 'address' | 'closing' | 'left' | 'replay' | 'error';

/** A client that has proved which key it has, and what became of it. */
export interface LoginEvent {
  readonly accepted: boolean;
  /** `null` when it was let in. The client is told nothing of it. */
  readonly reason: LoginRefusal | null;
  /** Label from the grant, or the fingerprint; the latter also for a client whose key is not listed. */
  readonly user: string;
  /** Fingerprint of the client's key. */
  readonly fingerprint: string;
  readonly host: string;
  readonly port: number;
}

/** Something that the operator should look at. */
export interface ServerWarning {
  readonly message: string;
  /** The file that it is about. */
  readonly file?: string;
  /** Line in that file, from 1. */
  readonly line?: number;
}

/** Names and arguments of a server's events. */
export interface ServerEvents {
  /** A client has proved its key: it was let in, or refused. */
  login: [LoginEvent];
  /** A client has logged in; before its first request is read. `session.closed` resolves when it has gone. */
  session: [Session];
  /** A file is complete. */
  transfer: [TransferEvent];
  /** A receipt is signed by both sides; before the client is sent the server's signature. */
  receipt: [ReceiptEvent];
  /** Something that the operator should look at. */
  warning: [ServerWarning];
  /** A failure on the server's side, never a peer's fault. Without a listener it is only logged. */
  error: [Error];
}
