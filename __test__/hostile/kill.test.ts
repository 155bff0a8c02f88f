/**
 * Processes that end without warning, at any moment of a transfer: under the final name there is the old file or the
 * whole new one, and what was begun is swept away.
 */
import type { ExecutionContext } from 'ava';
import test from 'ava';
import type { Running, Sandbox } from '../cli/run.js';
import { type Link, Proxy } from './proxy.js';
import {
  assertClean,
  assertError,
  assertServes,
  Dice,
  leftovers,
  randomFile,
  ready,
  type RunningServer,
  sha256,
  through,
  until,
} from './world.js';

const LENGTH = 6 * 1024 * 1024;
const KILLS = 26;
/** Bytes of the proxy's lane before the body: hello, login, and the request. */
const BEFORE_BODY = 1540 + 1044 + 200;

/** When a server is killed: after so many bytes of the client's, and so many milliseconds. */
interface Moment {
  phase: string;
  bytes: number;
  milliseconds: number;
}

/** A fifth of the moments before the body, two fifths inside of it, two fifths while it is finished and committed. */
function moments(dice: Dice): Moment[] {
  const whole = BEFORE_BODY + LENGTH;
  return Array.from({ length: KILLS }, (_, number) => {
    const turn = number % 5;
    if (turn === 0) return { phase: 'before the body', bytes: dice.below(BEFORE_BODY), milliseconds: dice.below(5) };
    if (turn < 3) return { phase: 'in the body', bytes: BEFORE_BODY + dice.below(LENGTH), milliseconds: 0 };
    // The last record is the end with the root; then the file is synchronised and renamed.
    return { phase: 'at the end', bytes: whole - dice.below(300_000), milliseconds: dice.below(40) };
  });
}

test('the server is killed at any moment of an upload over an old file', async (t) => {
  const dice = new Dice();
  t.log(`seed ${dice.seed}`);
  const start = await ready(t);
  const { box } = start;
  let { server } = start;
  const { port } = server;
  const contents = new Map<string, string>();
  for (const name of ['a', 'b'] as const) contents.set(name, sha256(randomFile(box, name, LENGTH)));
  box.write('files/target', box.bytes('a'));
  let current: 'a' | 'b' = 'a';
  const tally = { old: 0, new: 0 };
  for (const { phase, bytes, milliseconds } of moments(dice)) {
    const next: 'a' | 'b' = current === 'a' ? 'b' : 'a';
    const { run: daemon } = server;
    const proxy = await Proxy.start(t, port, (link) => {
      link.toServer.change = (piece, offset) => {
        if (offset + piece.length >= bytes) setTimeout(() => daemon.kill('SIGKILL'), milliseconds);
        return piece;
      };
    });
    const result = await box.run(['send', next, '127.0.0.1:target', ...through(proxy.port, server)]);
    daemon.kill('SIGKILL');
    await daemon.result;
    proxy.close();
    const what = `${phase}, ${bytes} bytes, ${milliseconds} ms, exit code ${result.code}`;
    const found = sha256(box.bytes('files/target'));
    const isNew = found === contents.get(next);
    t.true(isNew || found === contents.get(current), `half a file: ${what}`);
    // What the client was told is true: success means that the new file is there.
    if (result.code === 0) t.true(isNew, `lost: ${what}`);
    else t.is(result.code, 3, `${what}: ${result.stderr}`);
    tally[isNew ? 'new' : 'old'] += 1;
    if (isNew) current = next;
    t.deepEqual(
      box.list('files').filter((name) => !name.startsWith('.e2eeftp-')),
      ['target'],
      what,
    );
    server = await box.serve(['--listen', `127.0.0.1:${port}`]);
    await assertClean(t, box);
  }
  t.log(tally);
  t.true(tally.old >= KILLS / 5, 'the kills before and in the body leave the old file');
  t.is((await box.run(['send', 'a', '127.0.0.1:target', ...server.at])).code, 0);
  t.true(box.bytes('files/target').equals(box.bytes('a')));
  await assertServes(t, box, server);
});

/** A transfer of a big file that stands still in its middle. */
async function halfway(
  t: ExecutionContext,
  direction: 'send' | 'get',
): Promise<{ box: Sandbox; server: RunningServer; run: Running; link: Link }> {
  const { box, server } = await ready(t);
  box.write('here/.keep', '');
  for (const name of ['here/source', 'files/source']) {
    randomFile(box, name, 24 * 1024 * 1024);
  }
  box.write('files/target', 'old');
  box.write('here/target', 'old');
  const proxy = await Proxy.start(t, server.port, (opened) => {
    opened[direction === 'send' ? 'toServer' : 'toClient'].holdAt = 2 * 1024 * 1024;
  });
  const operands = direction === 'send' ? ['here/source', '127.0.0.1:target'] : ['127.0.0.1:source', 'here/target'];
  const run = box.start([direction, ...operands, ...through(proxy.port, server)], { input: '' });
  await until(() => proxy.links.length > 0, 'a connection');
  const { link } = proxy;
  await link[direction === 'send' ? 'toServer' : 'toClient'].held;
  const receiving = direction === 'send' ? box.path('files') : box.path('here');
  await until(() => leftovers(receiving).length === 1, 'the staged file');
  return { box, server, run, link };
}

async function assertOld(t: ExecutionContext, box: Sandbox): Promise<void> {
  t.is(box.read('files/target'), 'old');
  t.is(box.read('here/target'), 'old');
  await assertClean(t, box);
}

test('the client is killed in the middle of an upload: the server tidies up', async (t) => {
  const { box, server, run, link } = await halfway(t, 'send');
  run.kill('SIGKILL');
  t.is((await run.result).code, null);
  // What the dead client has sent is still on its way, and then the connection ends.
  link.toServer.release();
  await assertOld(t, box);
  t.deepEqual(leftovers(box.path('here')), []);
  await assertServes(t, box, server);
});

test('the client is killed in the middle of a download: the old file stays, and the next one sweeps', async (t) => {
  const { box, server, run } = await halfway(t, 'get');
  run.kill('SIGKILL');
  t.is((await run.result).code, null);
  await assertOld(t, box);
  t.is((await box.run(['get', '127.0.0.1:target', 'here/other', ...server.at])).code, 0);
  t.deepEqual(leftovers(box.path('here')), []);
  await assertServes(t, box, server);
});

for (const direction of ['send', 'get'] as const) {
  test(`ctrl-C in the middle of a ${direction}: 130, nothing left`, async (t) => {
    const { box, server, run, link } = await halfway(t, direction);
    run.kill('SIGINT');
    const result = await run.result;
    assertError(t, result, 130, 'ABORTED');
    link.cut();
    await assertOld(t, box);
    t.deepEqual(leftovers(box.path('here')), []);
    await assertServes(t, box, server);
  });

  test(`ctrl-C in a ${direction} while the server hangs: 130, nothing left`, async (t) => {
    const { box, server, run, link } = await halfway(t, direction);
    server.run.kill('SIGSTOP');
    link.toServer.release();
    link.toClient.release();
    run.kill('SIGINT');
    const result = await run.result;
    assertError(t, result, 130, 'ABORTED');
    t.deepEqual(leftovers(box.path('here')), []);
    t.is(box.read('here/target'), 'old');
    server.run.kill('SIGCONT');
    await assertOld(t, box);
    await assertServes(t, box, server);
  });
}

test('ctrl-C while a hanging server does not even let in: 130', async (t) => {
  const { box, server } = await ready(t);
  server.run.kill('SIGSTOP');
  const run = box.start(['ls', '127.0.0.1:', '-v', ...server.at], { input: '' });
  await run.until(/connecting to/);
  run.kill('SIGINT');
  assertError(t, await run.result, 130, 'ABORTED');
  server.run.kill('SIGCONT');
  await assertServes(t, box, server);
});
