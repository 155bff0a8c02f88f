/** Transfers that go on: in the same call after a broken connection, and in a later one. */
import { randomBytes } from 'node:crypto';
import { open, readFile, readdir, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { E2eeftpError, Identity, connect, fullGrant } from '../../dist/index.js';
import type { Client, Progress, Retry, TransferResult } from '../../dist/index.js';
import { Proxy } from '../hostile/proxy.js';
import { leftovers, startPair, until } from './pair.js';
import type { Pair } from './pair.js';

const MIB = 1024 * 1024;
const SIZE = 24 * MIB + 4321;

/** A client whose bytes pass through a proxy that a test may cut. */
async function throughProxy(t: ExecutionContext, pair: Pair): Promise<{ client: Client; proxy: Proxy }> {
  const proxy = await Proxy.start(t, pair.address.port);
  const client = await connect({
    host: '127.0.0.1',
    port: proxy.port,
    identity: pair.identity,
    serverKey: pair.server.fingerprint,
    stallTimeoutMs: 3_000,
  });
  t.teardown(() => client.close());
  return { client, proxy };
}

async function localFile(pair: Pair, name: string, size = SIZE): Promise<{ path: string; content: Buffer }> {
  const content = randomBytes(size);
  const path = join(pair.local, name);
  await writeFile(path, content);
  return { path, content };
}

/** Runs a transfer, slowly enough to be met under way, and aborts it once about half of it has moved. */
async function interrupted(run: (options: object) => Promise<TransferResult>): Promise<void> {
  const abort = new AbortController();
  const onProgress = ({ transferred }: Progress): void => {
    if (transferred > SIZE / 2) abort.abort(new Error('enough'));
  };
  const limitRate = 16 * MIB;
  const ended = await run({ onProgress, signal: abort.signal, limitRate }).catch((error: unknown) => error);
  if (!(ended instanceof Error)) throw new Error('it was over before it could be interrupted');
  if (ended.message !== 'enough') throw ended;
}

test('an upload whose connection breaks goes on in the same call', async (t) => {
  const pair = await startPair(t);
  const { client, proxy } = await throughProxy(t, pair);
  const { path, content } = await localFile(pair, 'source');
  const retries: Retry[] = [];
  let isCut = false;
  const sent = await client.send(path, '/target', {
    onProgress: ({ transferred }) => {
      if (isCut || transferred < 10 * MIB) return;
      isCut = true;
      proxy.links.at(-1)?.cut();
    },
    onRetry: (retry) => retries.push(retry),
  });
  t.true((await readFile(join(pair.root, 'target'))).equals(content));
  t.is(sent.bytes, SIZE);
  if (isCut && retries.length > 0) {
    t.is(retries[0]?.attempt, 1);
    t.true(E2eeftpError.is(retries[0]?.error));
    t.true(sent.resumedBytes > 0, `resumed ${sent.resumedBytes}`);
  }
  t.deepEqual(await leftovers(pair.root), []);
  // The client goes on with its new connection.
  t.is((await client.stat('/target')).size, SIZE);
});

test('a download whose connection breaks goes on in the same call', async (t) => {
  const pair = await startPair(t);
  const { client, proxy } = await throughProxy(t, pair);
  const content = randomBytes(SIZE);
  await writeFile(join(pair.root, 'source'), content);
  const target = join(pair.local, 'copy');
  const retries: Retry[] = [];
  for (const link of proxy.links) link.toClient.holdAt = 12 * MIB;
  const getting = client.get('/source', target, { onRetry: (retry) => retries.push(retry), durability: 'none' });
  await until(() => (proxy.links[0]?.toClient.forwarded ?? 0) >= 12 * MIB);
  proxy.links[0]?.cut();
  const got = await getting;
  t.is(retries.length, 1);
  t.true(got.resumedBytes >= 8 * MIB, `resumed ${got.resumedBytes}`);
  t.true((await readFile(target)).equals(content));
  t.deepEqual(await leftovers(pair.local), []);
});

test('a connection that falls silent is given up, and the server makes room for the new one', async (t) => {
  const pair = await startPair(t);
  const { client, proxy } = await throughProxy(t, pair);
  const { path, content } = await localFile(pair, 'source');
  // Nothing passes any more, and nobody is told.
  for (const link of proxy.links) link.toServer.holdAt = 12 * MIB;
  const sent = await client.send(path, '/target', { reconnectMs: 30_000 });
  t.true(sent.resumedBytes >= 8 * MIB, `resumed ${sent.resumedBytes}`);
  t.true((await readFile(join(pair.root, 'target'))).equals(content));
});

test('an upload that was aborted goes on in a later call, also with another connection', async (t) => {
  const pair = await startPair(t);
  const { path, content } = await localFile(pair, 'source');
  const first = await pair.client();
  await interrupted((options) => first.send(path, '/dir/target', options));
  await first.close();
  t.deepEqual(await readdir(join(pair.root, 'dir')).then((names) => names.filter((name) => !name.startsWith('.'))), []);
  const second = await pair.client();
  const sent = await second.send(path, '/dir/target');
  t.true(sent.resumedBytes >= MIB, `resumed ${sent.resumedBytes}`);
  t.true((await readFile(join(pair.root, 'dir/target'))).equals(content));
  t.deepEqual(await leftovers(pair.root), []);
});

test('a download that was aborted goes on in a later call', async (t) => {
  const pair = await startPair(t);
  const content = randomBytes(SIZE);
  await writeFile(join(pair.root, 'source'), content);
  const client = await pair.client();
  const target = join(pair.local, 'copy');
  await interrupted((options) => client.get('/source', target, options));
  await t.throwsAsync(stat(target));
  const got = await client.get('/source', target);
  t.true(got.resumedBytes >= MIB, `resumed ${got.resumedBytes}`);
  t.true((await readFile(target)).equals(content));
  t.deepEqual(await leftovers(pair.local), []);
});

test('without resume everything moves again', async (t) => {
  const pair = await startPair(t);
  const { path, content } = await localFile(pair, 'source');
  const client = await pair.client();
  await interrupted((options) => client.send(path, '/target', options));
  const sent = await client.send(path, '/target', { resume: false });
  t.is(sent.resumedBytes, 0);
  await interrupted((options) => client.get('/target', join(pair.local, 'copy'), options));
  const got = await client.get('/target', join(pair.local, 'copy'), { resume: false });
  t.is(got.resumedBytes, 0);
  t.true((await readFile(join(pair.local, 'copy'))).equals(content));
  t.deepEqual(await leftovers(pair.root, pair.local), []);
});

test('without resume a broken connection still goes on with what this call has sent', async (t) => {
  const pair = await startPair(t);
  const { client, proxy } = await throughProxy(t, pair);
  const { path, content } = await localFile(pair, 'source');
  for (const link of proxy.links) link.toServer.holdAt = 12 * MIB;
  const sending = client.send(path, '/target', { resume: false });
  await until(() => (proxy.links[0]?.toServer.forwarded ?? 0) >= 12 * MIB);
  proxy.links[0]?.cut();
  const sent = await sending;
  t.true(sent.resumedBytes >= 8 * MIB, `resumed ${sent.resumedBytes}`);
  t.true((await readFile(join(pair.root, 'target'))).equals(content));
});

test('a source that changed between two calls is never mixed with what was there', async (t) => {
  const pair = await startPair(t);
  const { path, content } = await localFile(pair, 'source');
  const client = await pair.client();
  await interrupted((options) => client.send(path, '/target', options));
  for (const at of [5, MIB + 5, SIZE - 5]) content[at] = (content[at] ?? 0) ^ 1;
  await writeFile(path, content);
  const sent = await client.send(path, '/target');
  t.true((await readFile(join(pair.root, 'target'))).equals(content));
  t.true(sent.resumedBytes <= SIZE - 2 * MIB);
});

test('what another key has left is not gone on with', async (t) => {
  const other = Identity.generate();
  const pair = await startPair(t, { authorizedClients: () => fullGrant });
  const { path } = await localFile(pair, 'source');
  const client = await pair.client();
  await interrupted((options) => client.send(path, '/target', options));
  const stranger = await pair.client({ identity: other });
  const sent = await stranger.send(path, '/target');
  t.is(sent.resumedBytes, 0);
});

test('of a changed file only the blocks that differ travel', async (t) => {
  const pair = await startPair(t);
  const { path, content } = await localFile(pair, 'source');
  const client = await pair.client();
  await client.send(path, '/target');
  content[9 * MIB] = (content[9 * MIB] ?? 0) ^ 1;
  await writeFile(path, content);
  const sent = await client.send(path, '/target');
  t.is(sent.bytes - sent.resumedBytes, MIB);
  t.true((await readFile(join(pair.root, 'target'))).equals(content));
  const copy = join(pair.local, 'copy');
  await client.get('/target', copy);
  const changed = await open(copy, 'r+');
  await changed.write('x', 3 * MIB);
  await changed.close();
  const got = await client.get('/target', copy);
  t.is(got.bytes - got.resumedBytes, MIB);
  t.true((await readFile(copy)).equals(content));
  t.is((await client.send(path, '/target', { delta: false })).resumedBytes, 0);
});

test('a key that may not read learns nothing of the old file', async (t) => {
  const pair = await startPair(t, { grant: { ...fullGrant, read: false, list: false } });
  const { path, content } = await localFile(pair, 'source');
  await writeFile(join(pair.root, 'target'), content);
  const { mtime } = await stat(path);
  await utimes(join(pair.root, 'target'), mtime, mtime);
  const client = await pair.client();
  for (const skip of ['never', 'time', 'checksum'] as const) {
    const sent = await client.send(path, '/target', { skip });
    t.false(sent.skipped);
    t.is(sent.resumedBytes, 0);
  }
});

test('a file that the other side has is skipped where that is wished for', async (t) => {
  const pair = await startPair(t);
  const { path, content } = await localFile(pair, 'source');
  const client = await pair.client();
  const first = await client.send(path, '/target', { skip: 'time' });
  t.false(first.skipped);
  const skipped = await client.send(path, '/target', { skip: 'time' });
  t.like(skipped, { skipped: true, bytes: SIZE, root: '', resumedBytes: 0, path: '/target' });
  t.false((await client.send(path, '/target')).skipped, 'not without being asked');
  await utimes(path, 1, 1);
  t.true((await client.send(path, '/target', { skip: 'checksum' })).skipped);
  t.is((await client.send(path, '/target', { skip: 'checksum' })).root, first.root);
  const copy = join(pair.local, 'copy');
  t.false((await client.get('/target', copy, { skip: 'time' })).skipped);
  t.true((await client.get('/target', copy, { skip: 'time' })).skipped);
  await utimes(copy, 5, 5);
  t.true((await client.get('/target', copy, { skip: 'checksum' })).skipped);
  t.false((await client.get('/target', copy, { skip: 'time' })).skipped);
  t.true((await readFile(copy)).equals(content));
});

test('several connections move one file', async (t) => {
  const pair = await startPair(t);
  const { path, content } = await localFile(pair, 'source');
  const client = await pair.client();
  for (const connections of [1, 2, 4]) {
    const sent = await client.send(path, '/target', { connections, delta: false });
    t.is(sent.bytes, SIZE);
    t.true((await readFile(join(pair.root, 'target'))).equals(content));
    const got = await client.get('/target', join(pair.local, `copy${connections}`), { connections });
    t.is(got.root, sent.root);
  }
  await t.throwsAsync(client.send(path, '/target', { connections: 17 }), { code: 'E2EEFTP_INVALID_ARGUMENT' });
  await t.throwsAsync(client.get('/target', '/tmp/never', { connections: 0 }), { code: 'E2EEFTP_INVALID_ARGUMENT' });
});

test('a lane that is cut costs its blocks only', async (t) => {
  const pair = await startPair(t);
  const { client, proxy } = await throughProxy(t, pair);
  const { path, content } = await localFile(pair, 'source');
  const before = proxy.links.length;
  let isCut = false;
  const sent = await client.send(path, '/target', {
    connections: 4,
    onProgress: () => {
      const lane = proxy.links[before];
      if (isCut || lane === undefined || lane.toServer.forwarded < 2 * MIB) return;
      isCut = true;
      lane.cut();
    },
  });
  t.is(sent.bytes, SIZE);
  t.true((await readFile(join(pair.root, 'target'))).equals(content));
});

test('holes stay holes', async (t) => {
  const pair = await startPair(t);
  const path = join(pair.local, 'sparse');
  await writeFile(path, randomBytes(MIB));
  await truncate(path, 300 * MIB);
  const client = await pair.client();
  await client.send(path, '/sparse');
  const { size, blocks } = await stat(join(pair.root, 'sparse'));
  t.is(size, 300 * MIB);
  t.true(blocks * 512 < 3 * MIB, `${blocks * 512} bytes on the disk`);
  const copy = join(pair.local, 'copy');
  await client.get('/sparse', copy);
  t.true((await stat(copy)).blocks * 512 < 3 * MIB);
  t.true((await readFile(copy)).equals(await readFile(path)));
});

test('a server that stays away is given up', async (t) => {
  const pair = await startPair(t);
  const { client, proxy } = await throughProxy(t, pair);
  const { path } = await localFile(pair, 'source');
  const retries: Retry[] = [];
  for (const link of proxy.links) link.toServer.holdAt = 5 * MIB;
  const sending = client.send(path, '/target', { reconnectMs: 1_500, onRetry: (retry) => retries.push(retry) });
  await until(() => (proxy.links[0]?.toServer.forwarded ?? 0) >= 5 * MIB);
  proxy.close();
  const error = await t.throwsAsync(sending);
  t.true(E2eeftpError.is(error, 'E2EEFTP_CONNECT') || E2eeftpError.is(error, 'E2EEFTP_CONNECTION_LOST'), String(error));
  t.true(retries.length > 1);
});

test('without patience a broken connection is an error', async (t) => {
  const pair = await startPair(t);
  const { client, proxy } = await throughProxy(t, pair);
  const { path } = await localFile(pair, 'source');
  for (const link of proxy.links) link.toServer.holdAt = 5 * MIB;
  const sending = client.send(path, '/target', { reconnectMs: 0 });
  await until(() => (proxy.links[0]?.toServer.forwarded ?? 0) >= 5 * MIB);
  proxy.links[0]?.cut();
  await t.throwsAsync(sending, { code: 'E2EEFTP_CONNECTION_LOST' });
});
