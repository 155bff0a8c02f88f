/**
 * One connection of an old client: what a command works with, and how it is answered.
 */
import { E2eeftpError } from '../errors.js';
import { NativeTransfer, native } from '../native.js';
import type { BodyResult, NativeClassicConnection, NativeView } from '../native.js';
import type { Grant } from '../storage/grant.js';

/** How far a stored file must be on disk before the client is told that it is complete. */
export type ClassicDurability = 'none' | 'file' | 'directory';

/** A file that was moved in full. */
export interface ClassicFile {
  readonly verb: 'SEND' | 'GET';
  readonly name: string;
  readonly result: BodyResult;
}

/** What became of a request. */
export interface ClassicOutcome {
  /** What the client was told; `null` for a close without a byte. */
  readonly status: number | null;
  readonly error?: unknown;
  readonly file?: ClassicFile;
}

/** What a command works with. */
export interface ClassicRequest {
  readonly connection: NativeClassicConnection;
  readonly grant: Grant;
  /** The client's `/` under its grant. */
  readonly view: NativeView;
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

/** Answers and ends the connection. A client that is gone by then has missed its answer: that is no failure here. */
export async function answer(connection: NativeClassicConnection, bytes: Buffer): Promise<void> {
  await native(() => connection.answer(bytes)).catch((error: unknown) => {
    if (!isConnectionLost(error)) throw error;
  });
}
