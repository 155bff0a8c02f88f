/**
 * Where the command line takes a passphrase from: `--passphrase-file`, then `E2EEFTP_PASSPHRASE`, then a prompt on the
 * terminal. Never from an argument: other users see those.
 */
import { constants, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';
import { displayName, E2eeftpError, isKeyFileExposed, type PassphraseRequest } from '../index.js';
import { readSmallFile, UnfitFileError } from '../identity/read-small-file.js';
import type { CliContext } from './context.js';
import { askSecretAtTerminal } from './hidden-question.js';

const MAX_FILE = 4096;

/** A function for the library's `passphrase` options. */
export function passphraseSource(context: CliContext): (request: PassphraseRequest) => Promise<Buffer | null> {
  return async ({ file, attempt }) => {
    const given = await givenPassphrase(context);
    // What was given once and is wrong stays wrong.
    if (given !== null) return attempt === 1 ? given : null;
    if (attempt > 1) context.output.error('That passphrase is wrong.');
    return promptForPassphrase(context, `Passphrase of ${displayName(file)}: `);
  };
}

/** The passphrase of `--passphrase-file` or `E2EEFTP_PASSPHRASE`; `null` when neither is there. */
export async function givenPassphrase(context: CliContext): Promise<Buffer | null> {
  const { globals, env } = context;
  if (globals.passphraseFile !== undefined) return readPassphraseFile(context, globals.passphraseFile);
  const text = env['E2EEFTP_PASSPHRASE'];
  return text === undefined || text === '' ? null : Buffer.from(text, 'utf8');
}

/**
 * The first line of a file, or of a pipe: a shell's `<(…)` is one.
 *
 * @throws E2eeftpError `E2EEFTP_KEY_FILE` when it can't be read or the line is empty.
 */
export async function readPassphraseFile(context: CliContext, file: string): Promise<Buffer> {
  let bytes: Buffer;
  try {
    if ((await stat(file)).isFIFO()) {
      bytes = await readPipe(context, file);
    } else {
      bytes = (await readSmallFile(file, MAX_FILE)).bytes;
      if (await isKeyFileExposed(file)) {
        context.output.warn(displayName(`${file} can be read by other users; run: chmod 600 ${file}`));
      }
    }
  } catch (cause) {
    context.signal.throwIfAborted();
    const why = cause instanceof UnfitFileError ? `: ${cause.message}` : '';
    throw new E2eeftpError('E2EEFTP_KEY_FILE', `${file}: cannot read the passphrase${why}`, { cause });
  }
  const end = bytes.indexOf('\n');
  let line = end < 0 ? bytes : bytes.subarray(0, end);
  if (line.at(-1) === 0x0d) line = line.subarray(0, -1);
  if (line.length === 0) throw new E2eeftpError('E2EEFTP_KEY_FILE', `${file}: its first line is empty`);
  return line;
}

/** All that comes out of a pipe. Waits for a writer, without `--timeout` and until the run is aborted. */
async function readPipe(context: CliContext, file: string): Promise<Buffer> {
  // A socket waits in the event loop; a plain read would wait on a thread, which the end of the process waits for.
  const pipe = new Socket({ fd: openSync(file, constants.O_RDONLY | constants.O_NONBLOCK), writable: false });
  addAbortSignal(context.signal, pipe);
  const pieces: Buffer[] = [];
  let length = 0;
  context.pauseTimeout();
  try {
    for await (const piece of pipe as AsyncIterable<Buffer>) {
      pieces.push(piece);
      length += piece.length;
      if (length > MAX_FILE) throw new UnfitFileError(`it is longer than ${MAX_FILE} bytes`);
    }
    return Buffer.concat(pieces);
  } finally {
    for (const piece of pieces) piece.fill(0);
    context.alive();
  }
}

/** Asks at the terminal; `null` without one. No `--timeout` runs meanwhile. */
export async function promptForPassphrase(context: CliContext, question: string): Promise<Buffer | null> {
  context.pauseTimeout();
  try {
    return (await askSecretAtTerminal(question, context.signal)) ?? null;
  } finally {
    context.alive();
  }
}
