/**
 * Small files written whole: a reader sees the old content or the new one, never half of it.
 */
import { randomBytes } from 'node:crypto';
import { link, mkdir, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { E2eeftpError } from '../errors.js';

/** How {@link writeAtomically} writes. */
export interface WriteOptions {
  /** Permission bits of the new file, e.g. `0o600`. */
  readonly mode: number;
  /** Replace a file that is there. @default true */
  readonly overwrite?: boolean;
}

/**
 * Writes `content` to a temporary file beside `path`, syncs it, and moves it into place. A symbolic link at `path` is
 * followed, so that the file it points to is replaced.
 *
 * @throws E2eeftpError `E2EEFTP_EXISTS` when `overwrite` is false and `path` exists.
 */
export async function writeAtomically(
  path: string,
  content: string | Uint8Array,
  options: WriteOptions,
): Promise<void> {
  const target = options.overwrite === false ? path : await realpath(path).catch(() => path);
  const temporary = join(dirname(target), `.e2eeftp-${randomBytes(8).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', options.mode);
    try {
      await file.chmod(options.mode);
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    if (options.overwrite === false) {
      await link(temporary, target);
      await unlink(temporary);
    } else {
      await rename(temporary, target);
    }
  } catch (error) {
    await unlink(temporary).catch(ignoreMissing);
    if (isSystemError(error, 'EEXIST')) {
      throw new E2eeftpError('E2EEFTP_EXISTS', `${path} exists already`, { cause: error });
    }
    throw new E2eeftpError('E2EEFTP_IO', `cannot write ${path}: ${reason(error)}`, { cause: error });
  }
}

/** Creates `directory` and its parents; directories made here are private to the user (0700). */
export async function makePrivateDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new E2eeftpError('E2EEFTP_IO', `cannot create ${directory}: ${reason(error)}`, { cause: error });
  }
}

/** How long another process may hold the lock of a file, in milliseconds, before it is taken for dead. */
const STALE_LOCK_MS = 10_000;
const LOCK_RETRY_MS = 25;

/**
 * Runs `change` while holding `path.lock`, so that two processes that read, change and write `path` do not lose one
 * another's change. A lock older than 10 s is taken for one of a process that died.
 *
 * @throws E2eeftpError `E2EEFTP_BUSY` when the lock stays taken for 15 s.
 */
export async function withFileLock<T>(path: string, change: () => Promise<T>): Promise<T> {
  const lock = `${path}.lock`;
  const giveUp = Date.now() + STALE_LOCK_MS + 5_000;
  for (;;) {
    try {
      await (await open(lock, 'wx', 0o600)).close();
      break;
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) {
        throw new E2eeftpError('E2EEFTP_IO', `cannot write ${lock}: ${reason(error)}`, { cause: error });
      }
      if (Date.now() > giveUp) {
        throw new E2eeftpError('E2EEFTP_BUSY', `${path} is being changed by another process`, {
          hint: `if no other e2eeftp runs, remove ${lock}`,
        });
      }
      const age = await stat(lock).then(
        (info) => Date.now() - info.mtimeMs,
        () => 0,
      );
      if (age > STALE_LOCK_MS) await unlink(lock).catch(ignoreMissing);
      else await delay(LOCK_RETRY_MS);
    }
  }
  try {
    return await change();
  } finally {
    await unlink(lock).catch(ignoreMissing);
  }
}

/** Whether `error` is a Node system error with this `code`, e.g. `'ENOENT'`. */
export function isSystemError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** The short cause of a system error for a message: `no such file or directory`. */
export function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const match = /^[A-Z0-9]+: ([^,]+), /.exec(message);
  return match?.[1] ?? message;
}

function ignoreMissing(error: unknown): void {
  if (!isSystemError(error, 'ENOENT')) throw error;
}
