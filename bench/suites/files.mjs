/** Up- and download of one file into a new file: the product, plain copy, scp and ssh2. */
import fs from 'node:fs';
import path from 'node:path';
import { gate } from '../lib/gates.mjs';
import { productMissing, startDaemon, transfer } from '../lib/peers/e2eeftp.mjs';
import { examplePair } from '../lib/peers/example-pair.mjs';
import { scp } from '../lib/peers/scp.mjs';
import { ssh2Cipher, ssh2Copy, startSsh2Server } from '../lib/peers/ssh2.mjs';
import { scpCiphers, startSshd } from '../lib/peers/sshd.mjs';
import { makeRandomFile } from '../lib/files.mjs';
import { runRounds } from '../lib/rounds.mjs';
import { median, medianRatio } from '../lib/stats.mjs';
import { absence, commandRate, figure, perGib, range, table, transferRate } from '../lib/tables.mjs';

const PLAIN = 'plain copy';
const LANES = 'e2eeftp, 4 connections';
const SMALL_BYTES = 1024;
const DIRECTIONS = ['up', 'down'];

/** @type {import('../lib/measure.mjs').Suite} */
export async function filesSuite(bench) {
  const servers = await startServers(bench);
  try {
    const results = await runRounds(cases(bench, servers), bench);
    return report(results);
  } finally {
    for (const [name, { server }] of Object.entries(servers)) {
      await server?.close();
      bench.remove(path.join(bench.scratch, name));
    }
  }
}

/** Starts each server; one that can't be started gives the reason instead. */
async function startServers(bench) {
  const attempt = async (missing, starter) => {
    if (missing !== null) return { server: null, missing };
    try {
      return { server: await starter(), missing: null };
    } catch (error) {
      bench.log(`  ${error.message}`);
      return { server: null, missing: error.message.split('\n', 1)[0] };
    }
  };
  const folder = (name) => path.join(bench.scratch, name);
  return {
    e2eeftp: await attempt(productMissing(), () => startDaemon(folder('e2eeftp'))),
    sshd: await attempt(null, () => startSshd(folder('sshd'), bench.options.sshd)),
    ssh2: await attempt(null, () => startSsh2Server(folder('ssh2'))),
  };
}

function cases(bench, { e2eeftp, sshd, ssh2 }) {
  const source = bench.source();
  const small = path.join(bench.scratch, 'small');
  makeRandomFile(small, SMALL_BYTES);
  const copy = path.join(bench.scratch, 'copy');
  // What the product serves lies below its root.
  const below = (name) => path.join(e2eeftp.server.root, name);
  const served = { large: null, small: null };
  if (e2eeftp.server) {
    served.large = below('large');
    served.small = below('small');
    fs.copyFileSync(source, served.large);
    fs.copyFileSync(small, served.small);
  }
  const product = (direction, size, local, warmUp, options = []) =>
    direction === 'up'
      ? transfer(e2eeftp.server, 'send', local, below('arriving'), warmUp, { options })
      : transfer(e2eeftp.server, 'get', served[size], copy, warmUp, { options });

  const list = [
    examplePair({
      name: PLAIN,
      program: 'plain-copy',
      source,
      target: copy,
      fresh: true,
      receiverArgs: ['--new'],
    }),
  ];
  for (const direction of DIRECTIONS) {
    const add = (name, { missing }, run) => {
      list.push({ name: `${name} ${direction}`, missing, run });
    };
    add('e2eeftp', e2eeftp, ({ warmUp }) => product(direction, 'large', source, warmUp));
    add(LANES, e2eeftp, ({ warmUp }) => product(direction, 'large', source, warmUp, ['--connections', '4']));
    add('e2eeftp, 1 KiB', e2eeftp, ({ warmUp }) => product(direction, 'small', small, warmUp));
    for (const cipher of scpCiphers) {
      const run = ({ warmUp }) => scp(sshd.server, cipher, direction, source, copy, warmUp);
      add(scpName(cipher), sshd, run);
    }
    const [cipher] = scpCiphers;
    add('scp, 1 KiB', sshd, ({ warmUp }) => scp(sshd.server, cipher, direction, small, copy, warmUp));
    add(ssh2Name(), ssh2, ({ warmUp }) => ssh2Copy(ssh2.server, direction, source, copy, warmUp));
    add('ssh2, 1 KiB', ssh2, ({ warmUp }) => ssh2Copy(ssh2.server, direction, small, copy, warmUp));
  }
  return list;
}

const shortName = (cipher) => cipher.replace('@openssh.com', '');
const scpName = (cipher) => `scp ${shortName(cipher)}`;
const ssh2Name = () => `npm ssh2 ${shortName(ssh2Cipher)}`;

function report(results) {
  const plain = results.get(PLAIN);
  const text = [
    'Each peer writes a file that was not there before. "Command" is the life of the client process,',
    'log-in and start-up included; "transfer" is what the peer itself says, after log-in, commit included.',
  ];
  const gates = [];
  for (const direction of DIRECTIONS) {
    const named = (name) => results.get(`${name} ${direction}`);
    const best = bestScp(named);
    const rows = ['e2eeftp', LANES, ...scpCiphers.map(scpName), ssh2Name()].map((name) => [name, named(name)]);
    text.push(
      '',
      `**${direction === 'up' ? 'Upload' : 'Download'}**`,
      '',
      table(heads, [
        row('plain copy (no crypto)', turned(plain, direction), plain, best),
        ...rows.map(([name, result]) => row(name, result, plain, best)),
      ]),
    );
    const product = named('e2eeftp').samples;
    const verb = direction === 'up' ? 'send' : 'get';
    gates.push(
      gate(`${verb} against the best scp cipher, whole command`, bestRatio(product, best), {
        least: 3,
      }),
      gate(
        `${verb} against the plain copy into a new file, transfer`,
        medianRatio(product, transferRate, plain.samples),
        {
          least: 0.6,
        },
      ),
      gate(
        `${verb} by 4 connections against the plain copy into a new file, transfer`,
        medianRatio(named(LANES).samples, transferRate, plain.samples),
        { least: 0.42 },
      ),
    );
  }
  text.push('', startUpTable(results));
  return { title: 'One file into a new file', text, gates, results };
}

const heads = [
  'peer',
  'command GB/s (min–max)',
  'transfer GB/s',
  'of plain copy, command',
  'of plain copy, transfer',
  'of best scp, command',
  'client CPU s/GiB',
  'server CPU s/GiB',
  'client MB',
  'server MB',
];

/** @returns the scp result with the best median, or null */
function bestScp(named) {
  const measured = scpCiphers.map((cipher) => named(scpName(cipher))).filter((r) => r.samples.length > 0);
  const speed = ({ samples }) => median(samples.map(commandRate));
  return measured.toSorted((a, b) => speed(b) - speed(a))[0] ?? null;
}

function bestRatio(samples, best) {
  return best === null ? Number.NaN : medianRatio(samples, commandRate, best.samples);
}

/** In a download the server sends: the sides of the plain copy change places. */
function turned(plain, direction) {
  if (direction === 'up') return plain;
  const samples = plain.samples.map((sample) => ({
    ...sample,
    clientCpu: sample.serverCpu,
    serverCpu: sample.clientCpu,
    clientMemory: sample.serverMemory,
    serverMemory: sample.clientMemory,
  }));
  return { ...plain, samples };
}

function row(name, result, plain, best) {
  const absent = absence(result);
  if (absent !== null) return [name, absent, ...heads.slice(2).map(() => '')];
  const { samples } = result;
  const middle = (value) => median(samples.map(value));
  const knowsTransfer = samples.every(({ transferSeconds }) => transferSeconds !== null);
  return [
    name,
    range(samples.map(commandRate)),
    knowsTransfer ? figure(middle(transferRate)) : '–',
    figure(medianRatio(samples, commandRate, plain.samples)),
    knowsTransfer ? figure(medianRatio(samples, transferRate, plain.samples)) : '–',
    figure(bestRatio(samples, best)),
    figure(middle((sample) => perGib(sample, sample.clientCpu))),
    figure(middle((sample) => perGib(sample, sample.serverCpu))),
    figure(
      middle(({ clientMemory }) => clientMemory / 1e6),
      0,
    ),
    figure(
      middle(({ serverMemory }) => serverMemory / 1e6),
      0,
    ),
  ];
}

function startUpTable(results) {
  const rows = ['e2eeftp', 'scp', 'ssh2'].map((name) => {
    const [up, down] = DIRECTIONS.map((direction) => {
      const result = results.get(`${name}, 1 KiB ${direction}`);
      return (
        absence(result) ??
        range(
          result.samples.map(({ seconds }) => seconds * 1000),
          0,
        )
      );
    });
    return [name, up, down];
  });
  return table(['1 KiB, whole command', 'upload ms (min–max)', 'download ms (min–max)'], rows);
}
