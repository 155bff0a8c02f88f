/**
 * Which key each server had when it was last trusted: the file `known_servers`, one server a line,
 * `host:port KEY [comment]`, and lines that start with `#`. In place of `host:port` may stand its hash.
 */
import { dirname } from 'node:path';
import { E2eeftpError } from '../errors.js';
import { isSystemError, makePrivateDirectory, reason, withFileLock, writeAtomically } from './atomic-file.js';
import { splitLines } from './authorized-clients-text.js';
import { hashServerName, isHashedServerName, isHashOfServerName } from './hashed-server-name.js';
import { parsePublicKey } from './public-key.js';
import type { PublicKey } from './public-key.js';
import { readSmallFile } from './read-small-file.js';
import { parseServerName, serverName } from './server-address.js';

/** Larger files are refused; about 100,000 servers fit. */
export const MAX_FILE: number = 16 * 1024 * 1024;

/** In a comment: the number of the last statement about a new key that was followed. */
const NOTED = /(?<!\S)rotation=(\d+)(?!\S)/g;

/** One usable line of the file. */
export interface KnownServer {
  /** Name or address; `null` when only a hash of the name is on record. */
  readonly host: string | null;
  /** `null` when only a hash of the name is on record. */
  readonly port: number | null;
  /** What the line begins with: `host:port` as it was written, or `|1|salt|hash`. */
  readonly name: string;
  readonly key: PublicKey;
  readonly comment: string;
  /** Line number, from 1. */
  readonly line: number;
}

/** What {@link KnownServers.lookup} found. */
export interface Lookup {
  /** `match`: this key is on record; `changed`: only other keys are; `unknown`: the server is not on record. */
  readonly result: 'match' | 'changed' | 'unknown';
  /** The lines for this server. */
  readonly entries: readonly KnownServer[];
}

/** Options of {@link KnownServers}. */
export interface KnownServersOptions {
  /** Write new names as hashes, so that the file does not tell which servers are known. @default false */
  readonly hash?: boolean;
}

/** A `known_servers` file. Every call reads the file, every change writes it whole, with mode 0600. */
export class KnownServers {
  readonly path: string;
  readonly #hash: boolean;

  constructor(path: string, options: KnownServersOptions = {}) {
    this.path = path;
    this.#hash = options.hash ?? false;
  }

  /**
   * Every usable line.
   *
   * @throws E2eeftpError `E2EEFTP_KEY_FILE` naming a line that can't be read: a broken line must not turn a known server
   * into an unknown one.
   */
  async entries(): Promise<readonly KnownServer[]> {
    return (await this.#lines()).flatMap((text, index) => {
      const entry = this.#parse(text, index + 1);
      return entry === null ? [] : [entry];
    });
  }

  /** Compares `key` with what is on record for the server. */
  async lookup(host: string, port: number, key: PublicKey): Promise<Lookup> {
    const entries = await this.find(host, port);
    if (entries.length === 0) return { result: 'unknown', entries };
    return { result: entries.some((entry) => entry.key.base64 === key.base64) ? 'match' : 'changed', entries };
  }

  /** The lines for one server; usually none or one. */
  async find(host: string, port: number): Promise<readonly KnownServer[]> {
    return (await this.entries()).filter((entry) => isFor(entry, host, port));
  }

  /** Adds a line beside those that are there; does nothing when the server already has this key. */
  async add(host: string, port: number, key: PublicKey, comment = ''): Promise<void> {
    await this.#change((lines) => {
      const there = lines.some((text, index) => {
        const entry = this.#parse(text, index + 1);
        return entry !== null && entry.key.base64 === key.base64 && isFor(entry, host, port);
      });
      return there ? lines : [...lines, this.#format(host, port, key, comment)];
    });
  }

  /** Makes `key` the only one for the server. */
  async replace(host: string, port: number, key: PublicKey, comment = ''): Promise<void> {
    await this.#change((lines) => [...this.#without(lines, host, port), this.#format(host, port, key, comment)]);
  }

  /**
   * Replaces `oldKey` by `key` in the lines of the server, and notes in them the number of the statement that was
   * followed. Does nothing when `oldKey` is not on record any more, or `from`, the number of its statement, is not above
   * every number that is noted for this server.
   *
   * @returns whether anything was replaced.
   */
  async rotate(
    host: string,
    port: number,
    change: { readonly oldKey: PublicKey; readonly key: PublicKey; readonly from: number; readonly sequence: number },
  ): Promise<boolean> {
    let isDone = false;
    await this.#change((lines) => {
      const entries = lines.map((text, index) => this.#parse(text, index + 1));
      const noted = entries.map((entry) => (entry !== null && isFor(entry, host, port) ? notedSequence(entry) : 0));
      if (change.from <= Math.max(0, ...noted)) return lines;
      const after = lines.map((text, index) => {
        const entry = entries[index];
        if (!entry || !isFor(entry, host, port) || entry.key.base64 !== change.oldKey.base64) return text;
        isDone = true;
        const comment = entry.comment.replace(NOTED, ' ').trim();
        return `${entry.name} ${change.key.openssh}${comment === '' ? '' : ` ${comment}`} rotation=${change.sequence}`;
      });
      return isDone ? after : lines;
    });
    return isDone;
  }

  /** Forgets the server; returns how many lines were removed. */
  async remove(host: string, port: number): Promise<number> {
    let removed = 0;
    await this.#change((lines) => {
      const kept = this.#without(lines, host, port);
      removed = lines.length - kept.length;
      return kept;
    });
    return removed;
  }

  /** Replaces every name that can be read by its hash; returns how many. All else stays as it is. */
  async hashNames(): Promise<number> {
    let hashed = 0;
    await this.#change((lines) => {
      const after = lines.map((text, index) => {
        const entry = this.#parse(text, index + 1);
        if (entry === null || entry.host === null || entry.port === null) return text;
        hashed += 1;
        return text.replace(entry.name, () => hashServerName(serverName(entry.host ?? '', entry.port ?? 0)));
      });
      return hashed === 0 ? lines : after;
    });
    return hashed;
  }

  #format(host: string, port: number, key: PublicKey, comment: string): string {
    const name = serverName(host, port);
    const tail = comment.replace(/\s+/g, ' ').trim();
    return `${this.#hash ? hashServerName(name) : name} ${key.openssh}${tail === '' ? '' : ` ${tail}`}`;
  }

  #without(lines: readonly string[], host: string, port: number): string[] {
    return lines.filter((text, index) => {
      const entry = this.#parse(text, index + 1);
      return entry === null || !isFor(entry, host, port);
    });
  }

  async #change(change: (lines: readonly string[]) => readonly string[]): Promise<void> {
    await makePrivateDirectory(dirname(this.path));
    await withFileLock(this.path, async () => {
      const before = await this.#lines();
      const after = change(before);
      if (after === before) return;
      await writeAtomically(this.path, after.map((line) => `${line}\n`).join(''), { mode: 0o600 });
    });
  }

  async #lines(): Promise<string[]> {
    try {
      const { bytes } = await readSmallFile(this.path, MAX_FILE);
      const lines = splitLines(bytes.toString('utf8'));
      if (lines.at(-1) === '') lines.pop();
      return lines;
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return [];
      throw new E2eeftpError('E2EEFTP_KEY_FILE', `cannot read ${this.path}: ${reason(error)}`, { cause: error });
    }
  }

  #parse(text: string, line: number): KnownServer | null {
    const trimmed = text.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return null;
    const match = /^(\S+)\s+(ssh-ed25519\s+\S+|\S+)(?:\s+(.*))?$/.exec(trimmed);
    const name = match?.[1] ?? '';
    const server = isHashedServerName(name) ? { host: null, port: null } : parseServerName(name);
    if (match === null || server === null) {
      throw new E2eeftpError('E2EEFTP_KEY_FILE', `${this.path} line ${line}: expected host:port KEY`);
    }
    try {
      return { ...server, name, key: parsePublicKey(match[2] ?? ''), comment: match[3] ?? '', line };
    } catch (error) {
      throw E2eeftpError.is(error) ? error.within(`${this.path} line ${line}`) : error;
    }
  }
}

/** The number of the last statement that was followed; 0 when none was. Digits beyond that are a number too high to pass. */
function notedSequence(entry: KnownServer): number {
  const numbers = [...entry.comment.matchAll(NOTED)].map((match) => Number(match[1]));
  return Math.max(0, ...numbers);
}

function isFor(entry: KnownServer, host: string, port: number): boolean {
  const name = serverName(host, port);
  if (entry.host === null || entry.port === null) return isHashOfServerName(entry.name, name);
  return serverName(entry.host, entry.port) === name;
}
