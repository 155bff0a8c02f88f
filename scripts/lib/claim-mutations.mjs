// The claims of docs/THREATS.md taken out one by one: each change of scripts/claim-mutations.json is
// made in a copy of the crates, and the test that it names must fail there.

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { root, SetupError } from './project.mjs';
import { run } from './run.mjs';

/**
 * @typedef {object} Mutation
 * @property {string[]} claims rows of docs/THREATS.md
 * @property {string} change
 * @property {{file: string, from: string, to: string}[]} edits `from` stands in `file` once
 * @property {string} [package] whose test it is, unless the core's
 * @property {string} noticedBy `FILE::TEST` of crates/core/tests, or the path of a unit test; with `package`, always an
 * integration test: `FILE::` and its path in there
 */

const COPY = join(root, '.build', 'claim-mutations');

/**
 * Makes every change and runs its test.
 *
 * @returns {Promise<{passed: number, failed: number}>}
 */
export async function checkClaims() {
  /** @type {Mutation[]} */
  const mutations = JSON.parse(readFileSync(join(root, 'scripts/claim-mutations.json'), 'utf8'));
  rmSync(COPY, { recursive: true, force: true });
  mkdirSync(COPY, { recursive: true });
  for (const part of ['Cargo.toml', 'Cargo.lock', 'crates', 'testdata']) {
    cpSync(join(root, part), join(COPY, part), { recursive: true });
  }
  let passed = 0;
  for (const { change, edits, package: owner, noticedBy, claims } of mutations) {
    const originals = edits.map(({ file }) => ({ file, text: readFileSync(join(root, file), 'utf8') }));
    for (const edit of edits) apply(edit);
    const isNoticed = await fails(noticedBy, owner);
    for (const { file, text } of originals) writeFileSync(join(COPY, file), text);
    passed += Number(isNoticed);
    process.stdout.write(`${isNoticed ? '✓' : '✗'} ${claims.join(', ')}: ${change} (${noticedBy})\n`);
  }
  return { passed, failed: mutations.length - passed };
}

/** @param {Mutation['edits'][number]} edit */
function apply({ file, from, to }) {
  const path = join(COPY, file);
  const pieces = readFileSync(path, 'utf8').split(from);
  if (pieces.length !== 2) throw new SetupError(`${file}: expected once, found ${pieces.length - 1} times: ${from}`);
  writeFileSync(path, pieces.join(to));
}

/**
 * Whether the test runs and fails. A change that does not compile has been noticed by nobody.
 *
 * @param {string} test
 * @param {string | undefined} owner
 */
async function fails(test, owner) {
  const [file, ...rest] = test.split('::');
  const isIntegration = owner !== undefined || rest.length === 1;
  const where = isIntegration ? ['--test', file] : ['--lib'];
  const name = isIntegration ? rest.join('::') : test;
  const args = [
    'test',
    '--locked',
    '-p',
    owner ?? 'e2eeftp-core',
    '--manifest-path',
    join(COPY, 'Cargo.toml'),
    ...where,
  ];
  const env = { CARGO_TARGET_DIR: join(root, 'target', 'claim-mutations'), RUSTFLAGS: '-Awarnings' };
  const { status, output } = await run('cargo', [...args, '--', '--exact', name], { quiet: true, env });
  return status !== 0 && /^test result: FAILED\. \d+ passed; 1 failed/m.test(output);
}
