// What the files of a tree may hold after any crash, and whether they do.
//
// An operation is opened before it starts and closed when its outcome is known. While it is open, and
// for ever when nobody heard its outcome, each of its effects may or may not be there. What is found
// when nothing can change it any more settles the question.

import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

const PIECE_LEN = 2 ** 20;
/** What begins like this is the product's own: staged files and what belongs to them. */
export const RESERVED = '.e2eeftp-';
/** Stands for the content of a file that is not there. */
export const ABSENT = 'absent';

/** @typedef {Map<string, string>} Effects by path: the SHA-256 of the content then, or ABSENT */

export class Expectations {
  #folder;
  /** @type {Map<string, Set<string>>} contents that each path may have */
  #allowed = new Map();
  /** @type {Map<number, {effects: Effects, isRunning: boolean, moves: string | null}>} */
  #open = new Map();
  /** @type {Map<string, string>} SHA-256 by the identity of an unchanged file */
  #digests = new Map();
  #lastId = 0;

  /** @param {string} folder the tree */
  constructor(folder) {
    this.#folder = folder;
  }

  /**
   * @param {string} path
   * @returns {string | null} the only content that it may have, or null
   */
  certain(path) {
    const allowed = this.#allowed.get(path);
    if (allowed === undefined) return ABSENT;
    return allowed.size === 1 ? [...allowed][0] : null;
  }

  /** Whether `content` may be what a reader of `path` gets. */
  allows(path, content) {
    return (this.#allowed.get(path) ?? new Set([ABSENT])).has(content);
  }

  /** Whether an operation on this path has begun and its end is not known. */
  isOpen(path) {
    return [...this.#open.values()].some(({ effects }) => effects.has(path));
  }

  /**
   * An operation begins.
   *
   * @param {Effects} effects
   * @param {string | null} [moves] a content that is in one of the paths before and after
   * @returns {number} for {@link acknowledge} and {@link abandon}
   */
  begin(effects, moves = null) {
    for (const [path, content] of effects) {
      const allowed = this.#allowed.get(path) ?? new Set([ABSENT]);
      this.#allowed.set(path, allowed.add(content));
    }
    // What was moved may since be overwritten.
    for (const other of this.#open.values()) {
      if ([...effects.keys()].some((path) => other.effects.has(path))) other.moves = null;
    }
    this.#lastId += 1;
    this.#open.set(this.#lastId, { effects, isRunning: true, moves });
    return this.#lastId;
  }

  /** It was acknowledged: from now on nothing else may be there. */
  acknowledge(id) {
    const { effects } = this.#open.get(id);
    this.#open.delete(id);
    for (const [path, content] of effects) {
      // What another open operation may still do stays allowed.
      const others = [...this.#open.values()].map((other) => other.effects.get(path));
      this.#allowed.set(path, new Set([content, ...others.filter((other) => other !== undefined)]));
    }
  }

  /** It ended without an acknowledgement, and may take effect until the server is gone. */
  abandon(id) {
    this.#open.get(id).isRunning = false;
  }

  /**
   * Compares the tree with what it may hold. Nothing may change it meanwhile. Afterwards what was
   * found is what is expected.
   *
   * @returns {{files: number, violations: string[]}}
   */
  settle() {
    const found = this.#read();
    const violations = [];
    for (const [path, content] of found) {
      if (this.#allowed.has(path)) continue;
      violations.push(`${path} was never stored`);
      this.#allowed.set(path, new Set([content]));
    }
    for (const { effects, moves } of this.#open.values()) {
      if (moves !== null && ![...effects.keys()].some((path) => found.get(path) === moves)) {
        violations.push(`lost by a move: ${[...effects.keys()].join(' → ')}`);
      }
    }
    for (const [path, allowed] of this.#allowed) {
      const content = found.get(path) ?? ABSENT;
      if (!allowed.has(content)) {
        const size = content === ABSENT ? 'absent' : `${statSync(join(this.#folder, path)).size} bytes`;
        violations.push(`${path} is ${size}, ${short(content)}; allowed: ${[...allowed].map(short).join(', ')}`);
      }
      allowed.clear();
      allowed.add(content);
    }
    for (const [id, { effects, isRunning }] of this.#open) {
      // A client that is still there may send again what the server has not answered.
      if (!isRunning) this.#open.delete(id);
      else for (const [path, content] of effects) this.#allowed.get(path).add(content);
    }
    return { files: found.size, violations };
  }

  /** @returns {Map<string, string>} the contents of all files that have a name of their own */
  #read() {
    const found = new Map();
    for (const path of visibleFiles(this.#folder)) {
      const file = join(this.#folder, path);
      const { ino, size, ctimeNs } = statSync(file, { bigint: true });
      const identity = `${ino} ${size} ${ctimeNs}`;
      const digest = this.#digests.get(identity) ?? sha256(file);
      this.#digests.set(identity, digest);
      found.set(path, digest);
    }
    return found;
  }
}

const short = (content) => content.slice(0, 12);

/** @returns {string} in hex, or ABSENT */
export function sha256(file) {
  if (!existsSync(file)) return ABSENT;
  const hash = createHash('sha256');
  const descriptor = openSync(file, 'r');
  const piece = Buffer.alloc(PIECE_LEN);
  try {
    for (let len; (len = readSync(descriptor, piece)) > 0;) hash.update(piece.subarray(0, len));
  } finally {
    closeSync(descriptor);
  }
  return hash.digest('hex');
}

/** @returns {string[]} paths below `folder` of all files that are not reserved */
function visibleFiles(folder) {
  return filesBelow(folder).filter((path) => !path.split('/').at(-1).startsWith(RESERVED));
}

/** @returns {string[]} paths below `folder` of staged files and what belongs to them */
export function reservedFiles(folder) {
  return filesBelow(folder).filter((path) => path.split('/').at(-1).startsWith(RESERVED));
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1));
}
