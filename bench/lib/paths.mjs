/** Where the things to be measured are. */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const projectRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** The command line program as the package installs it. */
export const cliPath = path.join(projectRoot, 'dist/cli/main.js');

/** The library as the package exports it. */
export const libraryPath = path.join(projectRoot, 'dist/index.js');

/** A program of this bench that runs in a process of its own. */
export function programPath(name) {
  return path.join(projectRoot, 'bench/programs', name);
}

/** An example program of `crates/net`, built in release mode. */
export function examplePath(name) {
  const target = path.resolve(projectRoot, process.env.CARGO_TARGET_DIR ?? 'target');
  return path.join(target, 'release/examples', name);
}

/** A program of `bench/native`, built in release mode. */
export function nativePath(name) {
  return path.join(projectRoot, 'bench/native/target/release', name);
}

/**
 * @param {...string} files
 * @returns {string | null} why something can't be measured, or null when every file is there
 */
export function missingFiles(...files) {
  const missing = files.filter((file) => !fs.existsSync(file));
  if (missing.length === 0) return null;
  const names = missing.map((file) => path.basename(file)).join(', ');
  return `${names} is not built`;
}

/**
 * @param {string} name
 * @param {string[]} [more] folders to look in after those of PATH
 * @returns {string | null} the absolute path of a program
 */
export function findProgram(name, more = []) {
  for (const folder of [...(process.env.PATH ?? '').split(path.delimiter), ...more]) {
    const candidate = path.join(folder, name);
    if (path.isAbsolute(folder) && fs.existsSync(candidate)) return candidate;
  }
  return null;
}
