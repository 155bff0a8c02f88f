/** Peak resident memory of both sides while a very large sparse file is moved. */
import path from 'node:path';
import { assertRoom, makeSparseFile } from '../lib/files.mjs';
import { gate } from '../lib/gates.mjs';
import { productMissing, startDaemon, transfer } from '../lib/peers/e2eeftp.mjs';
import { Stopped } from '../lib/processes.mjs';
import { commandRate, figure, table } from '../lib/tables.mjs';

const LIMIT_MB = 150;

/** @type {import('../lib/measure.mjs').Suite} */
export async function memorySuite(bench) {
  const { sparseBytes } = bench.options;
  const results = new Map();
  const missing = productMissing();
  for (const name of ['send', 'get']) {
    results.set(name, { name, samples: [], missing, failure: null });
  }
  if (missing === null) await measureBoth(bench, results);
  return report(results, sparseBytes);
}

async function measureBoth(bench, results) {
  const { sparseBytes } = bench.options;
  const folder = path.join(bench.diskScratch, 'memory');
  let daemon = null;
  try {
    assertRoom(bench.diskScratch, sparseBytes * 1.1);
    daemon = await startDaemon(folder);
    const local = path.join(folder, 'sparse');
    const served = path.join(daemon.root, 'sparse');
    makeSparseFile(local, sparseBytes);
    makeSparseFile(served, sparseBytes);
    const tasks = {
      send: [local, path.join(daemon.root, 'arriving')],
      get: [served, path.join(folder, 'copy')],
    };
    for (const [verb, [source, target]] of Object.entries(tasks)) {
      const sample = await transfer(daemon, verb, source, target, false);
      results.get(verb).samples.push(sample);
      bench.log(`  ${verb}  ${figure(commandRate(sample))} GB/s`);
    }
  } catch (error) {
    if (error instanceof Stopped) throw error;
    bench.log(`  FAILED   ${error.message}`);
    for (const result of results.values()) {
      if (result.samples.length === 0) result.failure = error.message.split('\n', 1)[0];
    }
  } finally {
    await daemon?.close();
    bench.remove(folder);
  }
}

function report(results, bytes) {
  const gates = [];
  const rows = [];
  for (const { name, samples, missing, failure } of results.values()) {
    const [sample] = samples;
    const client = sample ? sample.clientMemory / 1e6 : Number.NaN;
    const server = sample ? sample.serverMemory / 1e6 : Number.NaN;
    const limit = { below: LIMIT_MB, digits: 0, unit: 'MB' };
    gates.push(gate(`memory of the client, ${name}`, client, limit));
    gates.push(gate(`memory of the server, ${name}`, server, limit));
    const rate = sample ? figure(commandRate(sample)) : (missing ?? failure ?? '–');
    rows.push([name, figure(client, 0), figure(server, 0), rate]);
  }
  return {
    title: `Resident memory, sparse file of ${bytes / 2 ** 30} GiB`,
    text: [
      'Peak (`VmHWM`, read every 20 ms) of the command and of the daemon; one run each, target on disk.',
      '',
      table(['verb', 'client MB', 'server MB', 'command GB/s'], rows),
    ],
    gates,
    results,
  };
}
