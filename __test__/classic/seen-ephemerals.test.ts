import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { MEMORY_MS, SeenEphemerals } from '../../dist/classic/seen-ephemerals.js';
import { E2eeftpError } from '../../dist/index.js';
import { temporaryDirectory } from '../temporary-directory.js';

test('a key is new once, also after a restart', async (t) => {
  const path = join(await temporaryDirectory(t), 'seen');
  const keys = Array.from({ length: 20 }, () => randomBytes(32));
  let memory = await SeenEphemerals.open(path);
  for (const key of keys) t.is(await memory.add(key), 'new');
  for (const key of keys) t.is(await memory.add(key), 'seen');
  t.is(statSync(path).mode & 0o777, 0o600);
  // Not closed: as after a crash.
  memory = await SeenEphemerals.open(path);
  t.is(memory.size, 20);
  for (const key of keys) t.is(await memory.add(key), 'seen');
  t.is(await memory.add(randomBytes(32)), 'new');
  await memory.close();
});

test('of many that come at once with one key one is new', async (t) => {
  const memory = await SeenEphemerals.open(join(await temporaryDirectory(t), 'seen'));
  const key = randomBytes(32);
  const verdicts = await Promise.all(Array.from({ length: 50 }, () => memory.add(key)));
  t.is(verdicts.filter((verdict) => verdict === 'new').length, 1);
  await memory.close();
});

test('a key is on disk before it is called new', async (t) => {
  const path = join(await temporaryDirectory(t), 'seen');
  const memory = await SeenEphemerals.open(path);
  const key = randomBytes(32);
  await memory.add(key);
  t.true(readFileSync(path, 'latin1').includes(key.toString('base64')));
  await memory.close();
});

test('a full memory forgets what is older than a day, and nothing younger', async (t) => {
  const path = join(await temporaryDirectory(t), 'seen');
  const memory = await SeenEphemerals.open(path, 3);
  const [a, b, c, d, e] = Array.from({ length: 5 }, () => randomBytes(32)) as [Buffer, Buffer, Buffer, Buffer, Buffer];
  const start = 1_800_000_000_000;
  t.is(await memory.add(a, start), 'new');
  t.is(await memory.add(b, start + 1000), 'new');
  t.is(await memory.add(c, start + 2000), 'new');
  t.is(await memory.add(d, start + MEMORY_MS), 'full', 'all of them are too young to be forgotten');
  t.is(await memory.add(a, start + MEMORY_MS), 'seen');
  t.is(await memory.add(d, start + MEMORY_MS + 1), 'new', 'the one that was turned away was not remembered');
  t.is(await memory.add(b, start + MEMORY_MS + 1), 'seen');
  t.is(await memory.add(e, start + MEMORY_MS + 1), 'full');
  t.is(memory.size, 3);
  await memory.close();
  t.is((await SeenEphemerals.open(path, 3)).size, 3, 'the file has what the memory has');
});

test('half a line at the end is no key; damage anywhere else is an error', async (t) => {
  const path = join(await temporaryDirectory(t), 'seen');
  const memory = await SeenEphemerals.open(path);
  const [whole, half] = [randomBytes(32), randomBytes(32)];
  await memory.add(whole);
  await memory.close();
  appendFileSync(path, `1800000000 ${half.toString('base64').slice(0, 20)}`);
  const again = await SeenEphemerals.open(path);
  t.is(await again.add(whole), 'seen');
  t.is(await again.add(half), 'new');
  await again.close();
  t.is((await SeenEphemerals.open(path)).size, 2);
  writeFileSync(path, `nonsense\n${readFileSync(path, 'latin1')}`);
  const error = await t.throwsAsync(SeenEphemerals.open(path));
  t.true(E2eeftpError.is(error, 'E2EEFTP_CONFIG'));
  t.regex(error?.message ?? '', /line 1 is damaged/);
});

test('what can’t be written lets nobody in, now or later', async (t) => {
  const directory = join(await temporaryDirectory(t), 'data');
  mkdirSync(directory);
  const memory = await SeenEphemerals.open(join(directory, 'seen'), 1);
  const [first, second] = [randomBytes(32), randomBytes(32)];
  await memory.add(first, 1000);
  rmSync(directory, { recursive: true });
  // Full, so that the file has to be written anew, where there is no directory any more.
  const error = await t.throwsAsync(memory.add(second, 1000 + MEMORY_MS + 1));
  t.true(E2eeftpError.is(error, 'E2EEFTP_IO'));
  t.is(await memory.add(second), 'seen', 'it may have been let in: it is not taken again');
  mkdirSync(directory);
  t.is(await memory.add(randomBytes(32), 1000 + 3 * MEMORY_MS), 'new', 'and the memory goes on once it can');
  await memory.close();
});
