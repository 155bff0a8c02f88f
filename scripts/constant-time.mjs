// `npm run constant-time`: whether our own comparisons of secrets depend on the secrets, found by
// valgrind. constant-time/README.md says how, and lists the comparisons.

import { hasCommand, requireToolchain, root, SetupError } from './lib/project.mjs';
import { run, runMain, runOrThrow } from './lib/run.mjs';
import { step } from './lib/setup.mjs';

import { join } from 'node:path';

const TARGET = join(root, 'target', 'constant-time');

await runMain(async () => {
  requireToolchain();
  if (!hasCommand('valgrind')) {
    throw new SetupError('Missing on this machine: valgrind with its headers: on Debian, apt-get install valgrind');
  }
  step('Building the comparisons');
  const args = ['build', '--release', '--locked', '--manifest-path', 'constant-time/Cargo.toml'];
  await runOrThrow('build the comparisons', 'cargo', args, { quiet: true, env: { CARGO_TARGET_DIR: TARGET } });
  step('Running them under valgrind');
  const { status, output } = await run(
    'valgrind',
    ['--quiet', '--tool=memcheck', '--num-callers=20', join(TARGET, 'release', 'e2eeftp-constant-time')],
    { quiet: true },
  );
  // What valgrind says about each decision is worth reading only when there is one too many.
  const isReport = (/** @type {string} */ line) => /^==\d+==/.test(line);
  if (status !== 0) process.stderr.write(output.split('\n').filter(isReport).join('\n'));
  process.stdout.write(
    output
      .split('\n')
      .filter((line) => !isReport(line))
      .join('\n'),
  );
  return status;
});
