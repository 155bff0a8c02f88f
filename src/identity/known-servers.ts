/**
 * Which key each server had when it was last trusted: the file `known_servers`, one server a line,
 * `host:port KEY [comment]`, and lines that start with `#`.
 */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { E2eeftpError } from '../errors.js';
import { isSystemError, makePrivateDirectory, reason, withFileLock, writeAtomically } from './atomic-file.js';
import { splitLines } from './authorized-clients-text.js';
import { parsePublicKey } from './public-key.js';
import type { PublicKey } from './public-key.js';
import { parseServerName, serverName } from './server-address.js';

/** One usable line of the file. */
export interface KnownServer {
  readonly host: string;
  readonly port: number;
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

/** A `known_servers` file. Every call reads the file, every change writes it whole, with mode 0600. */
export class KnownServers {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
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
    const name = serverName(host, port);
    return (await this.entries()).filter((entry) => serverName(entry.host, entry.port) === name);
  }

  /** Adds a line beside those that are there; does nothing when the server already has this key. */
  async add(host: string, port: number, key: PublicKey, comment = ''): Promise<void> {
    await this.#change((lines) => {
      const there = lines.some((text, index) => {
        const entry = this.#parse(text, index + 1);
        return entry !== null && entry.key.base64 === key.base64 && isFor(entry, host, port);
      });
      return there ? lines : [...lines, formatLine(host, port, key, comment)];
    });
  }

  /** Makes `key` the only one for the server. */
  async replace(host: string, port: number, key: PublicKey, comment = ''): Promise<void> {
    await this.#change((lines) => [...this.#without(lines, host, port), formatLine(host, port, key, comment)]);
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
      const lines = splitLines(await readFile(this.path, 'utf8'));
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
    const name = parseServerName(match?.[1] ?? '');
    if (match === null || name === null) {
      throw new E2eeftpError('E2EEFTP_KEY_FILE', `${this.path} line ${line}: expected host:port KEY`);
    }
    try {
      return { ...name, key: parsePublicKey(match[2] ?? ''), comment: match[3] ?? '', line };
    } catch (error) {
      throw E2eeftpError.is(error) ? error.within(`${this.path} line ${line}`) : error;
    }
  }
}

function isFor(entry: KnownServer, host: string, port: number): boolean {
  return serverName(entry.host, entry.port) === serverName(host, port);
}

function formatLine(host: string, port: number, key: PublicKey, comment: string): string {
  const tail = comment.replace(/\s+/g, ' ').trim();
  return `${serverName(host, port)} ${key.openssh}${tail === '' ? '' : ` ${tail}`}`;
}
