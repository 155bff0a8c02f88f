/** Trees whose connection breaks. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { connect } from '../../dist/index.js';
import type { Client, Retry } from '../../dist/index.js';
import { Proxy } from '../hostile/proxy.js';
import { leftovers, startPair, until } from './pair.js';
import type { Pair } from './pair.js';

const FILES = 40;
const SIZE = 200_000;
const LARGE = 3 * 1024 * 1024 + 7;

async function furnish(top: string): Promise<void> {
  await mkdir(join(top, 'deep/er'), { recursive: true });
  for (let index = 0; index < FILES; index += 1) {
    await writeFile(join(top, index % 2 === 0 ? 'deep' : 'deep/er', `file-${index}`), randomBytes(SIZE));
  }
  await writeFile(join(top, 'large'), randomBytes(LARGE));
}

async function same(t: ExecutionContext, one: string, other: string): Promise<void> {
  const names = async (top: string): Promise<string[]> =>
    (await readdir(top, { recursive: true })).filter((name) => !name.includes('.e2eeftp-')).toSorted();
  const all = await names(one);
  t.deepEqual(await names(other), all);
  for (const name of all) {
    if (!/file-|large/.test(name)) continue;
    t.true((await readFile(join(one, name))).equals(await readFile(join(other, name))), name);
  }
}

async function throughProxy(t: ExecutionContext, pair: Pair): Promise<{ client: Client; proxy: Proxy }> {
  const proxy = await Proxy.start(t, pair.address.port);
  const { identity, server } = pair;
  const client = await connect({ host: '127.0.0.1', port: proxy.port, identity, serverKey: server.fingerprint });
  t.teardown(() => client.close());
  return { client, proxy };
}

for (const preserve of [true, false]) {
  const title = preserve ? 'times kept' : 'contents compared';
  test(`a tree is sent to its end over a new connection, ${title}`, async (t) => {
    const pair = await startPair(t);
    const source = join(pair.local, 'source');
    await furnish(source);
    const { client, proxy } = await throughProxy(t, pair);
    const retries: Retry[] = [];
    const [main] = proxy.links;
    if (main === undefined) return t.fail('no connection');
    main.toServer.holdAt = (FILES * SIZE) / 2;
    const sending = client.sendTree(source, '/copy', { preserve, onRetry: (retry) => retries.push(retry) });
    await main.toServer.held;
    await until(async () => (await readdir(join(pair.root, 'copy/deep')).catch(() => [])).length > 1);
    main.cut();
    const sent = await sending;
    t.true(retries.length > 0);
    t.is(sent.failed, 0);
    t.is(sent.files + sent.skippedFiles, FILES + 1);
    t.true(sent.bytes >= FILES * SIZE + LARGE, `${sent.bytes}`);
    // Half of it had gone over the first connection, and does not go again.
    const again = proxy.links.slice(1).reduce((sum, link) => sum + link.toServer.forwarded, 0);
    t.true(again < FILES * SIZE + LARGE, `${again} bytes after the break`);
    await same(t, source, join(pair.root, 'copy'));
    t.deepEqual(await leftovers(pair.root), []);
    return undefined;
  });
}

test('a tree is fetched to its end over a new connection', async (t) => {
  const pair = await startPair(t);
  await furnish(join(pair.root, 'source'));
  const { client, proxy } = await throughProxy(t, pair);
  const retries: Retry[] = [];
  const [main] = proxy.links;
  if (main === undefined) return t.fail('no connection');
  main.toClient.holdAt = (FILES * SIZE) / 2;
  const copy = join(pair.local, 'copy');
  const getting = client.getTree('/source', copy, { onRetry: (retry) => retries.push(retry) });
  await main.toClient.held;
  await until(async () => (await readdir(join(copy, 'deep')).catch(() => [])).length > 1);
  main.cut();
  const got = await getting;
  t.true(retries.length > 0);
  t.deepEqual([got.failed, got.files + got.skippedFiles], [0, FILES + 1]);
  await same(t, join(pair.root, 'source'), copy);
  t.deepEqual(await leftovers(pair.local), []);
  return undefined;
});

test('without patience a broken connection ends a tree', async (t) => {
  const pair = await startPair(t);
  const source = join(pair.local, 'source');
  await furnish(source);
  const { client, proxy } = await throughProxy(t, pair);
  const [main] = proxy.links;
  if (main === undefined) return t.fail('no connection');
  main.toServer.holdAt = (FILES * SIZE) / 2;
  const sending = client.sendTree(source, '/copy', { reconnectMs: 0 });
  await main.toServer.held;
  main.cut();
  await t.throwsAsync(sending, { code: 'E2EEFTP_CONNECTION_LOST' });
  return undefined;
});
