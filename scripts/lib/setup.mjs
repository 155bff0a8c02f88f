// From a fresh checkout to installed packages, a native addon and compiled TypeScript. Every step
// is skipped, or takes a second, when its result is up to date.

import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { requireToolchain, root } from './project.mjs';
import { runOrThrow } from './run.mjs';

const LOCK = join(root, 'package-lock.json');
/** Written by npm at the end of each installation. */
const INSTALLED = join(root, 'node_modules/.package-lock.json');
/** Hash of the package-lock.json that was installed by these scripts. */
const STAMP = join(root, 'node_modules/.e2eeftp-installed');

/**
 * Installs the npm packages when node_modules is missing or does not match package-lock.json.
 *
 * `npm install --no-save` and not `npm ci`: both install what the lock file says and leave it as it
 * is, but `npm ci` refuses a lock file without the optional packages of other platforms, and such a
 * file is all that can be made against a registry that does not offer them.
 */
export async function installPackages() {
  if (packagesAreCurrent()) return;
  step('Installing npm packages');
  const args = ['install', '--no-save', '--no-audit', '--no-fund'];
  await runOrThrow('install the npm packages', 'npm', args);
  writeFileSync(STAMP, lockHash());
}

/** Builds the native addon, index.js and index.d.ts: a release build; cargo decides what is stale. */
export async function buildNative() {
  step('Building the native addon (release)');
  await runOrThrow('build the native addon', 'npm', ['run', '--silent', 'build:native']);
}

/** Compiles src/ into dist/. */
async function buildTypeScript() {
  step('Compiling TypeScript');
  await runOrThrow('compile src/', 'npm', ['run', '--silent', 'build:ts']);
}

/** All of the above, in order. */
export async function setUp() {
  requireToolchain();
  await installPackages();
  await buildNative();
  await buildTypeScript();
}

/**
 * Says on stderr what comes next.
 *
 * @param {string} what
 */
export function step(what) {
  process.stderr.write(`\n── ${what}\n`);
}

function packagesAreCurrent() {
  const installedAt = modifiedMs(INSTALLED);
  if (installedAt === undefined) return false;
  if (installedAt >= (modifiedMs(LOCK) ?? 0)) return true;
  try {
    return readFileSync(STAMP, 'utf8') === lockHash();
  } catch {
    return false;
  }
}

function lockHash() {
  return createHash('sha256').update(readFileSync(LOCK)).digest('hex');
}

/** @param {string} path */
function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}
