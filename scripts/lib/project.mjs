// Where the project is, and what a machine must have to build it. Node's own modules only:
// these scripts run before anything is installed.

import { spawnSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Absolute path of the checkout. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** The oldest Rust that compiles the crates: `rust-version` in Cargo.toml. */
const OLDEST_RUST = [1, 88];

/** A fault that the person at the keyboard can mend: printed without a stack trace. */
export class SetupError extends Error {}

/**
 * Refuses a machine that lacks Node ≥ 20.19, Rust or a C compiler, and says where to get what is
 * missing.
 *
 * @throws {SetupError} naming everything that is missing
 */
export function requireToolchain() {
  const missing = [];
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    missing.push(`Node.js 20.19 or newer (this is ${process.versions.node}): https://nodejs.org`);
  }
  const cargo = spawnSync('cargo', ['--version'], { encoding: 'utf8' });
  const rust = /^cargo (\d+)\.(\d+)/.exec(cargo.stdout ?? '');
  if (rust === null) {
    missing.push('Rust with cargo: https://rustup.rs');
  } else if (
    Number(rust[1]) < OLDEST_RUST[0] ||
    (Number(rust[1]) === OLDEST_RUST[0] && Number(rust[2]) < OLDEST_RUST[1])
  ) {
    missing.push(`Rust ${OLDEST_RUST.join('.')} or newer (this is ${rust[1]}.${rust[2]}): rustup update`);
  }
  const compiler = process.env.CC ?? 'cc';
  if (process.platform !== 'win32' && !hasCommand(compiler)) {
    missing.push(`a C compiler (\`${compiler}\`): on Debian, apt-get install build-essential`);
  }
  if (missing.length > 0) {
    throw new SetupError(`Missing on this machine:\n${missing.map((line) => `  - ${line}`).join('\n')}`);
  }
}

/**
 * Whether `command` can be found.
 *
 * @param {string} command a name on PATH, or a path
 * @returns {boolean}
 */
export function hasCommand(command) {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', command]).status === 0;
}
