/**
 * Asks a person at the terminal, also when standard input is a file or a pipe. The question goes to standard error, the
 * answer is read from the terminal itself.
 */
import { openSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { ReadStream } from 'node:tty';

let isSilenced = false;

/** From now on this process asks nothing: every question is as without a terminal. */
export function neverAsk(): void {
  isSilenced = true;
}

/** The terminal to read from, or undefined when there is none or nobody would see the question. */
export function openTerminal(): ReadStream | undefined {
  if (isSilenced || !process.stderr.isTTY) return undefined;
  if (process.stdin.isTTY) return process.stdin;
  if (process.platform === 'win32') return undefined;
  try {
    return new ReadStream(openSync('/dev/tty', 'r'));
  } catch {
    // ENXIO: the process has no terminal.
    return undefined;
  }
}

/**
 * One line from the person at the terminal.
 * @param signal gives up the question; the promise then rejects with its reason.
 * @returns the line without surrounding blanks, '' at end of input, or undefined when there is no terminal.
 */
export async function askAtTerminal(question: string, signal: AbortSignal): Promise<string | undefined> {
  signal.throwIfAborted();
  const terminal = openTerminal();
  if (terminal === undefined) return undefined;
  const lines = createInterface({ input: terminal, terminal: false });
  try {
    process.stderr.write(question);
    return await new Promise<string>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      lines.once('line', (line) => resolve(line.trim()));
      lines.once('close', () => resolve(''));
    });
  } finally {
    lines.close();
    closeTerminal(terminal);
  }
}

/** Gives up what {@link openTerminal} opened. */
export function closeTerminal(terminal: ReadStream): void {
  if (terminal === process.stdin) terminal.pause();
  else terminal.destroy();
}
