/** Asks a person at the terminal for a secret: what is typed is not shown. */
import type { ReadStream } from 'node:tty';
import { E2eeftpError } from '../index.js';
import { closeTerminal, openTerminal } from './terminal-question.js';

/** Longest secret that is taken, in bytes. */
const MAX_LEN = 1024;

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACE = 0x08;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const CTRL_U = 0x15;
const DELETE = 0x7f;

/**
 * One line from the person at the terminal, without an echo.
 * @param signal gives up the question; the promise then rejects with its reason.
 * @returns the bytes of the line, which the caller overwrites after use, or undefined when there is no terminal.
 * @throws E2eeftpError `E2EEFTP_ABORTED` for ctrl-C and for an end of input, `E2EEFTP_INVALID_ARGUMENT` above 1024 bytes.
 */
export async function askSecretAtTerminal(question: string, signal: AbortSignal): Promise<Buffer | undefined> {
  signal.throwIfAborted();
  const terminal = openTerminal();
  if (terminal === undefined) return undefined;
  try {
    // First: what is typed while the question appears must not show either.
    terminal.setRawMode(true);
    process.stderr.write(question);
    return await readLine(terminal, signal);
  } finally {
    terminal.setRawMode(false);
    process.stderr.write('\n');
    closeTerminal(terminal);
  }
}

async function readLine(terminal: ReadStream, signal: AbortSignal): Promise<Buffer> {
  const line = Buffer.alloc(MAX_LEN);
  let length = 0;
  let settle = (): void => undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason as Error);
      const onEnd = (): void => reject(new E2eeftpError('E2EEFTP_ABORTED', 'there was no passphrase'));
      const onData = (chunk: Buffer): void => {
        for (const [at, byte] of chunk.entries()) {
          if (byte === RETURN || byte === LINE_FEED) {
            // What was typed ahead answers the next question. A stream that flows would emit it here at once.
            terminal.pause();
            if (at + 1 < chunk.length) terminal.unshift(Buffer.from(chunk.subarray(at + 1)));
            resolve();
            break;
          }
          if (byte === CTRL_C || (byte === CTRL_D && length === 0)) onEnd();
          else if (byte === CTRL_U) length = 0;
          else if (byte === BACKSPACE || byte === DELETE) length = lengthWithoutLast(line, length);
          else if (length < MAX_LEN) length = line.writeUInt8(byte, length);
          else reject(new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'this is too long for a passphrase'));
        }
        chunk.fill(0);
      };
      settle = (): void => {
        terminal.off('data', onData).off('end', onEnd).off('error', reject);
        signal.removeEventListener('abort', onAbort);
      };
      terminal.on('end', onEnd).on('error', reject).on('data', onData);
      signal.addEventListener('abort', onAbort, { once: true });
      terminal.resume();
    });
    return Buffer.from(line.subarray(0, length));
  } finally {
    settle();
    line.fill(0);
  }
}

/** Takes the last character of a UTF-8 text away. */
function lengthWithoutLast(text: Buffer, length: number): number {
  let end = length;
  while (end > 0) {
    end -= 1;
    if ((text.readUInt8(end) & 0xc0) !== 0x80) break;
  }
  return end;
}
