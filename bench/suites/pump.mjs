/** The pump alone against the plain copy: no Node, no staging, the target already allocated. */
import path from 'node:path';
import { gate } from '../lib/gates.mjs';
import { examplePair } from '../lib/peers/example-pair.mjs';
import { runRounds } from '../lib/rounds.mjs';
import { median, medianRatio } from '../lib/stats.mjs';
import { absence, figure, perGib, range, table, totalCpu, transferRate } from '../lib/tables.mjs';

const PLAIN = 'plain copy';
const AES = 'pump, AES-256-GCM';
const CHACHA = 'pump, ChaCha20-Poly1305';

/** @type {import('../lib/measure.mjs').Suite} */
export async function pumpSuite(bench) {
  const source = bench.source();
  const target = path.join(bench.scratch, 'pump-target');
  const pair = { source, target, fresh: false };
  const results = await runRounds(
    [
      examplePair({ ...pair, name: PLAIN, program: 'plain-copy' }),
      examplePair({ ...pair, name: AES, program: 'pump', senderArgs: ['--suite', 'aes'] }),
      examplePair({ ...pair, name: CHACHA, program: 'pump', senderArgs: ['--suite', 'chacha'] }),
    ],
    bench,
  );
  bench.remove(target);

  const plain = results.get(PLAIN).samples;
  const pump = results.get(AES).samples;
  const heads = ['program', 'GB/s (min–max)', 'of plain copy'];
  const cpuHeads = ['sender CPU s/GiB', 'receiver CPU s/GiB', 'CPU against plain copy'];
  return {
    title: 'The pump alone (release examples, target already allocated)',
    text: [
      'Clock: first byte to acknowledgement; process start and handshake excluded.',
      '',
      table(
        [...heads, ...cpuHeads],
        [...results.values()].map((result) => row(result, plain)),
      ),
    ],
    gates: [
      gate('pump alone against the plain copy, speed', medianRatio(pump, transferRate, plain), {
        least: 0.38,
      }),
      gate('pump alone against the plain copy, CPU per GiB', medianRatio(pump, totalCpu, plain), {
        most: 2.6,
      }),
    ],
    results,
  };
}

function row(result, plain) {
  const { name, samples } = result;
  const absent = absence(result);
  if (absent !== null) return [name, absent, '', '', '', ''];
  return [
    name,
    range(samples.map(transferRate)),
    figure(medianRatio(samples, transferRate, plain)),
    figure(median(samples.map((sample) => perGib(sample, sample.clientCpu)))),
    figure(median(samples.map((sample) => perGib(sample, sample.serverCpu)))),
    figure(medianRatio(samples, totalCpu, plain)),
  ];
}
