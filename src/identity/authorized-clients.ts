/**
 * The file `authorized_clients.pub`: who may log in. A missing file means nobody.
 *
 * The file is read again when it has changed, so that an operator's edit counts from the next login on; the server's
 * `revocation.ts` carries it to the sessions that are open. When it can't be read any more nobody gets in: it fails closed.
 */
import { stat } from 'node:fs/promises';
import { E2eeftpError } from '../errors.js';
import type { Grant } from '../storage/grant.js';
import { isSystemError, makePrivateDirectory, reason, withFileLock, writeAtomically } from './atomic-file.js';
import { KEY_PATTERN, parseAuthorizedClients, parseAuthorizedLine, splitLines } from './authorized-clients-text.js';
import type { AuthorizedClient, LineWarning } from './authorized-clients-text.js';
import { hasControlCharacter, parseClientOptions } from './client-options.js';
import { isFingerprint } from './fingerprint.js';
import type { PublicKey } from './public-key.js';
import { readSmallFile } from './read-small-file.js';
import { dirname } from 'node:path';

/** Larger files are refused; about 100,000 keys fit. */
const MAX_FILE = 16 * 1024 * 1024;

/** A file of authorized clients, kept up to date. */
export class AuthorizedClients {
  readonly path: string;
  #clients: ReadonlyMap<string, AuthorizedClient> = new Map();
  /** Time, size and inode at the last reading; `none` when there was no file, `null` when it could not be read. */
  #version: string | null = null;
  #revision = 0;
  #reading: Promise<void> | null = null;
  readonly #onWarning: (warning: LineWarning) => void;

  /** @param onWarning told about each line that is skipped, once per reading of the file. */
  constructor(path: string, onWarning: (warning: LineWarning) => void = () => undefined) {
    this.path = path;
    this.#onWarning = onWarning;
  }

  /** How many keys could log in when the file was last read. */
  get size(): number {
    return this.#clients.size;
  }

  /** The clients as they were when the file was last read, in file order. */
  get clients(): readonly AuthorizedClient[] {
    return [...this.#clients.values()];
  }

  /** How often the file was found changed, gone or there again. */
  get revision(): number {
    return this.#revision;
  }

  /** Whether the last look at the file told what is in it, or that there is none. */
  get isReadable(): boolean {
    return this.#version !== null;
  }

  /** The grant of a key as of the last reading; `null` when it was not listed. */
  known(key: PublicKey): Grant | null {
    return this.#clients.get(key.base64)?.grant ?? null;
  }

  /** The grant of a key, or `null` when it is not listed. Looks first whether the file has changed. */
  async lookup(key: PublicKey): Promise<Grant | null> {
    await this.refresh();
    return this.known(key);
  }

  /**
   * Reads the file if its time, size or inode differs from the last reading.
   *
   * @throws E2eeftpError `E2EEFTP_IO` when it is there but can't be read; until it can, nobody is authorized.
   */
  async refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    await this.#reading;
  }

  async #read(): Promise<void> {
    try {
      const info = await stat(this.path, { bigint: true });
      const version = `${info.mtimeNs} ${info.ctimeNs} ${info.size} ${info.ino}`;
      if (version === this.#version) return;
      const { bytes, mode } = await readSmallFile(this.path, MAX_FILE);
      const { clients, warnings } = parseAuthorizedClients(bytes.toString('utf8'));
      this.#clients = clients;
      this.#version = version;
      this.#revision += 1;
      for (const warning of warnings) this.#onWarning(warning);
      if (process.platform !== 'win32' && (mode & 0o022) !== 0) {
        this.#onWarning({ line: 0, message: 'the file can be changed by other users; run chmod go-w on it' });
      }
    } catch (error) {
      const isNews = this.#version !== 'none';
      this.#clients = new Map();
      this.#version = null;
      if (!isSystemError(error, 'ENOENT')) {
        throw new E2eeftpError('E2EEFTP_IO', `cannot read ${this.path}: ${reason(error)}`, { cause: error });
      }
      this.#version = 'none';
      if (!isNews) return;
      this.#revision += 1;
      this.#onWarning({ line: 0, message: 'the file does not exist; nobody is authorized' });
    }
  }
}

/** What {@link authorizeClient} adds. */
export interface AuthorizeOptions {
  /** Options in the file's own syntax, e.g. `['upload-only', 'path="/in/acme"']`. @default [] */
  readonly options?: readonly string[];
  /** Text after the key. @default '' */
  readonly comment?: string;
}

/**
 * Adds a key to the file, keeping every line that is there; a missing file is made. A line that already has this key is
 * replaced, so that the new options count.
 *
 * @returns `'added'`, or `'replaced'` when the key was there.
 * @throws E2eeftpError `E2EEFTP_CONFIG` for options that would refuse the line; `E2EEFTP_INVALID_ARGUMENT` for control
 * characters in options or comment.
 */
export async function authorizeClient(
  path: string,
  key: PublicKey,
  options: AuthorizeOptions = {},
): Promise<'added' | 'replaced'> {
  const optionText = (options.options ?? []).join(',');
  // White space in a comment becomes blanks. Anywhere else a line break would add a line of its own to the file.
  const comment = (options.comment ?? '').replace(/\s+/g, ' ').trim();
  for (const [name, text] of Object.entries({ options: optionText, comment })) {
    if (!hasControlCharacter(text)) continue;
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `there is a control character in the ${name}`);
  }
  parseClientOptions(optionText);
  const line = [optionText, key.openssh, comment].filter((part) => part !== '').join(' ');
  parseAuthorizedLine(line);
  await makePrivateDirectory(dirname(path));
  return withFileLock(path, async () => {
    const { lines, mode } = await readLines(path);
    const kept = lines.filter((each) => keyOf(each)?.base64 !== key.base64);
    kept.push(line);
    await writeAtomically(path, `${kept.join('\n')}\n`, { mode });
    return kept.length > lines.length ? 'added' : 'replaced';
  });
}

/**
 * Takes a key out of the file; comments and other lines stay.
 *
 * @param which the key, or its `SHA256:…` fingerprint.
 * @returns how many lines were removed; 0 when the key was not listed.
 */
export async function revokeClient(path: string, which: PublicKey | string): Promise<number> {
  if (typeof which === 'string' && !isFingerprint(which)) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', 'give a public key or a fingerprint that starts with SHA256:');
  }
  const fingerprint = typeof which === 'string' ? which : which.fingerprint;
  return withFileLock(path, async () => {
    const { lines, mode } = await readLines(path);
    const kept = lines.filter((line) => keyOf(line)?.fingerprint !== fingerprint);
    if (kept.length < lines.length) {
      await writeAtomically(path, kept.map((line) => `${line}\n`).join(''), { mode });
    }
    return lines.length - kept.length;
  });
}

const keyInLine = new RegExp(`(?:^|\\s)(${KEY_PATTERN})(?:\\s|$)`);

/** The key of a line even when its options are bad: such a line is to be found, too. */
function keyOf(line: string): PublicKey | undefined {
  const match = keyInLine.exec(line.trim());
  if (match === null || line.trimStart().startsWith('#')) return undefined;
  try {
    return parseAuthorizedLine(match[1] ?? '')?.key;
  } catch {
    return undefined;
  }
}

async function readLines(path: string): Promise<{ lines: string[]; mode: number }> {
  try {
    const { bytes, mode } = await readSmallFile(path, MAX_FILE);
    const lines = splitLines(bytes.toString('utf8'));
    if (lines.at(-1) === '') lines.pop();
    return { lines, mode: mode & 0o777 };
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return { lines: [], mode: 0o600 };
    throw new E2eeftpError('E2EEFTP_IO', `cannot read ${path}: ${reason(error)}`, { cause: error });
  }
}
