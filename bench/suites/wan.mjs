/** One file over an emulated link of 100 ms and 1 Gbit/s, without and with losses. */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { assertRoom, makeRandomFile } from '../lib/files.mjs';
import { gate } from '../lib/gates.mjs';
import { networkMissing, payloadShare, startNetwork } from '../lib/network.mjs';
import { productHas, productMissing, startDaemon, transfer } from '../lib/peers/e2eeftp.mjs';
import { plainStreams, plainStreamsMissing } from '../lib/peers/plain-streams.mjs';
import { rsync, rsyncMissing } from '../lib/peers/rsync.mjs';
import { scp } from '../lib/peers/scp.mjs';
import { scpCiphers, startSshd } from '../lib/peers/sshd.mjs';
import { Stopped } from '../lib/processes.mjs';
import { runRounds } from '../lib/rounds.mjs';
import { median, medianRatio } from '../lib/stats.mjs';
import { absence, figure, range, table, transferRate } from '../lib/tables.mjs';

const RTT_MS = 100;
const MEGABITS = 1000;
const LOSSES = [0, 0.1];
const STREAMS = 4;
/** These are slow on such a link, so they get a part of the file. A rate is not much changed by that. */
const PART = 8;
/** Loss-based congestion controls need minutes for what others move in seconds. */
const LOSSY_PART = 32;
const LOSS_BASED = ['reno', 'cubic'];
/** Slower than this is taken for a hang: bytes per second. */
const SLOWEST = 50e3;
const DIRECTIONS = ['up', 'down'];
const PLAIN = `plain TCP, ${STREAMS} connections`;
const PRODUCT = 'e2eeftp';
const RTT_SAMPLES = 9;
const CLOSED_PORT = 9;
/** Rounds last for minutes. */
const MOST_ROUNDS = 3;

/** @type {import('../lib/measure.mjs').Suite} */
export async function wanSuite(wholeBench) {
  const rounds = Math.min(wholeBench.options.rounds, MOST_ROUNDS);
  const bench = { ...wholeBench, options: { ...wholeBench.options, rounds } };
  const sections = [];
  const missing = networkMissing();
  if (missing === null) {
    for (const congestion of [undefined, ...bench.options.congestion]) {
      for (const lossPercent of LOSSES) sections.push(await section(bench, congestion, lossPercent));
    }
  } else {
    bench.log(`  ${missing}`);
  }
  return report(bench, sections, missing);
}

/**
 * @typedef {object} Section
 * @property {number} lossPercent
 * @property {string} congestion
 * @property {boolean} isSystems whether the congestion control is the system's own
 * @property {string | null} missing why it was not measured
 * @property {Map<string, import('../lib/rounds.mjs').CaseResult>} results
 * @property {number} rtt measured, in milliseconds
 * @property {import('../lib/network.mjs').Network} [network]
 * @property {import('../lib/network.mjs').Counters} [counters]
 */

/** @returns {Promise<Section>} */
async function section(bench, wanted, lossPercent) {
  const isSystems = wanted === undefined;
  const absent = (missing) => ({ lossPercent, congestion: wanted, isSystems, missing, results: new Map(), rtt: NaN });
  let network;
  try {
    const { seed, sendBufferBytes } = bench.options;
    const link = { rttMs: RTT_MS, megabits: MEGABITS, lossPercent, seed, sendBufferBytes };
    network = await startNetwork({ ...link, congestion: wanted });
  } catch (error) {
    if (error instanceof Stopped) throw error;
    bench.log(`  ${wanted}: ${error.message}`);
    return absent(`not permitted in a network namespace here, or not there`);
  }
  const { congestion } = network;
  bench.log(`  ${congestion}, ${lossPercent} % loss, seed ${network.seed}`);
  const folder = path.join(bench.scratch, 'wan');
  const servers = [];
  try {
    const rtt = await measureRtt(network.far.host);
    const results = await runRounds(await cases(bench, network, folder, servers, isLossy(wanted, lossPercent)), bench);
    const counters = await network.counters();
    for (const { overflowed } of [counters.nearToFar, counters.farToNear]) {
      if (overflowed > 0) throw new Error('the emulator has lost packets for want of memory');
    }
    return { lossPercent, congestion, isSystems, missing: null, results, rtt, network, counters };
  } finally {
    for (const server of servers) await server.close();
    await network.close();
    bench.remove(folder);
  }
}

const isLossy = (congestion, lossPercent) => lossPercent > 0 && LOSS_BASED.includes(congestion);

/** Starts the servers on the other side, and names what is measured there. */
async function cases(bench, network, folder, servers, lossy) {
  const bytes = bench.options.wanBytes / (lossy ? LOSSY_PART : 1);
  // The source is one file under three names: both sides read it, nobody writes it.
  assertRoom(bench.scratch, bytes * 2.3);
  const daemon = productMissing() === null ? await startDaemon(path.join(folder, 'e2eeftp'), network.far) : null;
  const sshd = await startSshd(path.join(folder, 'sshd'), bench.options.sshd, network.far);
  servers.push(...[daemon, sshd].filter((server) => server !== null));
  const whole = path.join(folder, 'whole');
  const part = path.join(folder, 'part');
  makeRandomFile(whole, bytes);
  makeRandomFile(part, bytes / PART);
  const copy = path.join(folder, 'copy');
  const below = (name) => path.join(daemon.root, name);
  if (daemon !== null) fs.linkSync(whole, below('served'));
  const product = (direction, options, compare) =>
    direction === 'up'
      ? transfer(daemon, 'send', whole, below('arriving'), compare, { slowest: SLOWEST, options })
      : transfer(daemon, 'get', below('served'), copy, compare, { slowest: SLOWEST, options });
  const plain = (direction, streams, source, compare) =>
    plainStreams(network.far, direction, streams, source, copy, compare, network.near);
  const more = { slowest: SLOWEST };

  const list = [];
  const chosen = productHas('--connections') ? [String(STREAMS)] : [];
  for (const direction of DIRECTIONS) {
    const add = (name, missing, run) => {
      list.push({ name: `${name} ${direction}`, missing, run: ({ warmUp }) => run(warmUp) });
    };
    add(PLAIN, plainStreamsMissing(), (compare) => plain(direction, STREAMS, whole, compare));
    add('plain TCP, 1 connection', plainStreamsMissing(), (compare) => plain(direction, 1, part, compare));
    add(PRODUCT, productMissing(), (compare) => product(direction, [], compare));
    for (const count of chosen) {
      add(`${PRODUCT} -j ${count}`, productMissing(), (compare) => product(direction, ['-j', count], compare));
    }
    add('scp', null, (compare) => scp(sshd, scpCiphers[0], direction, part, copy, compare, more));
    add('rsync', rsyncMissing(), (compare) => rsync(sshd, direction, part, copy, compare, more));
  }
  return list;
}

/** @returns {Promise<number>} milliseconds until a connection is refused, the median of some */
async function measureRtt(host) {
  const samples = [];
  for (let count = 0; count < RTT_SAMPLES; count++) {
    const began = performance.now();
    await new Promise((resolve) => net.connect(CLOSED_PORT, host).on('error', resolve));
    samples.push(performance.now() - began);
  }
  return median(samples);
}

const heads = [
  'peer',
  'Mbit/s (min–max)',
  'of 4 plain connections',
  'of the link',
  'client CPU s/GiB',
  'server CPU s/GiB',
];
const megabits = (sample) => transferRate(sample) * 8000;

function report(bench, sections, missing) {
  const text = [
    `Round trip ${RTT_MS} ms, ${MEGABITS / 1000} Gbit/s, queue of one bandwidth-delay product, MTU 1500; ` +
      `${bench.options.wanBytes / 2 ** 20} MiB (scp, rsync and one plain connection: 1/${PART} of it; ` +
      `${LOSS_BASED.join(' and ')} with losses: 1/${LOSSY_PART}). ` +
      '"Of the link" is content against what TCP can carry as content: headers take 3.5 % of each packet. ' +
      `No peer sets socket buffers${sendBuffer(sections)}. At most ${MOST_ROUNDS} rounds. ` +
      'e2eeftp and the plain copy: their transfer; scp and rsync: their whole command.',
  ];
  const gates = [];
  const results = new Map();
  if (missing !== null) text.push('', `Not measured: ${missing}.`);
  for (const part of sections) {
    const title = `${part.congestion ?? 'the system’s congestion control'}, ${part.lossPercent} % loss`;
    text.push('', `**${title}**${part.isSystems ? ' (the system’s congestion control)' : ''}`, '');
    if (part.missing !== null) {
      text.push(`Not measured: ${part.missing}.`);
      continue;
    }
    for (const [name, result] of part.results) results.set(`${title}: ${name}`, result);
    text.push(sectionTable(part), '', emulatorLine(part));
    if (part.isSystems) gates.push(...sectionGates(part));
  }
  if (sections.length === 0) gates.push(gate('emulated link', NaN, { least: 0.85 }));
  return { title: 'A long, fast link', text, gates, results };
}

function linkMegabits({ network }) {
  return MEGABITS * payloadShare(network.mtu);
}

function sectionTable(part) {
  const rows = [...part.results.values()].map((result) => {
    const absent = absence(result);
    if (absent !== null) return [result.name, absent, '', '', '', ''];
    const { samples, name } = result;
    const plain = part.results.get(`${PLAIN} ${name.split(' ').at(-1)}`).samples;
    const cpu = (side) => figure(median(samples.map((sample) => (sample[side] / sample.bytes) * 2 ** 30)));
    return [
      name,
      range(samples.map(megabits), 0),
      figure(medianRatio(samples, megabits, plain)),
      figure(median(samples.map(megabits)) / linkMegabits(part)),
      cpu('clientCpu'),
      cpu('serverCpu'),
    ];
  });
  return table(heads, rows);
}

function emulatorLine({ network, counters, rtt }) {
  const { nearToFar, farToNear } = counters;
  const sum = (field) => nearToFar[field] + farToNear[field];
  const lost = (sum('lost') / (sum('offered') - sum('dropped'))) * 100;
  const late = Math.max(nearToFar.lateMicros.p99, farToNear.lateMicros.p99);
  return (
    `The link itself, seed ${network.seed}: round trip of a refused connection ${figure(rtt, 1)} ms, ` +
    `${lost.toFixed(3)} % of ${sum('offered')} packets lost at random, ${sum('dropped')} dropped by full queues, ` +
    `99 % less than ${late} µs late; ${figure(counters.cpuSeconds / counters.seconds)} of a core` +
    `${network.isRealtime ? '' : ', without precedence'}.`
  );
}

function sectionGates(part) {
  const link = `${RTT_MS} ms, 1 Gbit/s, ${part.lossPercent} % loss`;
  return DIRECTIONS.map((direction) => {
    const verb = direction === 'up' ? 'send' : 'get';
    const samples = part.results.get(`${PRODUCT} ${direction}`).samples;
    if (part.lossPercent === 0) {
      const share = median(samples.map(megabits)) / linkMegabits(part);
      return gate(`${link}: ${verb} against the link`, share, { least: 0.95 });
    }
    const plain = part.results.get(`${PLAIN} ${direction}`).samples;
    const promise = `${link}: ${verb} against ${STREAMS} plain TCP connections`;
    return gate(promise, medianRatio(samples, megabits, plain), { least: 0.85 });
  });
}

/** @returns {string} the most that a connection may hold to be sent */
function sendBuffer(sections) {
  const found = sections.find(({ network }) => network !== undefined);
  if (found === undefined) return '';
  return `; a connection may hold ${figure(found.network.sendBuffer / 2 ** 20, 0)} MiB to be sent`;
}
