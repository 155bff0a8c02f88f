/** The member `stats` of a reply: read back as it was written, and nothing else is read. */
import test from 'ava';
import { decodeControl, encodeControl } from '../../dist/e2eeftp/control-codec.js';
import { encodeSideStats, readSideStats } from '../../dist/e2eeftp/transfer-stats.js';
import type { SideStats } from '../../dist/index.js';

const stages = {
  fileRead: 0.5,
  hash: 1,
  seal: 2.25,
  socketWrite: 0,
  socketRead: 3,
  open: 0,
  fileWrite: 0.125,
  rateLimit: 0,
  spaceWait: 0,
  cpu: 3,
};
const connection = {
  rtt: 0.1,
  minRtt: 0.09,
  retransmits: 3,
  segmentsOut: 1000,
  segmentsIn: 10,
  congestionWindow: 1e6,
  peerWindow: 2e6,
  deliveryRate: 1e8,
  busy: 4,
  windowLimited: 1,
  bufferLimited: 0,
  segmentLen: 1448,
  pathMtu: 1500,
  congestionControl: 'bbr',
};
const STATS: SideStats = { stages, connections: [connection] };

test('survives the trip', (t) => {
  const message = decodeControl(encodeControl({ id: 1, status: 226, text: '', stats: encodeSideStats(STATS) }));
  t.deepEqual(readSideStats(message['stats']), STATS);
});

test('any number of connections fits into a message', (t) => {
  const many = { stages, connections: Array.from({ length: 64 }, () => connection) };
  const message = decodeControl(encodeControl({ id: 1, status: 226, text: '', stats: encodeSideStats(many) }));
  t.is(readSideStats(message['stats'])?.connections.length, 16);
});

test('anything else is no figures', (t) => {
  const wire = encodeSideStats(STATS);
  const wrong: unknown[] = [
    undefined,
    null,
    7,
    'fast',
    [],
    Buffer.from('x'),
    {},
    { ...wire, hash: -1 },
    { ...wire, hash: '1' },
    { ...wire, hash: null },
    { ...wire, connections: null },
    { ...wire, connections: [7] },
    { ...wire, connections: [{ ...connection, rtt: undefined }] },
    { ...wire, connections: [{ ...connection, congestionControl: '\u001b[2J' }] },
    { ...wire, connections: [{ ...connection, congestionControl: 'x'.repeat(17) }] },
    { ...wire, connections: Array.from({ length: 17 }, () => connection) },
  ];
  for (const value of wrong) t.is(readSideStats(value as never), null, JSON.stringify(value));
});
