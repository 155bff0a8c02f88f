// `npm run crash-test`: kills server and clients at random while files are sent, fetched, moved,
// copied and deleted, and looks after each death of the server whether the tree holds what was
// acknowledged and nothing else. Ends with `N passed, N failed`.
//
//   npm run crash-test                                 three minutes, some of it with failing disks
//   npm run crash-test -- --minutes 60 --kills 500     an hour, and longer until there were 500 kills
//   npm run crash-test -- --seed 7 --faults 0          this sequence, only kills
//
// A seed gives the same operations, contents and waits, not the same race: what a signal meets depends
// on the machine. It is printed, with the state of the run, at each violation.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { CrashTest } from './lib/crash/crash-test.mjs';
import { hasCommand, SetupError } from './lib/project.mjs';
import { runMain } from './lib/run.mjs';
import { setUp, step } from './lib/setup.mjs';

const USAGE =
  'Usage: npm run crash-test -- [--minutes N] [--kills N] [--seed TEXT] [--faults SHARE] [--workers N] [--dir DIR] [--keep] [--no-build]';
await runMain(async () => {
  const options = parseOptions();
  if (options.build) await setUp();
  if (options.faults > 0 && !hasCommand('strace')) {
    throw new SetupError('Missing on this machine: strace: on Debian, apt-get install strace; or --faults 0');
  }
  step(`Crash test for ${options.minutes} minutes, seed ${options.seed}`);
  const folder = mkdtempSync(join(options.dir, 'e2eeftp-crash-'));
  const test = new CrashTest(folder, options);
  const interrupt = () => {
    test.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, interrupt);
  try {
    return await test.run();
  } finally {
    test.stop();
    if (options.keep) process.stdout.write(`kept: ${folder}\n`);
    else rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
  }
});

function parseOptions() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '3' },
      kills: { type: 'string', default: '0' },
      seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
      faults: { type: 'string', default: '0.3' },
      workers: { type: 'string', default: '3' },
      dir: { type: 'string', default: tmpdir() },
      keep: { type: 'boolean', default: false },
      'no-build': { type: 'boolean', default: false },
    },
  });
  const options = {
    ...values,
    minutes: Number(values.minutes),
    kills: Number(values.kills),
    faults: Number(values.faults),
    workers: Number(values.workers),
    build: !values['no-build'],
  };
  const isGood =
    options.minutes > 0 && options.kills >= 0 && options.faults >= 0 && options.faults <= 1 && options.workers >= 1;
  if (!isGood) throw new SetupError(USAGE);
  return options;
}
