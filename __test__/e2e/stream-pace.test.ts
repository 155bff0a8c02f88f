/**
 * Streams at the pace of their users: what is on the way is bounded, a pause is no failure, an end is soon heard.
 */
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { E2eeftpError, connect } from '../../dist/index.js';
import type { Client } from '../../dist/index.js';
import { type Lane, Proxy } from '../hostile/proxy.js';
import { type Pair, leftovers, startPair, until } from './pair.js';

const MIB = 1024 * 1024;
const FILE_LENGTH = 256 * MIB;
/** What sockets, proxy and streams hold at most on the way from one side to the other. */
const ON_THE_WAY = 64 * MIB;

/** A client behind a proxy that counts. */
async function counted(t: ExecutionContext, pair: Pair): Promise<{ peer: Client; proxy: Proxy }> {
  const proxy = await Proxy.start(t, pair.address.port);
  const { identity, server } = pair;
  const peer = await connect({ host: '127.0.0.1', port: proxy.port, identity, serverKey: server.fingerprint });
  t.teardown(() => peer.close());
  return { peer, proxy };
}

async function bigFile(root: string): Promise<void> {
  await writeFile(join(root, 'big'), '');
  await truncate(join(root, 'big'), FILE_LENGTH);
}

/** Waits until nothing more comes through, and says how much did. */
async function settled(lane: Lane | undefined): Promise<number> {
  if (lane === undefined) throw new Error('there is no such connection');
  for (let [before, same] = [-1, 0]; same < 10; before = lane.forwarded) {
    same = lane.forwarded === before ? same + 1 : 0;
    await delay(20);
  }
  return lane.forwarded;
}

test('a reader that does not read holds the server back', async (t) => {
  const pair = await startPair(t);
  await bigFile(pair.root);
  const { peer, proxy } = await counted(t, pair);
  for (const kind of ['node', 'web'] as const) {
    const links = proxy.links.length;
    const source = kind === 'node' ? peer.createReadStream('/big') : peer.readable('/big');
    const pieces = source[Symbol.asyncIterator]();
    const next = async (): Promise<number> => {
      const { value } = (await pieces.next()) as IteratorResult<Uint8Array, undefined>;
      return value?.length ?? 0;
    };
    let taken = 0;
    for (const goal of [1, 40 * MIB]) {
      while (taken < goal) taken += await next();
      const moved = await settled(proxy.links[links]?.toClient);
      t.true(moved < taken + ON_THE_WAY, `${kind}: ${moved} bytes came for the ${taken} that were taken`);
    }
    t.true(pair.server.sessions.some(({ isBusy }) => isBusy));
    // Leaving the loop: destroys one, cancels the other.
    await pieces.return?.();
    await until(() => pair.server.sessions.length === 1);
    const moved = proxy.links[links]?.toClient.forwarded ?? Infinity;
    t.true(moved < taken + 2 * ON_THE_WAY, `${kind}: ${moved} bytes until the server had stopped`);
  }
});

test('a writer is held back by the server, in both forms', async (t) => {
  const pair = await startPair(t);
  const { server } = pair;
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  // A server that takes one piece and then none for a while.
  server.command('SEND', {
    summary: 'x',
    handler: async (context) => {
      let bytes = 0;
      for await (const piece of context.body()) {
        bytes += piece.length;
        await held;
      }
      return { bytes };
    },
  });
  const { peer, proxy } = await counted(t, pair);
  const made = { node: 0, web: 0 };
  const source = async function* (kind: 'node' | 'web'): AsyncGenerator<Buffer> {
    for (; made[kind] < FILE_LENGTH; made[kind] += MIB) yield Buffer.alloc(MIB);
  };
  const controller = new AbortController();
  const { signal } = controller;
  const node = pipeline(source('node'), peer.createWriteStream('/a'), { signal });
  const web = (Readable.toWeb(Readable.from(source('web'))) as ReadableStream).pipeTo(peer.writable('/b', { signal }));
  await until(() => proxy.links.length === 3);
  for (const link of proxy.links.slice(1)) await settled(link.toServer);
  t.true(made.node > 0 && made.node < ON_THE_WAY, `${made.node} bytes were taken from the source`);
  t.true(made.web > 0 && made.web < ON_THE_WAY, `${made.web} bytes were taken from the source of the web stream`);
  controller.abort(new Error('enough'));
  await t.throwsAsync(node);
  await t.throwsAsync(web);
  release();
  await peer.close();
});

test('two streams of one client do not wait for one another, nor other requests for them', async (t) => {
  const { client, root, server } = await startPair(t);
  await bigFile(root);
  const peer = await client();
  const streams = [peer.createReadStream('/big'), peer.createReadStream('/big', { start: 5 })];
  const readers = streams.map((stream) => stream[Symbol.asyncIterator]());
  for (let round = 0; round < 20; round += 1) {
    for (const reader of readers) t.false((await reader.next()).done);
    t.is((await peer.stat('/big')).size, FILE_LENGTH);
  }
  t.is(server.sessions.length, 3, 'a connection for each stream, and the client’s own');
  for (const stream of streams) stream.destroy();
  await until(() => server.sessions.length === 1);
});

test('a writer may be silent for longer than the server waits for a byte', async (t) => {
  const { client, root } = await startPair(t, { stallTimeoutMs: 1_500 });
  const target = (await client({ keepAliveMs: 100 })).createWriteStream('/f');
  target.write('before ');
  await delay(4_000);
  target.end('after');
  await finished(target);
  t.is(await readFile(join(root, 'f'), 'utf8'), 'before after');

  const silent = (await client({ keepAliveMs: 60_000 })).createWriteStream('/g');
  silent.on('error', () => undefined).write('before ');
  await delay(4_000);
  silent.end('after');
  const error = await t.throwsAsync(finished(silent), undefined, 'without a sign of life the server gives up');
  t.true(E2eeftpError.is(error), String(error));
  await until(async () => (await leftovers(root)).length === 0);
});

test('a custom command’s body may be silent for longer than the client waits for a byte', async (t) => {
  const { client, server } = await startPair(t, { keepAliveMs: 100 });
  server.command('SLOW', {
    summary: 'x',
    handler: () => ({
      body: (async function* () {
        yield 'before ';
        await delay(4_000);
        yield 'after';
      })(),
    }),
  });
  const peer = await client({ stallTimeoutMs: 1_500 });
  t.is((await peer.call('SLOW')).body?.toString(), 'before after');
});

test('a reader may pause for longer than the client waits for a byte', async (t) => {
  const { client, root } = await startPair(t);
  await writeFile(join(root, 'f'), Buffer.alloc(20 * MIB, 'x'));
  const source = (await client({ stallTimeoutMs: 300 })).createReadStream('/f');
  let length = 0;
  for await (const piece of source) {
    if (length === 0) await delay(1_000);
    length += (piece as Buffer).length;
  }
  t.is(length, 20 * MIB);
});

test('a web stream that is aborted, cancelled or given nonsense leaves nothing', async (t) => {
  const { client, root, server } = await startPair(t);
  await bigFile(root);
  await writeFile(join(root, 'f'), 'old');
  const peer = await client();
  const aborted = peer.writable('/f').getWriter();
  await aborted.write(Buffer.alloc(MIB));
  await aborted.abort(new Error('no more'));
  await t.throwsAsync(aborted.closed);

  const odd = peer.writable('/f').getWriter();
  await odd.write(Buffer.alloc(MIB));
  await t.throwsAsync(odd.write('text' as unknown as Uint8Array));

  const refused = peer.writable('/f', { overwrite: 'refuse' }).getWriter();
  const error = await t.throwsAsync(async () => {
    await refused.write(Buffer.from('x'));
    await refused.close();
  });
  t.true(E2eeftpError.is(error, 'E2EEFTP_EXISTS'), String(error));

  const controller = new AbortController();
  const reason = new Error('reason');
  const reading = peer.readable('/big', { signal: controller.signal }).getReader();
  await reading.read();
  controller.abort(reason);
  const rest = async (): Promise<void> => {
    while (!(await reading.read()).done);
  };
  t.is(await t.throwsAsync(rest), reason);

  await until(() => server.sessions.length === 1);
  t.is(await readFile(join(root, 'f'), 'utf8'), 'old');
  t.deepEqual(await leftovers(root), []);
  const stored = peer.writable('/f').getWriter();
  await stored.write(Buffer.from('new'));
  await stored.close();
  t.is(await readFile(join(root, 'f'), 'utf8'), 'new', 'it is stored when close resolves');
});
