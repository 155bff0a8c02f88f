/**
 * Choosing the name under which a file is stored without replacing anything. Names that are chosen and not yet on disk
 * are remembered, so that two uploads of the same name at the same time get two names.
 */
import { E2eeftpError } from '../errors.js';

/** A chosen name; `release` lets others have it and must be called in the end. */
export interface ReservedName {
  readonly path: Buffer;
  release(): void;
}

/** What is on disk at a path: a file type, or `null` for nothing. */
export type KindAt = (path: Buffer) => Promise<string | null>;

/** Most numbers that are tried for one name. */
const MAX_TRIES = 10_000;

/** The names that one server has promised to uploads under way. */
export class NameReservations {
  readonly #taken = new Set<string>();

  /**
   * `wanted` if nothing is there, else `name (1).ext`, `name (2).ext` …
   *
   * @param root where the client's paths start, so that clients with different roots don't meet.
   * @throws E2eeftpError `E2EEFTP_IS_DIRECTORY` when a directory has the wanted name, `E2EEFTP_EXISTS` when 10,000
   * names are taken.
   */
  async choose(root: string, wanted: Buffer, kindAt: KindAt): Promise<ReservedName> {
    for (let number = 0; number < MAX_TRIES; number += 1) {
      const path = number === 0 ? wanted : numbered(wanted, number);
      const key = fullName(root, path);
      if (this.#taken.has(key)) continue;
      this.#taken.add(key);
      let kind: string | null = 'unknown';
      try {
        kind = await kindAt(path);
      } finally {
        if (kind !== null) this.#taken.delete(key);
      }
      if (kind === null) return { path, release: () => this.#taken.delete(key) };
      if (number === 0 && kind === 'directory') throw isDirectory();
    }
    throw exists();
  }
}

/** Throws `E2EEFTP_EXISTS` or `E2EEFTP_IS_DIRECTORY` when something is at `path`. */
export async function requireNothingAt(path: Buffer, kindAt: KindAt): Promise<void> {
  const kind = await kindAt(path);
  if (kind !== null) throw kind === 'directory' ? isDirectory() : exists();
}

/** `dir/name.ext` with `number` as `dir/name (number).ext`. A leading dot does not start an extension. */
export function numbered(path: Buffer, number: number): Buffer {
  const text = path.toString('latin1');
  const start = text.lastIndexOf('/') + 1;
  const dot = text.lastIndexOf('.');
  const split = dot > start ? dot : text.length;
  return Buffer.from(`${text.slice(0, split)} (${number})${text.slice(split)}`, 'latin1');
}

function fullName(root: string, path: Buffer): string {
  const text = `${Buffer.from(root).toString('latin1')}/${path.toString('latin1')}`;
  return text
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

function exists(): E2eeftpError {
  return new E2eeftpError('E2EEFTP_EXISTS', 'File exists');
}

function isDirectory(): E2eeftpError {
  return new E2eeftpError('E2EEFTP_IS_DIRECTORY', 'Is a directory');
}
