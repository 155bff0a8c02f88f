/** How late the event loops of two library programs are while they move files at full speed. */
import fs from 'node:fs';
import path from 'node:path';
import { gate } from '../lib/gates.mjs';
import { startLibraryProcess } from '../lib/library-process.mjs';
import { makeClientKeys, productMissing } from '../lib/peers/e2eeftp.mjs';
import { Stopped } from '../lib/processes.mjs';
import { figure, table } from '../lib/tables.mjs';

const LIMIT_MS = 20;

/** @type {import('../lib/measure.mjs').Suite} */
export async function eventLoopSuite(bench) {
  const results = new Map();
  const missing = productMissing();
  for (const name of ['send', 'get']) {
    results.set(name, { name, samples: [], missing, failure: null });
  }
  const folder = path.join(bench.scratch, 'event-loop');
  if (missing === null) {
    try {
      await watchBoth(bench, folder, results);
    } catch (error) {
      if (error instanceof Stopped) throw error;
      bench.log(`  FAILED   ${error.message}`);
      for (const result of results.values()) {
        if (result.samples.length === 0) result.failure = error.message.split('\n', 1)[0];
      }
    } finally {
      bench.remove(folder);
    }
  }
  return report(bench, results);
}

async function watchBoth(bench, folder, results) {
  const { env, identity, data: dataDir, root } = await makeClientKeys(folder);
  const authorizedClients = path.join(dataDir, 'authorized_clients.pub');
  const processes = [];
  try {
    const settings = { root, dataDir, authorizedClients };
    const server = await startLibraryProcess('library-server.mjs', settings, env);
    processes.push(server);
    const { port, fingerprint: serverKey } = server.ready;
    const address = { host: '127.0.0.1', port, identity, serverKey };
    const client = await startLibraryProcess('library-client.mjs', address, env);
    processes.unshift(client);
    const source = bench.source();
    fs.copyFileSync(source, path.join(root, 'served'));
    const tasks = {
      send: { local: source, remote: '/arriving', target: path.join(root, 'arriving') },
      get: {
        local: path.join(folder, 'copy'),
        remote: '/served',
        target: path.join(folder, 'copy'),
      },
    };
    for (const [verb, task] of Object.entries(tasks)) {
      const sample = await watchOne(bench, { client, server }, verb, task);
      results.get(verb).samples.push(sample);
      bench.log(`  ${verb}  p99 client ${figure(sample.client.p99)} ms, server ${figure(sample.server.p99)} ms`);
    }
  } finally {
    for (const process of processes) await process.close();
  }
}

/** Moves the file once to warm up, then again and again while both loops are watched. */
async function watchOne(bench, { client, server }, verb, { local, remote, target }) {
  const move = async () => {
    try {
      return await client.ask(verb, { local, remote });
    } finally {
      fs.rmSync(target, { force: true });
    }
  };
  await move();
  await server.ask('watch');
  await client.ask('watch');
  let bytes = 0;
  let seconds = 0;
  while (seconds < bench.options.loopSeconds) {
    const moved = await move();
    bytes += moved.bytes;
    seconds += moved.seconds;
  }
  return { bytes, seconds, client: await client.ask('report'), server: await server.ask('report') };
}

function report(bench, results) {
  const gates = [];
  const rows = [];
  for (const { name, samples, missing, failure } of results.values()) {
    const [sample] = samples;
    for (const side of ['client', 'server']) {
      const delay = sample?.[side];
      const p99 = delay?.p99 ?? Number.NaN;
      gates.push(
        gate(`event loop p99 of the ${side}, ${name}`, p99, {
          below: LIMIT_MS,
          digits: 1,
          unit: 'ms',
        }),
      );
      const rate = sample ? figure(sample.bytes / sample.seconds / 1e9) : (missing ?? failure ?? '–');
      const figures = ['p50', 'p99', 'max'].map((key) => figure(delay?.[key] ?? Number.NaN, 1));
      rows.push([name, side, ...figures, rate]);
    }
  }
  return {
    title: 'Event loop delay during transfers',
    text: [
      `Two programs that use the library; whole files for at least ${bench.options.loopSeconds} s in each`,
      'direction. `monitorEventLoopDelay` with a timer of 1 ms, which the figures include.',
      '',
      table(['verb', 'side', 'p50 ms', 'p99 ms', 'max ms', 'GB/s'], rows),
    ],
    gates,
    results,
  };
}
