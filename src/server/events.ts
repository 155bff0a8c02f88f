/**
 * What a server tells its application.
 */
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
  /** A client has logged in. */
  session: [Session];
  /** A file is complete. */
  transfer: [TransferEvent];
  /** Something that the operator should look at. */
  warning: [ServerWarning];
  /** A failure on the server's side, never a peer's fault. Without a listener it is only logged. */
  error: [Error];
}
