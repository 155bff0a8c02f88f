import { execFileSync } from 'node:child_process';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { startPair } from './pair.js';

/** Around a millisecond, around a second, before 1970, and one that a double in milliseconds rounds. */
const TIMES = ['1700000000.123456789', '1700000000.999999999', '1700000001.000000001', '-1.000000001', '-0.999999999'];

test('the time of a file is kept to the nanosecond, both ways', async (t) => {
  const { client, local, root } = await startPair(t);
  const peer = await client();
  const file = join(local, 'f');
  await writeFile(file, 'x');
  for (const time of TIMES) {
    execFileSync('touch', ['-d', `@${time}`, file]);
    const { mtimeNs } = await stat(file, { bigint: true });
    await peer.send(file, '/f');
    t.is((await stat(join(root, 'f'), { bigint: true })).mtimeNs, mtimeNs, `sent: ${time}`);
    await peer.get('/f', join(local, 'back'));
    t.is((await stat(join(local, 'back'), { bigint: true })).mtimeNs, mtimeNs, `fetched: ${time}`);
    const floor = Number((mtimeNs - (((mtimeNs % 1_000_000n) + 1_000_000n) % 1_000_000n)) / 1_000_000n);
    t.is((await peer.stat('/f')).modified.getTime(), floor, `told: ${time}`);
    t.is((await peer.list('/').next()).value?.modified.getTime(), floor, `listed: ${time}`);
  }
});

test('a time in fractions of a millisecond is as good', async (t) => {
  const { client, root } = await startPair(t);
  const peer = await client();
  const args = { path: Buffer.from('f'), mtime: 1_700_000_000_123.5 };
  await peer.call('SEND', args, { body: 'x' });
  const { mtimeNs } = await stat(join(root, 'f'), { bigint: true });
  t.true(mtimeNs - 1_700_000_000_123_500_000n < 300n && mtimeNs - 1_700_000_000_123_500_000n > -300n, String(mtimeNs));
});
