import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { startPair } from './pair.js';

const STALL_MS = 400;

test('a transfer over the limit waits for its turn, longer than a stall may last', async (t) => {
  const { client, local } = await startPair(t, { maxTransfers: 1 });
  const slow = (await client()).createWriteStream('/slow');
  await new Promise<void>((resolve, reject) => {
    slow.write('holds the only place', (error) => (error ? reject(error) : resolve()));
  });
  await writeFile(join(local, 'f'), 'waits');
  const impatient = await client({ stallTimeoutMs: STALL_MS });
  const sending = impatient.send(join(local, 'f'), '/f');
  await delay(3 * STALL_MS);
  slow.end();
  await finished(slow);
  t.is((await sending).bytes, 5);
  await impatient.get('/f', join(local, 'back'));
});
