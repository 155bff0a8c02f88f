/** Finds and reads the configuration file of a run. */
import { realpath } from 'node:fs/promises';
import { devNull } from 'node:os';
import { join, resolve } from 'node:path';
import { clientDirectory, E2eeftpError, isSystemError, serverDirectory } from '../../index.js';
import { readSmallFile } from '../../identity/read-small-file.js';
import { type ConfigFile, type ConfigKind, parseConfig } from './config-file.js';

/** No configuration is longer, in bytes. */
const MAX_LENGTH = 256 * 1024;

/** The usual file of a client. */
export function clientConfigPath(env: NodeJS.ProcessEnv): string {
  return join(clientDirectory(env), 'config.toml');
}

/** The usual file of a server. @param data its data directory; the usual one when undefined. */
export function serverConfigPath(env: NodeJS.ProcessEnv, data: string | undefined): string {
  return join(resolve(data ?? serverDirectory(env)), 'server.toml');
}

/** How {@link readConfig} reads. */
export interface ReadConfigOptions {
  /** Whose file it has to be; by its content when undefined. */
  kind?: ConfigKind;
  /** A file that is not there is no mistake. */
  optional?: boolean;
  /** Is told what is not wrong but unwise. */
  warn: (line: string) => void;
}

/**
 * Reads one file.
 * @returns undefined when it is optional and not there.
 * @throws E2eeftpError `E2EEFTP_CONFIG` when it can't be read, or an AggregateError of such, one for each thing that is
 * wrong in it.
 */
export async function readConfig(path: string, options: ReadConfigOptions): Promise<ConfigFile | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readSome(path, options.warn);
  } catch (cause) {
    if (options.optional === true && isSystemError(cause, 'ENOENT')) return undefined;
    throw unreadable(path, reasonOf(cause), cause);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw unreadable(path, 'it is not UTF-8 text', cause);
  }
  return parseConfig(text, path, options.kind);
}

async function readSome(path: string, warn: (line: string) => void): Promise<Buffer> {
  // The one thing beside files that has its use here: no settings at all.
  if ((await realpath(path)) === devNull) return Buffer.alloc(0);
  const { bytes, mode } = await readSmallFile(path, MAX_LENGTH);
  if (process.platform !== 'win32' && (mode & 0o022) !== 0) {
    warn(`${path} can be changed by other users; run: chmod go-w ${path}`);
  }
  return bytes;
}

/** `ENOENT: no such file or directory, open '/a'` without its ends. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return /^[A-Z0-9]+: ([^,]+)/.exec(message)?.[1] ?? message;
}

function unreadable(path: string, reason: string, cause?: unknown): E2eeftpError {
  return new E2eeftpError('E2EEFTP_CONFIG', `${path}: cannot read the configuration: ${reason}`, {
    hint: 'name another file with --config, or correct this one',
    cause,
  });
}
