/** One byte changed in a large file that the other side has: what moves, and how long it takes. */
import fs from 'node:fs';
import path from 'node:path';
import { assertRoom, changeByte, makeRandomFile } from '../lib/files.mjs';
import { gate } from '../lib/gates.mjs';
import { productMissing, startDaemon, transfer } from '../lib/peers/e2eeftp.mjs';
import { rsync, rsyncMissing } from '../lib/peers/rsync.mjs';
import { startSshd } from '../lib/peers/sshd.mjs';
import { runRounds } from '../lib/rounds.mjs';
import { median, medianRatio } from '../lib/stats.mjs';
import { absence, figure, range, table } from '../lib/tables.mjs';

const DIRECTIONS = ['up', 'down'];
const MIB = 2 ** 20;
const FEW_BLOCKS = 3;
const OLD = new Date('2020-01-01');

/** @type {import('../lib/measure.mjs').Suite} */
export async function deltaSuite(bench) {
  const folder = path.join(bench.scratch, 'delta');
  const bytes = bench.options.fileBytes;
  assertRoom(bench.scratch, bytes * 5.2);
  const servers = [];
  try {
    const daemon = productMissing() === null ? await startDaemon(path.join(folder, 'e2eeftp')) : null;
    const sshd = await startSshd(path.join(folder, 'sshd'), bench.options.sshd);
    servers.push(...[daemon, sshd].filter((server) => server !== null));
    const results = await runRounds(cases(folder, bytes, daemon, sshd), bench);
    return report(results, bytes);
  } finally {
    for (const server of servers) await server.close();
    bench.remove(folder);
  }
}

/** Each case has a target of its own, which the change of each round is brought to. */
function cases(folder, bytes, daemon, sshd) {
  const local = path.join(folder, 'local');
  makeRandomFile(local, bytes);
  // The file on the server that is fetched is the local one under a second name.
  const served = daemon === null ? local : path.join(daemon.root, 'served');
  if (daemon !== null) fs.linkSync(local, served);
  /** Where bytes were changed so far; each target is brought up to all but the last. */
  const changes = [];
  const list = [];
  for (const direction of DIRECTIONS) {
    const add = (name, missing, target, run) => {
      const kept = target ?? path.join(folder, `${name} ${direction}`.replaceAll(' ', '-'));
      let seen = 0;
      if (missing === null) fs.copyFileSync(local, kept);
      list.push({
        name: `${name} ${direction}`,
        missing,
        run: ({ warmUp }) => {
          // Somewhere else in each round, and never twice in the same block.
          changes.push(Math.floor(bytes * ((changes.length * 0.618 + 0.05) % 1)));
          changeByte(local, changes.at(-1));
          for (const offset of changes.slice(seen, -1)) changeByte(kept, offset);
          seen = changes.length;
          // Older than the source, or it would be left alone as unchanged.
          fs.utimesSync(kept, OLD, OLD);
          return run(kept, warmUp);
        },
      });
    };
    const arriving = daemon !== null && direction === 'up' ? path.join(daemon.root, 'arriving') : undefined;
    add('e2eeftp', productMissing(), arriving, (target, compare) =>
      direction === 'up'
        ? transfer(daemon, 'send', local, target, compare, { keep: true })
        : transfer(daemon, 'get', served, target, compare, { keep: true }),
    );
    add('rsync', rsyncMissing(), undefined, async (target, compare) => {
      const sample = await rsync(sshd, direction, local, target, compare, { keep: true, options: ['--stats'] });
      const literal = sample.lines.find((line) => line.startsWith('Literal data:'));
      return { ...sample, sentBytes: Number(literal.replaceAll(/[^0-9]/g, '')) };
    });
  }
  return list;
}

/** @returns {number} block length of a file, `docs/PROTOCOL.md`: at least 1 MiB, about 1024 of them */
function blockLength(bytes) {
  return Math.min(Math.max(2 ** Math.ceil(Math.log2(bytes / 1024)), MIB), 16 * MIB);
}

function report(results, bytes) {
  const block = blockLength(bytes);
  const gates = [];
  for (const direction of DIRECTIONS) {
    const verb = direction === 'up' ? 'send' : 'get';
    const product = results.get(`e2eeftp ${direction}`).samples;
    const other = results.get(`rsync ${direction}`).samples;
    const blocks = Math.max(...product.map(({ sentBytes }) => sentBytes)) / block;
    gates.push(
      gate(`one byte changed, ${verb}: blocks that move`, blocks, { below: FEW_BLOCKS }),
      gate(`one byte changed, ${verb}: times as fast as rsync`, medianRatio(other, commandSeconds, product), {
        least: 1,
      }),
    );
  }
  const rows = [...results.values()].map((result) => {
    const { name, samples } = result;
    const absent = absence(result);
    if (absent !== null) return [name, absent, '', '', ''];
    const cpu = (side) => figure(median(samples.map((sample) => sample[side])));
    const moved = samples.map(({ sentBytes }) => sentBytes / MIB);
    return [name, range(samples.map(commandSeconds)), range(moved, 3), cpu('clientCpu'), cpu('serverCpu')];
  });
  return {
    title: `One byte changed in a file of ${bytes / MIB} MiB`,
    text: [
      `The other side has the file as it was before; a block is ${block / MIB} MiB. The whole command; what moved is what`,
      'each program itself says: `sentBytes`, and "Literal data" of `rsync --stats`. rsync compares with its delta algorithm.',
      '',
      table(['peer', 'seconds (min–max)', 'moved MiB', 'client CPU s', 'server CPU s'], rows),
    ],
    gates,
    results,
  };
}

const commandSeconds = ({ seconds }) => seconds;
