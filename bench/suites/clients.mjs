/** Eight clients at once against one client that moves the same files one after the other. */
import fs from 'node:fs';
import path from 'node:path';
import { assertSameContent, assertSize, makeRandomFile } from '../lib/files.mjs';
import { gate } from '../lib/gates.mjs';
import { startLibraryProcess } from '../lib/library-process.mjs';
import { productMissing, startDaemon } from '../lib/peers/e2eeftp.mjs';
import { runRounds } from '../lib/rounds.mjs';
import { medianRatio } from '../lib/stats.mjs';
import { absence, commandRate, figure, range, table } from '../lib/tables.mjs';

const CLIENTS = 8;

/** @type {import('../lib/measure.mjs').Suite} */
export async function clientsSuite(bench) {
  const missing = productMissing();
  const group = missing === null ? await startGroup(bench) : null;
  try {
    const results = await runRounds(cases(bench, group, missing), bench);
    return report(bench, results);
  } finally {
    await group?.close();
    bench.remove(path.join(bench.scratch, 'clients'));
  }
}

/** The daemon and the eight connected clients. */
async function startGroup(bench) {
  const folder = path.join(bench.scratch, 'clients');
  const daemon = await startDaemon(folder);
  const clients = [];
  const close = async () => {
    await Promise.all(clients.map((client) => client.close()));
    await daemon.close();
  };
  try {
    const { host, port, identity, fingerprint: serverKey, env } = daemon;
    for (let index = 0; index < CLIENTS; index++) {
      const settings = { host, port, identity, serverKey };
      clients.push(await startLibraryProcess('library-client.mjs', settings, env));
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { folder, daemon, clients, close };
}

function cases(bench, group, missing) {
  const bytes = bench.options.fileBytes / CLIENTS;
  const part = path.join(bench.scratch, 'part');
  if (group) {
    makeRandomFile(part, bytes);
    for (let index = 0; index < CLIENTS; index++) {
      fs.copyFileSync(part, path.join(group.daemon.root, `served-${index}`));
    }
  }
  const list = [];
  for (const verb of ['send', 'get']) {
    for (const count of [1, CLIENTS]) {
      const run = ({ warmUp }) => moveAll(group, verb, count, { part, bytes, warmUp });
      list.push({ name: `${verb}, ${count}`, missing, run });
    }
  }
  return list;
}

async function moveAll({ folder, daemon, clients }, verb, count, { part, bytes, warmUp }) {
  const indexes = Array.from({ length: CLIENTS }, (_, index) => index);
  const targets = indexes.map((index) => path.join(verb === 'send' ? daemon.root : folder, `arriving-${index}`));
  const move = (index) => {
    const files =
      verb === 'send'
        ? { local: part, remote: `/arriving-${index}` }
        : { local: targets[index], remote: `/served-${index}` };
    return clients[count === 1 ? 0 : index].ask(verb, files);
  };
  try {
    const began = performance.now();
    if (count === 1) for (const index of indexes) await move(index);
    else await Promise.all(indexes.map(move));
    const seconds = (performance.now() - began) / 1000;
    for (const target of targets) {
      if (warmUp) assertSameContent(part, target);
      else assertSize(target, bytes);
    }
    return { bytes: bytes * CLIENTS, seconds };
  } finally {
    for (const target of targets) fs.rmSync(target, { force: true });
  }
}

function report(bench, results) {
  const gates = [];
  const rows = ['send', 'get'].map((verb) => {
    const one = results.get(`${verb}, 1`);
    const many = results.get(`${verb}, ${CLIENTS}`);
    const ratio = medianRatio(many.samples, commandRate, one.samples);
    gates.push(gate(`${CLIENTS} clients at once against one, ${verb}`, ratio, { least: 1 }));
    const cell = (result) => absence(result) ?? range(result.samples.map(commandRate));
    return [verb, cell(one), cell(many), figure(ratio)];
  });
  const mebibytes = bench.options.fileBytes / CLIENTS / 2 ** 20;
  return {
    title: `${CLIENTS} clients at once`,
    text: [
      `${CLIENTS} files of ${mebibytes} MiB over open sessions (library programs against the daemon):`,
      'one client moves them one after the other, or eight processes move one each at the same time.',
      '',
      table(['verb', 'one client GB/s (min–max)', 'eight clients GB/s', 'eight against one'], rows),
    ],
    gates,
    results,
  };
}
