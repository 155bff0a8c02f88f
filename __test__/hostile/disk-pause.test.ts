/** A disk that fills up under way: the transfer waits, says so, and goes on when there is room; or ends after a time. */
import { appendFileSync, rmSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { isSystemError } from '../../dist/index.js';
import type { Running, RunningServer, Sandbox } from '../cli/run.js';
import { events } from '../cli/run.js';
import { mountSmall } from './small-mount.js';
import { assertClean, assertError, assertServes, randomFile, sandbox, sha256 } from './world.js';

const MIB = 1024 * 1024;
const WAITS = /"phase":"waiting-for-space"/;

/** Fills what is left of a small file system. */
function fill(directory: string): () => void {
  try {
    for (;;) appendFileSync(`${directory}/filler`, Buffer.alloc(256 * 1024));
  } catch (error) {
    if (!isSystemError(error, 'ENOSPC')) throw error;
  }
  return () => rmSync(`${directory}/filler`);
}

/** A file of 4 MiB on its way at 1 MiB a second. */
async function underWay(t: ExecutionContext, box: Sandbox, words: string[], server: RunningServer): Promise<Running> {
  const run = box.start([...words, ...server.at, '--limit-rate', '1M', '--json'], { input: '' });
  await run.until(/"phase":"moving","transferred":[1-9]/);
  t.notRegex(run.stdout, WAITS);
  return run;
}

async function assertGoesOn(t: ExecutionContext, run: Running, makeRoom: () => void): Promise<void> {
  await run.until(WAITS);
  makeRoom();
  const { code, stdout, stderr } = await run.result;
  t.is(code, 0, stderr);
  const phases = events(stdout).flatMap((event) => (event.type === 'phase' ? [event.phase] : []));
  t.deepEqual(phases.slice(phases.indexOf('waiting-for-space'), phases.indexOf('waiting-for-space') + 2), [
    'waiting-for-space',
    'moving',
  ]);
}

test('at the server', async (t) => {
  const box = sandbox(t);
  randomFile(box, 'big', 4 * MIB);
  mountSmall(t, box.path('files'), 'size=8m');
  const server = await box.ready();
  const run = await underWay(t, box, ['send', 'big', '127.0.0.1:big'], server);
  await assertGoesOn(t, run, fill(box.path('files')));
  t.is(sha256(box.bytes('files/big')), sha256(box.bytes('big')));
  await assertServes(t, box, server);
  await assertClean(t, box);
});

test('at the client, and a person reads it', async (t) => {
  const box = sandbox(t);
  mountSmall(t, box.path('here'), 'size=8m');
  const server = await box.ready();
  randomFile(box, 'files/big', 4 * MIB);
  const run = await underWay(t, box, ['get', '127.0.0.1:big', 'here/big'], server);
  await assertGoesOn(t, run, fill(box.path('here')));
  t.is(sha256(box.bytes('here/big')), sha256(box.bytes('files/big')));

  const words = ['get', '127.0.0.1:big', 'here/more', ...server.at, '--limit-rate', '500K', '--progress', 'plain'];
  const shown = box.start(words, { input: '' });
  await shown.until(/here\/more|big: \d+ %/);
  const makeRoom = fill(box.path('here'));
  await shown.until(/the disk is full: waiting for room/);
  shown.kill('SIGINT');
  t.is((await shown.result).code, 130, 'ctrl-C is heard');
  makeRoom();
  const visible = box.list('here').filter((name) => !name.startsWith('.e2eeftp-'));
  t.deepEqual(visible, ['big'], 'what can be gone on with is hidden');
  await assertServes(t, box, server);
});

test('until its time is up: exit code 9', async (t) => {
  const box = sandbox(t);
  randomFile(box, 'big', 4 * MIB);
  mountSmall(t, box.path('files'), 'size=8m');
  const server = await box.ready([], ['--space-timeout', '2']);
  const run = await underWay(t, box, ['send', 'big', '127.0.0.1:big'], server);
  fill(box.path('files'));
  const result = await run.result;
  t.is(result.code, 9, result.stderr);
  t.regex(result.stdout, WAITS);
  t.regex(result.stdout, /"code":"E2EEFTP_NO_SPACE"/);
  rmSync(box.path('files/filler'));
  assertError(t, await box.run(['get', '127.0.0.1:big', ...server.at]), 6, 'NOT_FOUND');
  await assertServes(t, box, server);
  await assertClean(t, box);
});

test('a client that goes away while the server waits leaves nothing', async (t) => {
  const box = sandbox(t);
  randomFile(box, 'big', 4 * MIB);
  mountSmall(t, box.path('files'), 'size=8m');
  const server = await box.ready();
  const run = await underWay(t, box, ['send', 'big', '127.0.0.1:big'], server);
  const makeRoom = fill(box.path('files'));
  await run.until(WAITS);
  run.kill('SIGKILL');
  await run.result;
  makeRoom();
  await assertServes(t, box, server);
  await assertClean(t, box);
});

/** 40 files of 100 KiB. */
function randomTree(box: Sandbox, name: string): void {
  for (let number = 0; number < 40; number += 1) randomFile(box, `${name}/d${number % 3}/f${number}`, 100 * 1024);
}

function assertTree(t: ExecutionContext, box: Sandbox, one: string, other: string): void {
  for (let number = 0; number < 40; number += 1) {
    const name = `d${number % 3}/f${number}`;
    t.true(box.bytes(`${one}/${name}`).equals(box.bytes(`${other}/${name}`)), name);
  }
}

test('small files of a directory wait, too, at the server', async (t) => {
  const box = sandbox(t);
  randomTree(box, 'tree');
  mountSmall(t, box.path('files'), 'size=8m');
  const server = await box.ready();
  const run = await underWay(t, box, ['send', 'tree', '127.0.0.1:copy'], server);
  await assertGoesOn(t, run, fill(box.path('files')));
  assertTree(t, box, 'tree', 'files/copy');
  await assertServes(t, box, server);
  await assertClean(t, box);
});

test('small files of a directory wait, too, at the client; ctrl-C is heard', async (t) => {
  const box = sandbox(t);
  mountSmall(t, box.path('here'), 'size=8m');
  const server = await box.ready();
  randomTree(box, 'files/tree');
  const run = await underWay(t, box, ['get', '127.0.0.1:tree', 'here/copy'], server);
  await assertGoesOn(t, run, fill(box.path('here')));
  assertTree(t, box, 'files/tree', 'here/copy');
  rmSync(box.path('here/copy'), { recursive: true });
  const again = await underWay(t, box, ['get', '127.0.0.1:tree', 'here/copy'], server);
  fill(box.path('here'));
  await again.until(WAITS);
  again.kill('SIGINT');
  t.is((await again.result).code, 130);
  await assertServes(t, box, server);
});

test('a directory waits once until its time is up, and what does not fit is named', async (t) => {
  const box = sandbox(t);
  randomTree(box, 'tree');
  mountSmall(t, box.path('files'), 'size=8m');
  const server = await box.ready([], ['--space-timeout', '2']);
  const run = await underWay(t, box, ['send', 'tree', '127.0.0.1:copy'], server);
  const makeRoom = fill(box.path('files'));
  const result = await run.result;
  makeRoom();
  t.is(result.code, 10, result.stderr);
  const phases = events(result.stdout).flatMap((event) => (event.type === 'phase' ? [event.phase] : []));
  t.is(phases.filter((phase) => phase === 'waiting-for-space').length, 1);
  t.regex(result.stdout, /"code":"E2EEFTP_NO_SPACE"/);
  await assertServes(t, box, server);
});
