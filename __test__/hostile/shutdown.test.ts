/** Ending a server while files move: the first signal lets them finish, the second one does not, and neither spoils a file. */
import { truncateSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { connect } from '../../dist/index.js';
import type { Running, Sandbox } from '../cli/run.js';
import { type Lane, Proxy } from './proxy.js';
import { RawConnection } from './raw-connection.js';
import {
  assertClean,
  assertServes,
  clientOptions,
  leftovers,
  open,
  randomFile,
  ready,
  type RunningServer,
  sha256,
  through,
  until,
} from './world.js';

const LENGTH = 40 * 1024 * 1024;

/** A transfer over an old file that stands still in the middle, on a way that `lane` opens again. */
async function halfway(
  t: ExecutionContext,
  direction: 'send' | 'get',
): Promise<{ box: Sandbox; server: RunningServer; run: Running; lane: Lane; content: Buffer; target: string }> {
  const { box, server } = await ready(t);
  const [source, target] = direction === 'send' ? ['source', 'files/target'] : ['files/source', 'target'];
  const content = randomFile(box, source, LENGTH);
  box.write(target, 'old');
  const way = direction === 'send' ? 'toServer' : 'toClient';
  const proxy = await Proxy.start(t, server.port, (link) => {
    link[way].holdAt = 2_000_000;
  });
  const operands = direction === 'send' ? [source, '127.0.0.1:target'] : ['127.0.0.1:source', target];
  const run = box.start([direction, ...operands, ...through(proxy.port, server)], { input: '' });
  await until(() => proxy.links.length > 0, 'a connection');
  const lane = proxy.link[way];
  await lane.held;
  return { box, server, run, lane, content, target };
}

for (const direction of ['send', 'get'] as const) {
  test(`SIGTERM during a ${direction}: it is finished, nobody new is let in, exit code 0, and the port is free at once`, async (t) => {
    const { box, server, run, lane, content, target } = await halfway(t, direction);
    const idle = await open(t, box, server);
    server.run.kill('SIGTERM');
    await server.run.until(/draining/);
    const late = await box.run(['ls', '127.0.0.1:', ...server.at]);
    t.is(late.code, 3, late.stderr);
    t.regex(late.stderr, /^error\[E2EEFTP_(CONNECT|SHUTTING_DOWN|CONNECTION_LOST)\]: /);
    const refused = await t.throwsAsync(idle.stat('/'));
    const { code } = refused as unknown as { code: string };
    t.true(['E2EEFTP_CONNECTION_LOST', 'E2EEFTP_SHUTTING_DOWN'].includes(code), code);
    t.is(box.read(target), 'old');
    lane.release();
    const moved = await run.result;
    t.is(moved.code, 0, moved.stderr);
    t.regex(moved.stderr, /, verified$/m);
    t.is(sha256(box.bytes(target)), sha256(content));
    const ended = await server.run.result;
    t.is(ended.code, 0, ended.stderr);
    await assertClean(t, box, box.dir);
    const again = await box.serve(['--listen', `127.0.0.1:${server.port}`]);
    t.is(again.fingerprint, server.fingerprint);
    await assertServes(t, box, again);
  });

  test(`a second SIGTERM during a ${direction} ends at once: the old file stays, and the next start sweeps`, async (t) => {
    const { box, server, run, lane, target } = await halfway(t, direction);
    server.run.kill('SIGTERM');
    await server.run.until(/draining/);
    server.run.kill('SIGTERM');
    const ended = await server.run.result;
    t.is(ended.code, 143, ended.stderr);
    lane.release();
    const result = await run.result;
    t.is(result.code, 3, result.stderr);
    t.regex(result.stderr, /^error\[E2EEFTP_CONNECTION_LOST\]: /);
    t.is(box.read(target), 'old');
    t.deepEqual(
      leftovers(box.dir).filter((path) => !path.startsWith('files/')),
      [],
    );
    const again = await box.serve(['--listen', `127.0.0.1:${server.port}`]);
    await assertClean(t, box);
    await assertServes(t, box, again);
  });
}

test('SIGTERM with sessions that are idle, half open or silent: 0, without waiting for them', async (t) => {
  const { box, server } = await ready(t);
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(clientOptions(box, server))));
  t.teardown(() => Promise.all(clients.map((client) => client.close())));
  const silent = await Promise.all(Array.from({ length: 20 }, () => RawConnection.open(server.port)));
  t.is((await server.stop()).code, 0);
  await Promise.all(silent.map((raw) => raw.ended));
  const again = await box.serve(['--listen', `127.0.0.1:${server.port}`]);
  await assertServes(t, box, again);
});

test('a server that dies under a session: the client is told, and can come back', async (t) => {
  const { box, server } = await ready(t);
  box.write('files/huge', '');
  truncateSync(box.path('files/huge'), 3 * 1024 ** 3);
  box.write('copy', 'old');
  const client = await open(t, box, server);
  const transfer = client.get('huge', box.path('copy'), {
    onProgress: ({ transferred }) => {
      if (transferred > 0) server.run.kill('SIGKILL');
    },
  });
  await t.throwsAsync(transfer, { code: 'E2EEFTP_CONNECTION_LOST' });
  t.false(client.isOpen);
  await t.throwsAsync(client.stat('/'), { code: 'E2EEFTP_CONNECTION_LOST' });
  t.is(box.read('copy'), 'old');
  await assertClean(t, box, box.dir);
  const again = await box.serve(['--listen', `127.0.0.1:${server.port}`]);
  await assertServes(t, box, again);
});
