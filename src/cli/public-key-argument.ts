/** A public key as an argument: the key itself, a file that holds a public or a private key, or `-` for standard input. */
import { E2eeftpError, looksLikePublicKey, parsePublicKey, publicHalf, type PublicKey } from '../index.js';
import { readSmallFile, UnfitFileError } from '../identity/read-small-file.js';

const MAX_KEY_FILE = 64 * 1024;

/** A key and what stood behind it. */
export interface KeyArgument {
  key: PublicKey;
  /** The comment of an OpenSSH line, or ''. */
  comment: string;
  /** The file it was read from; undefined when the argument was the key. */
  file?: string;
}

/**
 * Reads `argument` as a public key, as the path of a file with one key in it, or, for `-`, such a text from standard input.
 * @throws E2eeftpError `E2EEFTP_KEY_FILE` or `E2EEFTP_WEAK_KEY`; `E2EEFTP_INVALID_ARGUMENT` for
 * control characters in a key line.
 */
export async function readPublicKey(argument: string): Promise<KeyArgument> {
  if (looksLikePublicKey(argument)) checkKeyLine(argument);
  if (looksLikePublicKey(argument)) return { key: parsePublicKey(argument), comment: commentOf(argument) };
  if (argument === '-') return readKeyText(await readStandardInput(), '-');
  return readPublicKeyFile(argument);
}

/** As {@link readPublicKey}, for a file only. */
export async function readPublicKeyFile(file: string): Promise<KeyArgument> {
  let text: Buffer;
  try {
    text = (await readSmallFile(file, MAX_KEY_FILE)).bytes;
  } catch (cause) {
    const hint = 'give a key (ssh-ed25519 … or 44 characters of base64) or the path of a key file';
    const what = cause instanceof UnfitFileError ? cause.message : 'neither a public key nor a readable file';
    throw new E2eeftpError('E2EEFTP_KEY_FILE', `${file}: ${what}`, { cause, hint });
  }
  return readKeyText(text, file);
}

async function readStandardInput(): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of process.stdin as AsyncIterable<Buffer>) {
    pieces.push(piece);
    length += piece.length;
    if (length > MAX_KEY_FILE) break;
  }
  return Buffer.concat(pieces);
}

function readKeyText(text: Buffer, file: string): KeyArgument {
  const name = file === '-' ? 'standard input' : file;
  if (text.length > MAX_KEY_FILE) throw new E2eeftpError('E2EEFTP_KEY_FILE', `${name} is too large for a key file`);
  try {
    if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text.toString('latin1'))) {
      return { key: publicHalf(text), comment: '', ...(file === '-' ? {} : { file }) };
    }
    const lines = text.toString('utf8').split(/\r?\n/);
    const content = lines.filter((line) => line.trim() !== '' && !line.startsWith('#')).join('\n');
    checkKeyLine(content);
    return { key: parsePublicKey(content), comment: commentOf(content), ...(file === '-' ? {} : { file }) };
  } catch (error) {
    throw E2eeftpError.is(error) ? error.within(name) : error;
  } finally {
    text.fill(0);
  }
}

/** A key line is one line; only PEM has several. */
function checkKeyLine(text: string): void {
  const line = text.trim().replaceAll('\t', ' ');
  if (line.startsWith('-----BEGIN ') || !/\p{Cc}/u.test(line)) return;
  throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'there is a line break or a control character in the key line');
}

function commentOf(line: string): string {
  return /^\s*(?:ssh-ed25519|sk-ssh-ed25519@openssh\.com)\s+\S+\s+(.*)$/m.exec(line)?.[1]?.trim() ?? '';
}
