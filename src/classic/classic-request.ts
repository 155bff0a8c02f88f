/**
 * One connection of an old client: what a command works with, and how it is answered.
 */
import { E2eeftpError, codeForStatus } from '../errors.js';
import { NativeTransfer, native } from '../native.js';
import type { BodyResult, NativeClassicConnection, NativeView } from '../native.js';
import type { Grant } from '../storage/grant.js';
import { statusLine } from './command-line.js';

/** How far a stored file must be on disk before the client is told that it is complete. */
export type ClassicDurability = 'none' | 'file' | 'directory';

/** A file that was moved in full. */
export interface ClassicFile {
  readonly verb: 'SEND' | 'GET';
  /** From the client's root. */
  readonly path: string;
  readonly result: BodyResult;
}

/** What became of a request, and what is left to tell the client. */
export interface ClassicOutcome {
  /** What the client is told; `null` for a close without a byte. */
  readonly status: number | null;
  /** The last bytes to the client, which may be none; `null` when the connection can't carry any. */
  readonly reply: Buffer | null;
  readonly error?: unknown;
  readonly file?: ClassicFile;
}

/** What a line asks for, once it is known to be well-formed and permitted: what hooks judge, and how it is done. */
export interface ClassicPlan {
  /** From the client's root; `null` for a command about no path. */
  readonly path: string | null;
  /** The most that a `SEND` can store, in bytes; `null` for other commands. */
  readonly size: number | null;
  /** Does it, at the path that counts now. Never throws for what the client or the storage does. */
  readonly run: (path: string | null) => Promise<ClassicOutcome>;
}

/** What a command works with. */
export interface ClassicRequest {
  readonly connection: NativeClassicConnection;
  readonly grant: Grant;
  /** The client's `/` under its grant. */
  readonly view: NativeView;
  /** Aborts when the connection is cut. */
  readonly signal: AbortSignal;
  readonly durability: ClassicDurability;
  /** Whether DELETE is offered at all. */
  readonly isDeleteAllowed: boolean;
}

/** A command's refusal, in the protocol's own words. */
export interface ClassicRefusal {
  readonly status: number;
  readonly text: string;
}

export const malformedRequest: ClassicRefusal = { status: 400, text: 'Malformed request' };
export const invalidCommand: ClassicRefusal = { status: 400, text: 'Invalid Command' };
export const notPermitted: ClassicRefusal = { status: 403, text: 'Not permitted' };
/** A piece that is not authentic, and every other reason why a file is not stored. */
export const decryptionFailed: ClassicRefusal = { status: 500, text: 'Decryption Failed' };
export const readError: ClassicRefusal = { status: 500, text: 'Server Read Error' };
export const misconfigured: ClassicRefusal = { status: 500, text: 'Server Misconfigured' };

/** A handle for a transfer that nobody cancels: closing the connection ends it. */
export function newTransfer(): NativeTransfer {
  return new NativeTransfer();
}

/** Whether a failure has ended the connection, so that nothing can be answered. */
export function isConnectionLost(error: unknown): boolean {
  return (
    E2eeftpError.is(error, 'E2EEFTP_CONNECTION_LOST') ||
    E2eeftpError.is(error, 'E2EEFTP_TIMEOUT') ||
    E2eeftpError.is(error, 'E2EEFTP_CLOSED') ||
    E2eeftpError.is(error, 'E2EEFTP_ABORTED')
  );
}

/** A refusal as an outcome. */
export function refusal({ status, text }: ClassicRefusal, error?: unknown): ClassicOutcome {
  return { status, reply: statusLine(status, text), error: error ?? new E2eeftpError(codeForStatus(status), text) };
}

/** A success as an outcome. */
export function success(status: number, reply: Buffer, file?: ClassicFile): ClassicOutcome {
  return { status, reply, ...(file === undefined ? {} : { file }) };
}

/** The old server's answer to whatever it did not foresee: the end, without a byte. */
export function silence(error?: unknown): ClassicOutcome {
  return { status: null, reply: Buffer.alloc(0), error };
}

/** The outcome of a request whose connection broke. */
export function lost(error: unknown): ClassicOutcome {
  return { status: null, reply: null, error };
}

/** Answers and ends the connection. A client that is gone by then has missed its answer: that is no failure here. */
export async function answer(connection: NativeClassicConnection, bytes: Buffer): Promise<void> {
  await native(() => connection.answer(bytes)).catch((error: unknown) => {
    if (!isConnectionLost(error)) throw error;
  });
}
