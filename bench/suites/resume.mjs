/** A transfer that is killed at 90 % and started again: what is sent anew, and how soon it goes on. */
import fs from 'node:fs';
import path from 'node:path';
import { descendantsOf } from '../lib/cpu.mjs';
import { assertRoom, changeByte, makeIslandFile } from '../lib/files.mjs';
import { gate } from '../lib/gates.mjs';
import { completeOf, productCommand, productMissing, startDaemon } from '../lib/peers/e2eeftp.mjs';
import { rsyncCommand, rsyncMissing } from '../lib/peers/rsync.mjs';
import { sftpCommand, sftpMissing } from '../lib/peers/sftp.mjs';
import { startSshd } from '../lib/peers/sshd.mjs';
import { run, start, Stopped, succeed } from '../lib/processes.mjs';
import { figure, table } from '../lib/tables.mjs';
import { watchWire } from '../lib/wire.mjs';

const INTERRUPT_AT = 0.9;
const LOOK_MS = 5;
const SLOWEST = 20e6;
const MIB = 2 ** 20;
const LIMIT_MIB = 256;
const LIMIT_SECONDS = 1;
/** The file in whose kept part a byte is changed is that much smaller. */
const ALTERED_PART = 8;
/** Where that byte is, and when that transfer is killed: early, so that it surely is not at its end. */
const ALTERED_AT = 0.2;
const ALTERED_INTERRUPT_AT = 0.5;
/** So long nobody writes what was kept before it is altered: the server may still be at it. */
const SETTLED_MS = 1000;
const SETTLE_MS = 30_000;
const DIRECTIONS = ['up', 'down'];

/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {string | null} missing
 * @property {string} target
 * @property {(resume: boolean) => {command: string, args: string[], env: NodeJS.ProcessEnv}} command
 * @property {(lines: string[]) => number} arrived bytes of the file that are at the target
 * @property {() => string} partial the file that holds them
 */

/**
 * @typedef {object} Sample
 * @property {number} arrived bytes that were sent when the first run was killed
 * @property {number} kept bytes that the second run went on from, as far as is known
 * @property {number} resent bytes that were sent twice
 * @property {number} firstNew seconds from the start of the second command to the first byte that was
 *   not kept
 * @property {number} seconds of the second command
 */

/** @type {import('../lib/measure.mjs').Suite} */
export async function resumeSuite(bench) {
  const bytes = bench.options.sparseBytes;
  const folder = path.join(bench.diskScratch, 'resume');
  const results = new Map();
  const servers = [];
  try {
    assertRoom(bench.diskScratch, bytes * 1.15);
    const daemon = productMissing() === null ? await startDaemon(path.join(folder, 'e2eeftp')) : null;
    const sshd = await startSshd(path.join(folder, 'sshd'), bench.options.sshd);
    servers.push(...[daemon, sshd].filter((server) => server !== null));
    const setting = { bench, folder, daemon, sshd };
    // One after the other, because only one copy at a time has room.
    for (const [kind, size] of [
      ['whole', bytes],
      ['altered', bytes / ALTERED_PART],
    ]) {
      const source = path.join(daemon?.root ?? folder, `source-${kind}`);
      const dataBytes = makeIslandFile(source, size);
      for (const direction of DIRECTIONS) {
        for (const peer of peers(setting, direction, source)) {
          await runPeer(setting, results, peer, `${peer.name} ${direction}`, { kind, source, dataBytes });
        }
      }
      fs.rmSync(source);
    }
  } finally {
    for (const server of servers) await server.close();
    bench.remove(folder);
  }
  return report(results, bytes);
}

/** @returns {Peer[]} */
function peers({ folder, daemon, sshd }, direction, source) {
  const copy = path.join(folder, 'copy');
  const verb = direction === 'up' ? 'send' : 'get';
  const product = direction === 'up' && daemon !== null ? path.join(daemon.root, 'arriving') : copy;
  const progress = ['--progress', 'json'];
  const sizeOf = (file) => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return [
    {
      name: 'e2eeftp',
      missing: productMissing(),
      target: product,
      command: () => productCommand(daemon, verb, source, product, progress),
      arrived: (lines) => lastTransferred(lines),
      partial: () => stagedFile(path.dirname(product)),
    },
    {
      name: 'rsync --partial --append-verify',
      missing: rsyncMissing(),
      target: copy,
      command: () => rsyncCommand(sshd, direction, source, copy, ['--partial', '--append-verify']),
      arrived: () => sizeOf(copy),
      partial: () => copy,
    },
    {
      name: direction === 'up' ? 'sftp reput' : 'sftp reget',
      missing: sftpMissing(),
      target: copy,
      command: (resume) => sftpCommand(sshd, direction, source, copy, resume, path.join(folder, 'batch')),
      arrived: () => sizeOf(copy),
      partial: () => copy,
    },
  ];
}

/** @returns {number} bytes that the last progress event tells of */
function lastTransferred(lines) {
  const line = lines.findLast((text) => text.includes('"progress"'));
  return line === undefined ? 0 : JSON.parse(line).transferred;
}

/** The largest file whose name begins as those of staged files do; not there when none was kept. */
function stagedFile(folder) {
  const names = fs.readdirSync(folder).filter((name) => name.startsWith('.e2eeftp-') && name.endsWith('.part'));
  const files = names.map((name) => path.join(folder, name));
  const size = (file) => fs.statSync(file).size;
  return files.toSorted((a, b) => size(b) - size(a))[0] ?? path.join(folder, 'none');
}

async function runPeer({ bench }, results, peer, name, { kind, source, dataBytes }) {
  const result = results.get(name) ?? { name, samples: [], missing: peer.missing, failure: null, altered: null };
  results.set(name, result);
  if (result.missing !== null || result.failure !== null) return;
  try {
    const share = kind === 'whole' ? INTERRUPT_AT : ALTERED_INTERRUPT_AT;
    const arrived = await interrupted(peer, fs.statSync(source).size, share);
    if (kind === 'whole') {
      const sample = await resumed(peer, source, arrived, dataBytes);
      result.samples.push(sample);
      await run('cmp', [source, peer.target], { timeoutMs: 600_000 });
      bench.log(`  ${name}: ${figure(sample.firstNew)} s, ${figure(sample.resent / MIB, 0)} MiB sent again`);
    } else {
      result.altered = await afterAlteration(peer, source);
      bench.log(`  ${name}, altered: ${result.altered}`);
    }
  } catch (error) {
    if (error instanceof Stopped) throw error;
    result.failure = error.message.split('\n', 1)[0];
    bench.log(`  FAILED   ${name}: ${error.message}`);
  } finally {
    fs.rmSync(peer.target, { force: true });
    const place = path.dirname(peer.target);
    for (const left of fs.readdirSync(place)) {
      if (left.startsWith('.e2eeftp-')) fs.rmSync(path.join(place, left), { force: true });
    }
  }
}

/**
 * Kills the client when a share of the file has arrived.
 *
 * @returns {Promise<number>} bytes that were sent by then
 */
async function interrupted(peer, size, share) {
  const { command, args, env } = peer.command(false);
  const wire = watchWire();
  const client = start(command, args, { env });
  let ended = false;
  client.ended.then(
    () => {
      ended = true;
    },
    () => {
      ended = true;
    },
  );
  const giveUp = Date.now() + 30_000 + (size / SLOWEST) * 1000;
  while (peer.arrived(client.lines) < size * share) {
    if (ended) throw new Error(`it ended before it could be interrupted: ${client.complaint()}`);
    if (Date.now() > giveUp) throw new Error(`it did not come to ${share * 100} %`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  // With what it has started: ssh, and the receiving half of rsync, which would go on.
  for (const pid of [client.pid, ...descendantsOf(client.pid)]) killIfThere(pid);
  await client.ended;
  wire.end();
  return wire.bytes();
}

/** Processes may end by themselves when another one of them does. */
function killIfThere(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** @returns {Promise<Sample>} */
async function resumed(peer, source, sent, dataBytes) {
  const { size } = fs.statSync(source);
  const sizeBefore = fs.statSync(peer.target, { throwIfNoEntry: false })?.size;
  const { command, args, env } = peer.command(true);
  const wire = watchWire();
  const client = start(command, args, { env });
  let samples;
  let seconds;
  try {
    seconds = await succeed(client, 60_000 + (size / SLOWEST) * 1000);
  } finally {
    samples = wire.end();
  }
  const sentAgain = samples.at(-1)[1];
  // The other programs say nothing; they go on where the file ends.
  const kept = peer.name === 'e2eeftp' ? completeOf(client.lines).resumedBytes : (sizeBefore ?? 0);
  // What travels of the file: holes do not, where a peer knows them.
  const travels = sent + sentAgain < size / 2 ? dataBytes : size;
  // Where nothing was kept, new is what had not been sent before.
  const before = kept > 0 ? (kept / size) * travels : Math.min(sent, travels);
  const newAfter = sentAgain - (travels - before);
  const firstNew = samples.find(([, bytes]) => bytes >= Math.max(newAfter, 0) + MIB)?.[0] ?? seconds;
  return { arrived: sent, kept, resent: Math.max(0, sent + sentAgain - travels), firstNew, seconds };
}

/**
 * Changes a byte of what was kept and runs the command again.
 *
 * @returns {Promise<string>} what became of the file
 */
async function afterAlteration(peer, source) {
  const partial = await settledPartial(peer);
  if (partial === null) return 'nothing was kept';
  changeByte(partial, Math.floor(fs.statSync(source).size * ALTERED_AT));
  const { command, args, env } = peer.command(true);
  const client = start(command, args, { env });
  const { code } = await client.ended;
  const { status } = await compare(source, peer.target);
  if (peer.name === 'e2eeftp' && code === 0 && !(completeOf(client.lines).resumedBytes > 0)) return 'nothing was kept';
  if (status === 0) return 'noticed: right file';
  return code === 0 ? 'NOT NOTICED: wrong file' : `noticed: exit ${code}`;
}

/**
 * Waits until nobody writes what was kept any more.
 *
 * @returns {Promise<string | null>} the file, or null when nothing was kept
 * @throws {Error} when the transfer has ended well in spite of its interruption
 */
async function settledPartial(peer) {
  const giveUp = Date.now() + SETTLE_MS;
  for (;;) {
    const partial = peer.partial();
    if (partial !== peer.target && fs.existsSync(peer.target)) throw new Error('it was interrupted too late');
    const written = fs.statSync(partial, { throwIfNoEntry: false })?.mtimeMs;
    if (written === undefined) return null;
    if (Date.now() - written > SETTLED_MS) return partial;
    if (Date.now() > giveUp) throw new Error('what was kept is still written');
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** @returns {Promise<{status: number | null}>} of cmp(1) */
async function compare(left, right) {
  const { code } = await start('cmp', ['-s', left, right], { output: 'ignore' }).ended;
  return { status: code };
}

function report(results, bytes) {
  const gates = [];
  for (const direction of DIRECTIONS) {
    const { samples, altered } = results.get(`e2eeftp ${direction}`) ?? { samples: [], altered: null };
    const verb = direction === 'up' ? 'send' : 'get';
    const [sample] = samples;
    const promise = `killed at 90 % and run again, ${verb}`;
    gates.push(
      gate(`${promise}: first new byte`, sample?.firstNew ?? NaN, { most: LIMIT_SECONDS, unit: 's' }),
      gate(`${promise}: sent again`, (sample?.resent ?? NaN) / MIB, { most: LIMIT_MIB, digits: 0, unit: 'MiB' }),
      gate(`${promise}: a byte changed in what was kept ends in a right file (1: yes)`, proved(sample, altered), {
        least: 1,
        digits: 0,
      }),
    );
  }
  const rows = [...results.values()].map(({ name, samples: [sample], missing, failure, altered }) => {
    if (sample === undefined) return [name, missing ?? `failed: ${failure}`, '', '', '', ''];
    const { firstNew, resent, kept, seconds } = sample;
    return [
      name,
      figure(firstNew),
      figure(resent / MIB, 0),
      figure((kept / bytes) * 100, 1),
      figure(seconds),
      altered ?? failure ?? '–',
    ];
  });
  const heads = ['peer', 'first new byte s', 'sent again MiB', 'kept %', 'second command s', 'a kept byte was changed'];
  return {
    title: `Killed at 90 % of ${bytes / 2 ** 30} GiB and run again`,
    text: [
      'Loopback, target on disk, source with holes: a tenth of it is data. The client and its ssh get SIGKILL and the same command is run',
      'again at once (sftp: reput and reget instead of put and get); one run each. The clock starts with the second command. New is',
      'the first MiB that was not kept; where nothing was kept, that had not been sent before. Sent again: what TCP carried in both runs,',
      `headers and acknowledgements apart, above the length of the file, or above its data where the peer does not send holes (e2eeftp). The last column: the same with a file of 1/${ALTERED_PART}, in whose`,
      'kept part one byte was changed between the runs.',
      '',
      table(heads, rows),
    ],
    gates,
    results,
  };
}

/** @returns {number} 1, 0, or NaN when nothing was kept */
function proved(sample, altered) {
  if (altered === null || !(sample?.kept > 0) || altered === 'nothing was kept') return Number.NaN;
  return altered === 'noticed: right file' ? 1 : 0;
}
