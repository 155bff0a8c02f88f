/** What `--stats` and `bench` show of the figures of a transfer. */
import type { ConnectionStats, SideStats, StageSeconds, TransferStats } from '../index.js';
import { formatBytes, formatRate } from './human-units.js';

const NAMES: readonly (readonly [keyof StageSeconds, string])[] = [
  ['fileRead', 'source file'],
  ['open', 'decryption'],
  ['hash', 'hash'],
  ['seal', 'encryption'],
  ['socketWrite', 'network out'],
  ['socketRead', 'network in'],
  ['fileWrite', 'target file'],
  ['rateLimit', 'rate limit'],
  ['spaceWait', 'wait for space'],
];

/** `source file 12 %, hash 20 %, …, processor 45 %`: the parts of the time of one side; '' when there was none. */
export function describeStages(stages: StageSeconds): string {
  const all = NAMES.reduce((sum, [stage]) => sum + stages[stage], 0);
  if (all <= 0) return '';
  const parts = NAMES.filter(([stage]) => stages[stage] > 0).map(
    ([stage, name]) => `${name} ${Math.round((stages[stage] / all) * 100)} %`,
  );
  return [...parts, `processor ${Math.round((stages.cpu / all) * 100)} %`].join(', ');
}

/** `round trip 12.3 ms, window 1.2 MB, 3 of 1000 segments sent again, delivers 100 MB/s, bbr`. */
export function describeConnection(connection: ConnectionStats): string {
  const { rtt, congestionWindow, retransmits, segmentsOut, deliveryRate, congestionControl } = connection;
  const parts = [
    `round trip ${(rtt * 1000).toPrecision(3)} ms`,
    `window ${formatBytes(congestionWindow)}`,
    `${retransmits} of ${segmentsOut} segments sent again`,
  ];
  if (deliveryRate > 0) parts.push(`delivers ${formatRate(deliveryRate)}`);
  if (congestionControl !== '') parts.push(congestionControl);
  return parts.join(', ');
}

/** The lines that follow the line of a file. */
export function describeStats({ local, peer, limit }: TransferStats): string[] {
  return [...describeSide('here', local), ...(peer === null ? [] : describeSide('peer', peer)), `  ${limit.sentence}`];
}

/** The stage that takes most of the time so far, for the line of a running transfer. */
export function busiestStage({ stages }: SideStats): string {
  const [stage, name] = NAMES.reduce((most, one) => (stages[one[0]] > stages[most[0]] ? one : most));
  const all = NAMES.reduce((sum, [each]) => sum + stages[each], 0);
  return all > 0 ? `${name} ${Math.round((stages[stage] / all) * 100)} %` : '';
}

function describeSide(name: string, { stages, connections }: SideStats): string[] {
  const time = describeStages(stages);
  return [
    ...(time === '' ? [] : [`  ${name}: ${time}`]),
    ...connections.map((connection) => `  ${name}, connection: ${describeConnection(connection)}`),
  ];
}
