/**
 * What a hook is told about an operation and its end: the same for every protocol that a server speaks.
 */
import type { ErrorCode } from '../errors.js';
import type { Peer } from '../identity/peer.js';
import type { Grant } from '../storage/grant.js';

/** One operation that a client has asked for and that its grant does not refuse at once. Frozen. */
export interface Operation {
  /** Upper case: `SEND`, `GET`, … or a custom verb. */
  readonly verb: string;
  /**
   * What it is about, from the client's root: `/a/b`, without empty components, `.`, `..` and a slash at its end. A name,
   * not a file: a symbolic link inside the root may lead elsewhere below it. Bytes that are not UTF-8 are lone
   * surrogates, see `pathFromBytes`. `null` for an operation without a path.
   */
  readonly path: string | null;
  /** Where `MOVE` and `COPY` put it, in the same form; `null` for other operations. */
  readonly target: string | null;
  /** `path` as the client asked for it: another one after a `rewrite`. */
  readonly requestedPath: string | null;
  /** Label from the grant, or the key's fingerprint when the grant has none. */
  readonly user: string;
  readonly grant: Grant;
  readonly peer: Peer;
  /** Length in bytes that a `SEND` announces; `null` when it does not. What arrives may be less, never more. */
  readonly size: number | null;
  /** Permission bits that a `SEND` announces; `null` when it does not. */
  readonly mode: number | null;
  /** The arguments as the client sent them, unchecked: an object without prototype. Their shape is the protocol's. */
  readonly args: Readonly<Record<string, unknown>>;
  /** Aborts when the hook's time is over or the session is cut: for whatever the hook waits for. */
  readonly signal: AbortSignal;
}

/** How an operation ended. Frozen. */
export interface OperationResult {
  /** Status of the final reply, as in `docs/PROTOCOL.md` §7.4; `null` when the session broke before there was one. */
  readonly status: number | null;
  /** Of a failure or refusal that has one. */
  readonly code?: ErrorCode | undefined;
  /** Length of the file that was moved in full; 0 when none was. */
  readonly bytes: number;
  /** BLAKE3 root of that file, hex; `null` when none was moved in full. */
  readonly root: string | null;
  /** The name it is stored under, which `rename` may have chosen; of other operations {@link Operation.path}. */
  readonly path: string | null;
  /** From the request to this moment. */
  readonly seconds: number;
  /** The failure or refusal; what a handler or a hook threw is its `cause`. */
  readonly error?: Error | undefined;
}
