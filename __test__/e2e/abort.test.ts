import { readFile, readdir, truncate, writeFile } from 'node:fs/promises';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { E2eeftpError, connect } from '../../dist/index.js';
import type { Client, Progress } from '../../dist/index.js';
import { leftovers, startPair, until } from './pair.js';

const BIG = 4 * 1024 ** 3;

/** A file so large that a transfer of it is still under way when the first report comes. It takes no space. */
async function sparse(path: string): Promise<void> {
  await writeFile(path, '');
  await truncate(path, BIG);
}

/** Aborts when the first bytes have moved. */
function abortUnderWay(reason: Error): { signal: AbortSignal; onProgress: (progress: Progress) => void } {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    onProgress: ({ transferred }) => {
      if (transferred > 0) controller.abort(reason);
    },
  };
}

async function isUsable(t: import('ava').ExecutionContext, peer: Client): Promise<void> {
  t.true(peer.isOpen);
  t.is((await peer.call('HLIST')).status, 200);
}

test('a signal that has aborted already stops every call before it begins', async (t) => {
  const { client, local, root, server } = await startPair(t);
  let requests = 0;
  server.command('COUNT', { summary: 'x', handler: () => ({ requests: (requests += 1) }) });
  const peer = await client();
  const reason = new Error('no');
  const signal = AbortSignal.abort(reason);
  await writeFile(join(local, 'f'), 'x');
  const calls = [
    () => peer.send(join(local, 'f'), '/f', { signal }),
    () => peer.get('/f', join(local, 'g'), { signal }),
    () => peer.list('/', { signal }).next(),
    () => peer.delete('/f', { signal }),
    () => peer.stat('/f', { signal }),
    () => peer.call('COUNT', {}, { signal }),
    () => peer.commands({ signal }),
    () => client({ signal }),
  ];
  for (const call of calls) t.is(await t.throwsAsync(call), reason);
  t.is(requests, 0);
  t.deepEqual(await readdir(root), []);
  await isUsable(t, peer);
});

for (const direction of ['send', 'get'] as const) {
  test(`abort during ${direction}: the signal’s reason, nothing left, what was there stays, session usable`, async (t) => {
    const { client, root, local, errors } = await startPair(t);
    const peer = await client({ abortGraceMs: 20_000 });
    const [from, to] = direction === 'send' ? [local, root] : [root, local];
    await sparse(join(from, 'big'));
    await writeFile(join(to, 'target'), 'before');
    const reason = new Error('changed my mind');
    const options = abortUnderWay(reason);
    const work =
      direction === 'send'
        ? peer.send(join(local, 'big'), '/target', options)
        : peer.get('/big', join(local, 'target'), options);
    t.is(await t.throwsAsync(work), reason);
    await isUsable(t, peer);
    t.is(await readFile(join(to, 'target'), 'utf8'), 'before');
    t.deepEqual(await leftovers(root, local), []);
    t.deepEqual(errors, []);
  });
}

test('an abort after the end changes nothing', async (t) => {
  const { client, local, root } = await startPair(t);
  const peer = await client();
  await writeFile(join(local, 'f'), 'x');
  const controller = new AbortController();
  const result = await peer.send(join(local, 'f'), '/f', { signal: controller.signal });
  controller.abort(new Error('late'));
  t.is(result.bytes, 1);
  t.is(await readFile(join(root, 'f'), 'utf8'), 'x');
  await isUsable(t, peer);
});

test('a progress callback that throws aborts its transfer with what it threw', async (t) => {
  const { client, local, root } = await startPair(t);
  const peer = await client({ abortGraceMs: 20_000 });
  await sparse(join(local, 'big'));
  const thrown = new Error('in the callback');
  const work = peer.send(join(local, 'big'), '/big', {
    onProgress: () => {
      throw thrown;
    },
  });
  t.is(await t.throwsAsync(work), thrown);
  await isUsable(t, peer);
  t.deepEqual(await leftovers(root), []);
  t.false((await readdir(root)).includes('big'));
});

test('a call that waits for its turn leaves the queue at once', async (t) => {
  const { client, server } = await startPair(t);
  let release: () => void = () => undefined;
  server.command('WAIT', { summary: 'x', handler: () => new Promise((resolve) => (release = () => resolve({}))) });
  const peer = await client();
  const first = peer.call('WAIT');
  await until(() => server.sessions[0]?.isBusy === true);
  const controller = new AbortController();
  const second = peer.call('HLIST', {}, { signal: controller.signal });
  const third = peer.call('HLIST');
  const reason = new Error('not waiting');
  controller.abort(reason);
  t.is(await t.throwsAsync(second), reason);
  release();
  t.is((await first).status, 200);
  t.is((await third).status, 200);
});

test('a call that is aborted while the server works rejects at once; the next one waits for its reply', async (t) => {
  const { client, server } = await startPair(t);
  let done = 0;
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  server.command('SLOW', {
    summary: 'x',
    handler: async () => {
      await released;
      done += 1;
    },
  });
  const peer = await client();
  const reason = new Error('too slow');
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), 50);
  t.is(await t.throwsAsync(() => peer.call('SLOW', {}, { signal: controller.signal })), reason);
  t.is(done, 0);
  release();
  t.is((await peer.call('HLIST')).status, 200);
  t.is(done, 1);
});

test('a call is aborted in the middle of its body, in each direction', async (t) => {
  const { client, server } = await startPair(t);
  async function* endless(): AsyncGenerator<Buffer> {
    for (;;) {
      yield Buffer.alloc(50_000);
      await delay(1);
    }
  }
  server.command('SINK', {
    summary: 'x',
    handler: async (context) => {
      for await (const piece of context.body()) void piece;
    },
  });
  server.command('SOURCE', { summary: 'x', handler: () => ({ body: endless() }) });
  const peer = await client({ abortGraceMs: 20_000 });
  for (const [verb, body] of [
    ['SINK', endless()],
    ['SOURCE', undefined],
  ] as const) {
    const reason = new Error(verb);
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 100);
    const options = { signal: controller.signal, maxBodyLength: Infinity, ...(body === undefined ? {} : { body }) };
    t.is(await t.throwsAsync(() => peer.call(verb, {}, options)), reason);
    await isUsable(t, peer);
  }
});

test('a listing is aborted', async (t) => {
  const { client, root } = await startPair(t);
  await Promise.all(Array.from({ length: 2000 }, (_, index) => writeFile(join(root, `f${index}`), '')));
  const peer = await client();
  const reason = new Error('enough');
  const controller = new AbortController();
  const error = await t.throwsAsync(async () => {
    for await (const entry of peer.list('/', { signal: controller.signal })) {
      if (entry.name) controller.abort(reason);
    }
  });
  t.is(error, reason);
  await isUsable(t, peer);
});

test('abort ends in time although the server answers nothing any more', async (t) => {
  const { client, server } = await startPair(t);
  server.command('HANG', {
    summary: 'x',
    handler: async (context) => {
      const iterator = context.body()[Symbol.asyncIterator]();
      await iterator.next();
      await delay(4_000);
    },
  });
  const peer = await client({ abortGraceMs: 300 });
  const controller = new AbortController();
  const reason = new Error('hanging');
  const full = async function* (): AsyncGenerator<Buffer> {
    for (;;) yield Buffer.alloc(1_000_000);
  };
  const call = peer.call('HANG', {}, { body: full(), signal: controller.signal });
  // By then every buffer on the way is full.
  setTimeout(() => controller.abort(reason), 1_000);
  t.is(await t.throwsAsync(call), reason);
  t.false(peer.isOpen);
  t.true(E2eeftpError.is(await t.throwsAsync(() => peer.call('HLIST')), 'E2EEFTP_CONNECTION_LOST'));
});

test('connecting is aborted, and times out, with a server that says nothing', async (t) => {
  const silent = createTcpServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const { identity } = await startPair(t);
  const options = { host: '127.0.0.1', port, identity, serverKey: identity.publicKey.fingerprint };
  const controller = new AbortController();
  const reason = new Error('no patience');
  setTimeout(() => controller.abort(reason), 100);
  t.is(await t.throwsAsync(() => connect({ ...options, signal: controller.signal })), reason);
  t.true(E2eeftpError.is(await t.throwsAsync(() => connect({ ...options, timeoutMs: 200 })), 'E2EEFTP_TIMEOUT'));
});

test('the question about an unknown server is aborted', async (t) => {
  const { identity, local, address } = await startPair(t);
  const controller = new AbortController();
  const reason = new Error('interrupted');
  const onUnknownServer = (): Promise<boolean> => {
    controller.abort(reason);
    return new Promise(() => undefined);
  };
  const knownServers = join(local, 'known_servers');
  const work = connect({ ...address, identity, knownServers, onUnknownServer, signal: controller.signal });
  t.is(await t.throwsAsync(work), reason);
  t.deepEqual(await readdir(local), []);
});
