/** `e2eeftp bench`: measures the path to a server and both ends, without touching a disk. */
import type { Command, OptionValues } from 'commander';
import { type BenchResult, type TransferStats } from '../../index.js';
import { parsePeer, type PeerAddress } from '../address.js';
import type { CliContext, Verb } from '../context.js';
import { formatBytes, formatRate } from '../human-units.js';
import { withClient } from '../open-client.js';
import { createProgressDisplay } from '../progress-display.js';
import { describeConnection, describeStages } from '../stats-text.js';
import { addSettings } from '../settings/options.js';
import { settingsOfVerb } from '../settings/table.js';
import { seconds as secondsType } from '../settings/value-types.js';

/** New connections whose handshakes are measured. */
const HANDSHAKES = 5;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? 0) + high) / 2;
}

const milliseconds = (seconds: number): string => `${(seconds * 1000).toPrecision(3)} ms`;

/** Seconds from the first packet to a client that is logged in, one for each. */
async function measureHandshakes(context: CliContext, peer: PeerAddress): Promise<number[]> {
  const times: number[] = [];
  for (let turn = 0; turn < HANDSHAKES; turn += 1) {
    const started = performance.now();
    await withClient(context, peer, async () => {
      times.push((performance.now() - started) / 1000);
    });
  }
  return times;
}

function describe(name: string, run: TransferStats | null): string[] {
  if (run === null) return [`${name.padEnd(11)}not permitted to this key`];
  const { bytes, seconds, local, peer, limit } = run;
  const lines = [
    `${name.padEnd(11)}${formatRate(bytes / seconds)} (${formatBytes(bytes)} in ${seconds.toFixed(2)} s)`,
    `  here: ${describeStages(local.stages)}`,
  ];
  if (peer !== null) lines.push(`  peer: ${describeStages(peer.stages)}`);
  // Only the end that sends can tell what the network did with it.
  const sender = run.direction === 'up' ? local : peer;
  for (const connection of sender?.connections ?? []) lines.push(`  connection: ${describeConnection(connection)}`);
  return [...lines, `  ${limit.sentence}`];
}

function print(context: CliContext, handshakes: readonly number[], result: BenchResult): void {
  const { output } = context;
  const { roundTrips, up, down } = result;
  const trips = `${milliseconds(median(roundTrips))} (${milliseconds(Math.min(...roundTrips))} to ${milliseconds(Math.max(...roundTrips))}, ${roundTrips.length} times)`;
  output.data(`${'round trip'.padEnd(11)}${trips}`);
  output.data(`${'connecting'.padEnd(11)}${milliseconds(median(handshakes))} with login, ${handshakes.length} times`);
  for (const line of [...describe('upload', up), ...describe('download', down)]) output.data(line);
}

function eventOf(run: TransferStats | null): Record<string, unknown> | null {
  if (run === null) return null;
  const { bytes, seconds, local, peer, limit } = run;
  const { factor: limitedBy, sentence: advice } = limit;
  return { bytes, seconds, rate: bytes / seconds, local, peer, limitedBy, advice };
}

async function run(context: CliContext, operands: string[], options: OptionValues): Promise<void> {
  const { output, signal, settings } = context;
  const peer = parsePeer(operands[0] ?? '');
  const handshakes = await measureHandshakes(context, peer);
  const limitRate = settings.get('limit-rate', peer.host).value as number | undefined;
  const display = createProgressDisplay(output.json ? 'none' : 'auto', output, context.env['TERM']);
  const result = await withClient(context, peer, async (client) => {
    display.start('measuring', null);
    try {
      return await client.bench({
        seconds: options['seconds'] as number,
        ...(limitRate === undefined ? {} : { limitRate }),
        signal,
        onProgress: (progress) => {
          context.alive();
          display.update(progress);
        },
      });
    } finally {
      display.stop();
    }
  });
  if (!output.json) return print(context, handshakes, result);
  const { roundTrips, up, down } = result;
  output.event({
    type: 'result',
    verb: 'bench',
    result: { roundTrips, handshakes, upload: eventOf(up), download: eventOf(down) },
  });
}

export const verb: Verb = {
  examples: ['e2eeftp bench files.example.org', 'e2eeftp bench --seconds 10 --json files.example.org'],
  configure(command: Command): void {
    command
      .argument('<peer>', 'a server')
      .option('--seconds <seconds>', 'about how long each direction is measured', (text) => secondsType.parse(text), 3);
    addSettings(command, settingsOfVerb('bench'));
  },
  run,
};
