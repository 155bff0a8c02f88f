// `npm run mutants`: changes the core in one place after the other with cargo-mutants and runs the
// core's tests against each change; docs/MUTATION.md has the results. Takes hours.
//
//   npm run mutants                        handshake, records and cryptography of the core
//   npm run mutants -- --claims            each claim of docs/THREATS.md taken out by hand: minutes
//   npm run mutants -- -f 'PATTERN'        only files that match, and further options of cargo mutants

import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { CARGO_TOOLS, cargoTool } from './lib/cargo-tools.mjs';
import { checkClaims } from './lib/claim-mutations.mjs';
import { requireToolchain, root } from './lib/project.mjs';
import { run, runMain } from './lib/run.mjs';

const SOURCES = ['handshake', 'record', 'crypto'].map((folder) => `crates/core/src/${folder}/**`);
/** What a secret looks like when it is printed is decided by types, not by these functions. */
const EXCLUDED = 'impl.*Debug';

await runMain(async () => {
  requireToolchain();
  const given = process.argv.slice(2);
  if (given[0] === '--claims') {
    const { passed, failed } = await checkClaims();
    process.stdout.write(`${passed} passed, ${failed} failed\n`);
    return failed === 0 && passed > 0 ? 0 : 1;
  }
  const mutants = await cargoTool(CARGO_TOOLS.cargoMutants);
  const files = given.includes('-f') ? [] : SOURCES.flatMap((source) => ['-f', source]);
  const output = join(root, '.build', 'mutants');
  mkdirSync(output, { recursive: true });
  const { status } = await run(
    'cargo',
    [
      'mutants',
      '-p',
      'e2eeftp-core',
      '-j',
      '1',
      '-E',
      EXCLUDED,
      '-o',
      output,
      ...files,
      ...given,
      '--',
      '--lib',
      '--tests',
    ],
    { env: { PATH: `${dirname(mutants)}:${process.env.PATH}` } },
  );
  return status;
});
