/**
 * What an old server answers. It comes in clear and unprotected: whoever sits in between can write it.
 */
import { isUtf8 } from 'node:buffer';
import { E2eeftpError, codeForStatus } from '../../errors.js';
import type { ErrorCode } from '../../errors.js';
import type { NativeClassicLine } from '../../native.js';
import { displayName } from '../../storage/display-name.js';

/** A status line. */
export interface ClassicAnswer {
  readonly status: number;
  /** For people; made safe to show. */
  readonly text: string;
}

const MAX_TEXT = 1000;

/**
 * Reads a status line.
 *
 * @throws E2eeftpError `E2EEFTP_CONNECTION_LOST` when the server closed without an answer, `E2EEFTP_PROTOCOL` for what is
 * no status line.
 */
export function readAnswer(line: NativeClassicLine, closedHint?: string): ClassicAnswer {
  if (line.kind === 'end') throw closedWithoutAnswer(closedHint);
  const text = line.kind === 'text' && isUtf8(line.text) ? line.text.toString('utf8') : '';
  const match = /^(\d{3})\|(.*?)\r?$/s.exec(text);
  if (match === null) throw new E2eeftpError('E2EEFTP_PROTOCOL', 'the server’s answer can’t be read');
  return { status: Number(match[1]), text: displayName(match[2] ?? '').slice(0, MAX_TEXT) };
}

/** The server closed where an answer was awaited: its way to say that something is wrong. */
export function closedWithoutAnswer(hint?: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_CONNECTION_LOST', 'the server closed the connection without an answer', { hint });
}

/** Throws the error that an answer other than `expected` stands for. */
export function requireStatus({ status, text }: ClassicAnswer, expected: number): void {
  if (status === expected) return;
  if (status < 400) throw new E2eeftpError('E2EEFTP_PROTOCOL', `the server answered ${status} ${text}`);
  const code: ErrorCode = text === 'Invalid Command' ? 'E2EEFTP_UNKNOWN_COMMAND' : codeForStatus(status);
  throw new E2eeftpError(code, text, {
    status,
    hint:
      text === 'Decryption Failed'
        ? 'an old server says so whenever it did not store a file, for whatever reason'
        : undefined,
  });
}
