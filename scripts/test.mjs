// `npm test`: sets up, builds, then runs every check and every test of the project and ends with
// one line, `N passed, N failed`. The exit status is 0 only if all of them ran and passed.
//
//   npm test               everything: what continuous integration runs
//   npm test -- lint ts    only these groups: lint, rust, ts, fuzz, models, constant-time, crash-test

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { cargoCounter, closingLineCounter, tapCounter } from './lib/counts.mjs';
import { hasCommand, requireToolchain, root, SetupError } from './lib/project.mjs';
import { run, runMain } from './lib/run.mjs';
import { buildNative, installPackages, step } from './lib/setup.mjs';

const GROUPS = ['lint', 'rust', 'ts', 'fuzz', 'models', 'constant-time', 'crash-test'];
/** Written by `napi build` and kept under version control. */
const GENERATED = ['index.js', 'index.d.ts'];
/** Each is one check: it passes when its command, a script of package.json, ends with 0. */
const LINTS = [
  'lint:rustfmt',
  'lint:clippy',
  'lint:oxlint',
  'lint:prettier',
  'lint:knip',
  'lint:publint',
  'lint:attw',
  'lint:workflows',
  'lint:container',
  'lint:systemd',
];
/** Programs of the operating system that tests start, `scripts/install-test-tools.sh` knows where from. */
const TEST_TOOLS = [
  'ssh-keygen',
  'ssh-agent',
  'openssl',
  'script',
  'mount',
  'systemd-analyze',
  'objdump',
  'bash',
  'zsh',
  'fish',
  'mandoc',
  'mkfs.btrfs',
  'prlimit',
  'strace',
  'rsync',
  'valgrind',
];
/** A file that tests give to one of them. */
const SK_DUMMY = '/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so';
/** Groups that are one script of package.json each, which closes on `N passed, N failed` itself. */
const SUITES = ['fuzz', 'models', 'constant-time', 'crash-test'];
/** Written last by `scripts/install-python-peer.sh`, which the same script calls. */
const PYTHON_PEER = '.build/python-peer/ready';

/** @type {{name: string, passed: number, failed: number, skipped: number}[]} */
const results = [];

await runMain(async () => {
  const groups = process.argv.slice(2);
  const unknown = groups.find((group) => !GROUPS.includes(group));
  if (unknown !== undefined) {
    throw new SetupError(`Unknown group ${unknown}: one of ${GROUPS.join(', ')}.`);
  }
  const wanted = new Set(groups.length > 0 ? groups : GROUPS);

  requireToolchain();
  await installPackages();
  await installTestTools();
  if (wanted.has('lint') || wanted.has('ts')) {
    await checkGeneratedFiles();
    await check('build:ts');
    await check('build:tests');
  }
  if (wanted.has('lint')) {
    step('Linters for workflows and packaging');
    // Where they can't be installed, the checks fail and say so.
    await run('scripts/install-linters.sh', []);
    for (const lint of LINTS) await check(lint);
  }
  if (wanted.has('rust')) await count('test:rust', [], cargoCounter());
  if (wanted.has('ts')) await count('test:ts', ['--tap'], tapCounter());
  for (const suite of SUITES) if (wanted.has(suite)) await count(suite, [], closingLineCounter());
  return report();
});

async function installTestTools() {
  const missing = TEST_TOOLS.filter((tool) => !hasCommand(tool));
  if (!existsSync(SK_DUMMY)) missing.push(SK_DUMMY);
  if (!existsSync(join(root, PYTHON_PEER))) missing.push('the original Python e2eeftp');
  if (missing.length === 0) return;
  step(`Test tools: ${missing.join(', ')}`);
  // Where they can't be installed, the tests that need them fail and say so.
  await run('scripts/install-test-tools.sh', []);
}

/** Builds the addon and holds the committed loader and typings against what the build wrote. */
async function checkGeneratedFiles() {
  const before = GENERATED.map(readOrEmpty);
  await buildNative();
  const stale = GENERATED.filter((name, index) => readOrEmpty(name) !== before[index]);
  const unstaged = await run('git', ['diff', '--exit-code', '--stat', '--', ...GENERATED], {
    quiet: true,
  });
  // Not a git checkout (129) or no git (127): then the comparison above has to do.
  if (unstaged.status === 1) stale.push(...GENERATED.filter((name) => !stale.includes(name)));
  if (stale.length > 0) {
    process.stderr.write(`${stale.join(', ')}: rebuilt and different; add them to the commit.\n`);
  }
  results.push({ name: 'generated files', ...verdict(stale.length === 0) });
}

/**
 * @param {string} script of package.json
 */
async function check(script) {
  step(script);
  const { status, output } = await run('npm', ['run', '--silent', script], { quiet: true });
  if (status !== 0) process.stderr.write(output);
  results.push({ name: script, ...verdict(status === 0) });
}

/**
 * @param {string} script of package.json
 * @param {string[]} args
 * @param {ReturnType<typeof cargoCounter>} counter
 */
async function count(script, args, { counts, onLine }) {
  step(script);
  const { status } = await run('npm', ['run', '--silent', script, '--', ...args], {
    onLine: (line) => {
      if (onLine(line)) process.stdout.write(`${line}\n`);
    },
  });
  // A suite that did not build, crashed, or ran nothing must not look like one that passed.
  const broken = counts.failed === 0 && (status !== 0 || counts.passed === 0);
  if (broken) process.stderr.write(`${script} ended with ${status} without naming a failed test.\n`);
  results.push({ name: script, ...counts, failed: counts.failed + Number(broken) });
}

function report() {
  process.stdout.write('\n');
  let passed = 0;
  let failed = 0;
  for (const result of results) {
    const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
    process.stdout.write(
      `${result.failed > 0 ? '✗' : '✓'} ${result.name}: ${result.passed} passed, ${result.failed} failed${skipped}\n`,
    );
    passed += result.passed;
    failed += result.failed;
  }
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

/** @param {boolean} ok */
function verdict(ok) {
  return { passed: Number(ok), failed: Number(!ok), skipped: 0 };
}

/** @param {string} name */
function readOrEmpty(name) {
  try {
    return readFileSync(join(root, name), 'utf8');
  } catch {
    return '';
  }
}
