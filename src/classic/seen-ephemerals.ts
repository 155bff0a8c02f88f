/**
 * Which ephemeral keys clients have used with this server. A hello of this protocol says nothing about the present: who
 * recorded one could send it again and give commands in its owner's name. An ephemeral key is therefore taken once.
 *
 * The memory is a file, so that it survives a restart: a line for each key, appended and on disk before the client is
 * answered. Keys are remembered for at least a day; older ones are forgotten only when the memory is full. When it is
 * full of younger ones nobody is let in.
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { E2eeftpError } from '../errors.js';
import { isSystemError, reason, writeAtomically } from '../identity/atomic-file.js';
import { readSmallFile } from '../identity/read-small-file.js';

/** How long a key is remembered at least, in milliseconds. */
export const MEMORY_MS: number = 24 * 60 * 60 * 1000;
/** Most keys that are remembered: three a second for a day. The file then has 16 MB. */
export const MAX_REMEMBERED: number = 2 ** 18;
/** Larger files are none of ours. */
const MAX_FILE = 64 * 1024 * 1024;

const lineShape = /^(\d{1,15}) ([A-Za-z0-9+/]{43}=)$/;

/** Whether a key was seen for the first time, before, or can't be remembered. */
export type Verdict = 'new' | 'seen' | 'full';

/** The keys that one server has seen. One process at a time may use a file. */
export class SeenEphemerals {
  readonly #path: string;
  readonly #capacity: number;
  /** Base64 of the key, and when it was seen, in order. */
  readonly #seen: Map<string, number>;
  #file: FileHandle | null = null;
  #work: Promise<unknown> = Promise.resolve();

  private constructor(path: string, capacity: number, seen: Map<string, number>) {
    this.#path = path;
    this.#capacity = capacity;
    this.#seen = seen;
  }

  /**
   * Reads the file, or starts with nothing when there is none.
   *
   * @throws E2eeftpError `E2EEFTP_IO` when it can't be read or written, `E2EEFTP_CONFIG` when it is damaged: without its
   * memory the server can't tell a replay.
   */
  static async open(path: string, capacity: number = MAX_REMEMBERED): Promise<SeenEphemerals> {
    const memory = new SeenEphemerals(path, capacity, parse(path, await read(path)));
    await memory.#rewrite();
    return memory;
  }

  /** How many keys are remembered. */
  get size(): number {
    return this.#seen.size;
  }

  /**
   * Remembers a key. `new` is answered once in its life, and only after it is on disk.
   *
   * @throws E2eeftpError `E2EEFTP_IO` when it can't be written; the key counts as seen then.
   */
  async add(ephemeral: Buffer, now: number = Date.now()): Promise<Verdict> {
    const key = ephemeral.toString('base64');
    if (this.#seen.has(key)) return 'seen';
    // From here on a second connection with the same key is a replay, whatever becomes of this one.
    this.#seen.set(key, now);
    const work = this.#work.then(() => this.#append(key, now));
    this.#work = work.catch(() => undefined);
    return work;
  }

  /** Closes the file after what is being written. Any number of calls. */
  async close(): Promise<void> {
    await this.#work;
    await this.#file?.close();
    this.#file = null;
  }

  async #append(key: string, now: number): Promise<Verdict> {
    try {
      if (this.#seen.size > this.#capacity) {
        this.#forget(now - MEMORY_MS);
        if (this.#seen.size > this.#capacity) {
          this.#seen.delete(key);
          return 'full';
        }
        await this.#rewrite();
      } else if (this.#file === null) {
        await this.#rewrite();
      } else {
        await this.#file.appendFile(formatLine(key, now));
        await this.#file.datasync();
      }
      return 'new';
    } catch (error) {
      // Half a line may be there now: the next key writes the whole file.
      await this.#file?.close().catch(() => undefined);
      this.#file = null;
      if (E2eeftpError.is(error)) throw error;
      throw new E2eeftpError('E2EEFTP_IO', `cannot write ${this.#path}: ${reason(error)}`, { cause: error });
    }
  }

  #forget(before: number): void {
    for (const [key, at] of this.#seen) if (at < before) this.#seen.delete(key);
  }

  /** Writes all that is remembered into a new file in one step. */
  async #rewrite(): Promise<void> {
    const lines = Array.from(this.#seen, ([key, at]) => formatLine(key, at));
    await writeAtomically(this.#path, lines.join(''), { mode: 0o600 });
    await this.#file?.close();
    this.#file = await open(this.#path, 'a');
    // The name, too: what is appended to a file that a power failure takes away is not remembered.
    // Windows does not open directories, and keeps its names in a journal.
    if (process.platform === 'win32') return;
    const directory = await open(dirname(this.#path));
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}

function formatLine(key: string, at: number): string {
  return `${Math.floor(at / 1000)} ${key}\n`;
}

async function read(path: string): Promise<string> {
  try {
    return (await readSmallFile(path, MAX_FILE)).bytes.toString('latin1');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return '';
    throw new E2eeftpError('E2EEFTP_IO', `cannot read ${path}: ${reason(error)}`, { cause: error });
  }
}

function parse(path: string, text: string): Map<string, number> {
  const seen = new Map<string, number>();
  const lines = text.split('\n');
  // A process that was killed while it wrote has not answered: the rest of a line is no key that was let in.
  lines.pop();
  for (const [index, line] of lines.entries()) {
    const match = lineShape.exec(line);
    if (match === null) {
      throw new E2eeftpError('E2EEFTP_CONFIG', `${path} line ${index + 1} is damaged`, {
        hint: 'restore the file, or move it away: recorded connections of old clients could then be replayed once',
      });
    }
    seen.set(match[2] ?? '', Number(match[1]) * 1000);
  }
  return seen;
}
