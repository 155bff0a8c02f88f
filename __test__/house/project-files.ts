// The project's own files, for the tests that hold its structure.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';

/** Absolute path of the checkout. */
export const root: string = resolve(import.meta.dirname, '../..');

/** Folders that are made by tools, as .gitignore lists them, wherever they are. */
const MADE = new Set(['.build', '.git', '.test-out', 'artifacts', 'dist', 'node_modules', 'npm', 'target']);

/** Files that `napi build` writes. */
const GENERATED: ReadonlySet<string> = new Set(['index.js', 'index.d.ts']);

/**
 * Every hand-written file below `folder`.
 *
 * @param folder relative to the checkout; `''` for all of it
 * @param extension with the dot, such as `.rs`; without it all files
 * @returns paths relative to the checkout, with `/` between their parts, sorted
 */
export function projectFiles(folder: string, extension = ''): string[] {
  return walk(join(root, folder))
    .map((path) => relative(root, path).split(sep).join('/'))
    .filter((path) => path.endsWith(extension) && !GENERATED.has(path))
    .toSorted();
}

/** The text of a file given relative to the checkout. */
export function readProjectFile(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/**
 * A source text without its comment lines, so that a rule about code is not broken by prose. Lines
 * keep their numbers. Comments behind code on the same line stay.
 */
export function withoutComments(source: string): string {
  return source
    .split('\n')
    .map((line) => (/^\s*(\/\/|\/\*|\*)/.test(line) ? '' : line))
    .join('\n');
}

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (MADE.has(entry.name)) return [];
    if (entry.isDirectory()) return walk(path);
    return entry.isFile() && !/\.(node|tgz|log)$/.test(entry.name) ? [path] : [];
  });
}
