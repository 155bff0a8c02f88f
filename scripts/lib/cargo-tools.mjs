// Programs that cargo can install and that only some checks need: they go into .build/, not into
// the user's own cargo folder, each in one pinned version.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { root, SetupError } from './project.mjs';
import { run } from './run.mjs';
import { step } from './setup.mjs';

/**
 * @typedef {object} CargoTool
 * @property {string} crate
 * @property {string} version exact
 * @property {string} program name of the program that the crate installs
 * @property {string[]} [toolchain] such as `['+nightly']`: what it has to be built with
 * @property {string[]} [options] further options of `cargo install`
 */

/** @type {Record<'verifpal' | 'cargoFuzz' | 'cargoMutants', CargoTool>} */
export const CARGO_TOOLS = {
  cargoFuzz: { crate: 'cargo-fuzz', version: '0.13.2', program: 'cargo-fuzz' },
  cargoMutants: { crate: 'cargo-mutants', version: '27.1.0', program: 'cargo-mutants' },
  // Asks for a compiler that may be newer than the one here; a nightly builds it all the same.
  verifpal: {
    crate: 'verifpal',
    version: '1.6.7',
    program: 'verifpal',
    toolchain: ['+nightly'],
    options: ['--ignore-rust-version'],
  },
};

/**
 * Installs a program unless it is there in this version.
 *
 * @param {CargoTool} tool
 * @returns {Promise<string>} its path
 * @throws {SetupError} saying what to install by hand
 */
export async function cargoTool({ crate, version, program, toolchain = [], options = [] }) {
  if (toolchain.includes('+nightly')) requireNightly(`building ${crate}`);
  const folder = join(root, '.build', `${crate}-${version}`);
  const path = join(folder, 'bin', program);
  if (spawnSync(path, ['--help'], { stdio: 'ignore' }).status === 0) return path;
  step(`Installing ${crate} ${version} into .build/`);
  const args = [...toolchain, 'install', crate, '--version', version, '--locked', '--root', folder, ...options];
  const env = { CARGO_TARGET_DIR: join(root, '.build', 'cargo-tools-target') };
  const { status, output } = await run('cargo', args, { quiet: true, env });
  if (status !== 0) {
    process.stderr.write(output.split('\n').slice(-20).join('\n'));
    throw new SetupError(
      `Could not install ${crate}. By hand: cargo ${args.filter((arg) => arg !== '--root' && arg !== folder).join(' ')} --root ${folder}`,
    );
  }
  return path;
}

/**
 * Refuses a machine without a nightly compiler.
 *
 * @param {string} what needs it
 * @throws {SetupError} saying how to get one
 */
export function requireNightly(what) {
  if (spawnSync('cargo', ['+nightly', '--version'], { stdio: 'ignore' }).status === 0) return;
  throw new SetupError(
    `Missing on this machine: a nightly Rust compiler, for ${what}: rustup toolchain install nightly --profile minimal`,
  );
}
