/** What it costs that a file is on the disk before it is acknowledged: the default beside `--durability none`. */
import fs from 'node:fs';
import path from 'node:path';
import { assertRoom } from '../lib/files.mjs';
import { gate } from '../lib/gates.mjs';
import { productMissing, startDaemon, transfer } from '../lib/peers/e2eeftp.mjs';
import { runRounds } from '../lib/rounds.mjs';
import { median, medianRatio } from '../lib/stats.mjs';
import { absence, commandRate, figure, range, table, transferRate } from '../lib/tables.mjs';

const VERBS = ['send', 'get'];
const LEVELS = ['none', 'file', 'dir'];
/** What a target needs, and a file that the system has not removed yet. */
const COPIES = 4;

const commandSeconds = ({ seconds }) => seconds;

/** @type {import('../lib/measure.mjs').Suite} */
export async function durabilitySuite(bench) {
  const disk = path.join(bench.diskScratch, 'durability');
  const memory = path.join(bench.scratch, 'durability');
  assertRoom(bench.diskScratch, bench.options.fileBytes * COPIES);
  const missing = productMissing();
  const daemons = [];
  try {
    // What is read lies in memory, so that the disk has only what is written.
    for (const folder of missing === null ? [disk, memory] : []) daemons.push(await startDaemon(folder));
    return report(await runRounds(cases(bench, disk, daemons, missing), bench));
  } finally {
    for (const daemon of daemons) await daemon.close();
    for (const folder of [disk, memory]) bench.remove(folder);
  }
}

function cases(bench, disk, [onDisk, inMemory], missing) {
  const source = bench.source();
  if (missing === null) fs.linkSync(source, path.join(inMemory.root, 'served'));
  return VERBS.flatMap((verb) =>
    LEVELS.map((level) => ({
      name: `${verb} ${level}`,
      missing,
      run: ({ warmUp }) => {
        const options = ['--durability', level];
        return verb === 'send'
          ? transfer(onDisk, 'send', source, path.join(onDisk.root, 'arriving'), warmUp, { options })
          : transfer(inMemory, 'get', path.join(inMemory.root, 'served'), path.join(disk, 'arriving'), warmUp, {
              options,
            });
      },
    })),
  );
}

function report(results) {
  const samples = (verb, level) => results.get(`${verb} ${level}`).samples;
  const heads = ['verb', '--durability', 'command GB/s (min–max)', 'transfer GB/s', 'time beside none'];
  const slower = (verb, level) => medianRatio(samples(verb, level), commandSeconds, samples(verb, 'none'));
  const rows = VERBS.flatMap((verb) =>
    LEVELS.map((level) => {
      const absent = absence(results.get(`${verb} ${level}`));
      if (absent !== null) return [verb, level, absent, '', ''];
      const rates = samples(verb, level);
      return [
        verb,
        level,
        range(rates.map(commandRate)),
        figure(median(rates.map(transferRate))),
        figure(slower(verb, level)),
      ];
    }),
  );
  const text = [
    'A new file on the disk, from a source in memory. `file` is the default. Beside `none` a transfer can only be as fast as',
    'the disk writes.',
    '',
    table(heads, rows),
  ];
  const gates = VERBS.map((verb) =>
    gate(`${verb}: time with the default durability beside none`, slower(verb, 'file'), { below: 1.25 }),
  );
  return { title: 'Durability', text, gates, results };
}
