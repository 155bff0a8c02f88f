#!/usr/bin/env node
/**
 * Runs a command on one side of an emulated link, for trying things by hand:
 *
 *     node bench/network.mjs --rtt 100 --rate 1000 --loss 0.1 -- bash
 *
 * In the command's environment `FAR` is the address of the other side, and `ON_FAR` the beginning of
 * a command that is to run there: `$ON_FAR iperf3 -s -D; iperf3 -c $FAR -P 4`. Everything ends with
 * the command. See `README.md` in this folder.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { buildNativePrograms } from './lib/build.mjs';
import { isInside, runInside, setUpInside } from './lib/namespace.mjs';
import { networkMissing, startNetwork } from './lib/network.mjs';
import { stopAll } from './lib/processes.mjs';

const usage = `Usage: node bench/network.mjs [--rtt MS] [--rate MBIT] [--loss PERCENT] [--seed N]
                             [--congestion NAME] -- COMMAND [ARGUMENT…]
`;

let settings;
let command;
try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rtt: { type: 'string', default: '100' },
      rate: { type: 'string', default: '1000' },
      loss: { type: 'string', default: '0' },
      seed: { type: 'string' },
      congestion: { type: 'string' },
    },
  });
  const { rtt, rate, loss, seed, congestion } = values;
  settings = { rttMs: Number(rtt), megabits: Number(rate), lossPercent: Number(loss), seed, congestion };
  command = positionals;
  if (command.length === 0) throw new Error('there is no command');
} catch (error) {
  process.stderr.write(`${error.message}\n\n${usage}`);
  process.exit(2);
}
if (isInside()) {
  process.exitCode = await runOnLink();
} else {
  await buildNativePrograms();
  const folders = { dir: os.tmpdir(), diskDir: os.tmpdir() };
  process.exitCode = await runInside(process.argv.slice(1), folders);
}

async function runOnLink() {
  const missing = networkMissing();
  if (missing !== null) {
    process.stderr.write(`bench: ${missing}\n`);
    return 1;
  }
  setUpInside(() => {
    stopAll();
    process.exit(1);
  });
  const network = await startNetwork(settings);
  process.stderr.write(`seed ${network.seed}, ${network.congestion}, realtime ${network.isRealtime}\n`);
  const [program, ...args] = command;
  const env = { ...process.env, FAR: network.far.host, ON_FAR: network.farCommand.join(' ') };
  const child = spawn(program, args, { stdio: 'inherit', env });
  const [code, signal] = await once(child, 'exit');
  process.stderr.write(`${JSON.stringify(await network.counters())}\n`);
  await network.close();
  return code ?? 128 + os.constants.signals[signal];
}
