/** A full disk, at the server and at the client: exit code 9, the old file stays, and all is well when there is room again. */
import { rmSync, statfsSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import type { Sandbox } from '../cli/run.js';
import { mountSmall } from './small-mount.js';
import { assertClean, assertError, assertServes, open, randomFile, sandbox, sha256 } from './world.js';

const MIB = 1024 * 1024;

const free = (directory: string): number => {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
};

async function full(t: ExecutionContext): Promise<Sandbox> {
  const box = sandbox(t);
  randomFile(box, 'big', 8 * MIB);
  randomFile(box, 'fits', MIB);
  return box;
}

test('at the server', async (t) => {
  const box = await full(t);
  mountSmall(t, box.path('files'), 'size=4m');
  const server = await box.ready([], ['--space-timeout', '0']);
  const old = randomFile(box, 'files/target', MIB);
  const room = free(box.path('files'));
  for (let turn = 0; turn < 3; turn += 1) {
    const refused = await box.run(['send', 'big', '127.0.0.1:target', ...server.at]);
    assertError(t, refused, 9, 'NO_SPACE');
    t.regex(refused.stderr, new RegExp(`${8 * MIB} bytes needed, ${room} available`));
    assertError(
      t,
      await box.run(['send', '-', '127.0.0.1:target', ...server.at], { input: box.bytes('big') }),
      9,
      'NO_SPACE',
    );
    t.true(box.bytes('files/target').equals(old));
    await assertClean(t, box);
    t.is(free(box.path('files')), room, 'nothing holds on to space');
  }
  // A session goes on after it.
  const client = await open(t, box, server);
  await t.throwsAsync(client.send(box.path('big'), 'target'), { code: 'E2EEFTP_NO_SPACE' });
  t.is((await client.send(box.path('fits'), 'target')).bytes, MIB);
  t.is(sha256(box.bytes('files/target')), sha256(box.bytes('fits')));
  // A file that nearly fills it, over one that is there: both have to be there for a moment.
  randomFile(box, 'most', 2 * MIB);
  t.is((await client.send(box.path('most'), 'other')).bytes, 2 * MIB);
  await t.throwsAsync(client.send(box.path('most'), 'other'), { code: 'E2EEFTP_NO_SPACE' });
  t.is(sha256(box.bytes('files/other')), sha256(box.bytes('most')));
  await client.delete('other');
  t.is((await client.send(box.path('most'), 'other')).bytes, 2 * MIB);
  await assertServes(t, box, server);
});

test('at the client', async (t) => {
  const box = await full(t);
  const server = await box.ready();
  mountSmall(t, box.path('here'), 'size=4m');
  const old = randomFile(box, 'here/target', MIB);
  box.write('files/big', box.bytes('big'));
  box.write('files/fits', box.bytes('fits'));
  const room = free(box.path('here'));
  for (const target of ['here/target', 'here/new']) {
    assertError(t, await box.run(['get', '127.0.0.1:big', target, ...server.at]), 9, 'NO_SPACE');
    t.true(box.bytes('here/target').equals(old));
    t.deepEqual(box.list('here'), ['target']);
    t.is(free(box.path('here')), room);
  }
  // One of several: the others arrive.
  const some = await box.run(['get', '127.0.0.1:big', '127.0.0.1:fits', 'here/', ...server.at]);
  t.is(some.code, 10, some.stderr);
  t.regex(some.stderr, /error\[E2EEFTP_NO_SPACE\].*\n/);
  t.deepEqual(box.list('here'), ['fits', 'target']);
  rmSync(box.path('here/fits'));
  t.is((await box.run(['get', '127.0.0.1:fits', 'here/target', ...server.at])).code, 0);
  t.is(sha256(box.bytes('here/target')), sha256(box.bytes('fits')));
  await assertServes(t, box, server);
});

test('no inodes left, at the server', async (t) => {
  const box = await full(t);
  mountSmall(t, box.path('files'), 'size=4m,nr_inodes=8');
  const server = await box.ready();
  const client = await open(t, box, server);
  for (let number = 0; number < 6; number += 1) await client.send(box.path('fits'), 'target');
  const codes: string[] = [];
  for (let number = 0; number < 10; number += 1) {
    const failure = await client.send(box.write('tiny', 'tiny'), `f${number}`).then(
      () => null,
      (error: unknown) => (error as { code: string }).code,
    );
    if (failure !== null) codes.push(failure);
  }
  t.true(codes.length > 0 && codes.every((code) => code === 'E2EEFTP_NO_SPACE'), codes.join());
  t.is(sha256(box.bytes('files/target')), sha256(box.bytes('fits')));
  for (const name of box.list('files').filter((entry) => entry.startsWith('f'))) await client.delete(name);
  await assertServes(t, box, server);
  await assertClean(t, box);
});
