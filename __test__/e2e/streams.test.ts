import { randomBytes } from 'node:crypto';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { E2eeftpError } from '../../dist/index.js';
import { leftovers, startPair, until } from './pair.js';

const MIB = 1024 * 1024;

async function collect(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

test('what is written is read, at every length near a border', async (t) => {
  const { client, root } = await startPair(t);
  const peer = await client();
  for (const size of [0, 1, 65_535, 65_536, 131_072, 262_143, 262_144, 262_145, 3 * MIB + 1]) {
    const content = randomBytes(size);
    const target = peer.createWriteStream('/made/f');
    await pipeline(Readable.from(size === 0 ? [] : [content]), target);
    t.is(target.result?.bytes, size);
    t.true((await readFile(join(root, 'made', 'f'))).equals(content), String(size));
    const source = peer.createReadStream('/made/f');
    t.true((await collect(source)).equals(content), String(size));
    t.is(source.result?.root, target.result?.root);
    t.is(source.size, size);
  }
  t.deepEqual(await leftovers(root), []);
});

test('the root of a stream is that of the same file sent', async (t) => {
  const { client, local } = await startPair(t);
  const peer = await client();
  const content = randomBytes(2 * MIB + 17);
  await writeFile(join(local, 'f'), content);
  const { root } = await peer.send(join(local, 'f'), '/a');
  const target = peer.createWriteStream('/b');
  await pipeline(Readable.from([content.subarray(0, 7), content.subarray(7)]), target);
  t.is(target.result?.root, root);
});

test('one stream flows into another of the same client, while it does something else', async (t) => {
  const { client, root } = await startPair(t);
  const peer = await client();
  const content = randomBytes(20 * MIB);
  await writeFile(join(root, 'a'), content);
  const copying = pipeline(peer.createReadStream('/a'), peer.createWriteStream('/b'));
  for (let index = 0; index < 10; index += 1) t.is((await peer.stat('/a')).size, content.length);
  await copying;
  t.true((await readFile(join(root, 'b'))).equals(content));
});

test('a slow reader slows the server; nothing is collected in between', async (t) => {
  const { client, root, server } = await startPair(t);
  await writeFile(join(root, 'big'), Buffer.alloc(64 * MIB));
  const peer = await client();
  const source = peer.createReadStream('/big');
  let length = (await source[Symbol.asyncIterator]().next()).value.length as number;
  t.true(length > 0);
  source.on('error', () => undefined);
  const before = process.memoryUsage().rss;
  await delay(500);
  t.true(source.readableLength <= MIB, `${source.readableLength} bytes are buffered`);
  t.true(process.memoryUsage().rss - before < 40 * MIB);
  t.true(
    server.sessions.some(({ isBusy }) => isBusy),
    'the server is still sending',
  );
  source.destroy();
  await until(() => server.sessions.length === 1);
  length = 0;
});

test('a writer is told to wait, and the file appears at the end only', async (t) => {
  const { client, root } = await startPair(t);
  const target = (await client()).createWriteStream('/f');
  let waits = 0;
  for (let index = 0; index < 100; index += 1) {
    if (!target.write(Buffer.alloc(100_000, index))) {
      waits += 1;
      await new Promise((resolve) => target.once('drain', resolve));
    }
  }
  t.true(waits > 10);
  t.deepEqual(
    (await readdir(root)).filter((name) => !name.startsWith('.e2eeftp-')),
    [],
  );
  await new Promise<void>((resolve, reject) => void target.on('error', reject).end(resolve));
  t.is((await readFile(join(root, 'f'))).length, 10_000_000);
});

test('a stream that is destroyed, fails or is aborted leaves nothing', async (t) => {
  const { client, root, server } = await startPair(t);
  await writeFile(join(root, 'f'), 'before');
  await writeFile(join(root, 'big'), Buffer.alloc(30 * MIB));
  const peer = await client();
  const reason = new Error('reason');
  const failing = async function* (): AsyncGenerator<Buffer> {
    yield Buffer.alloc(1_000_000);
    throw reason;
  };
  t.is(await t.throwsAsync(() => pipeline(failing, peer.createWriteStream('/f'))), reason);

  const destroyed = peer.createWriteStream('/f');
  destroyed.write(Buffer.alloc(1_000_000));
  await delay(30);
  await new Promise((resolve) => destroyed.once('close', resolve).destroy());

  const early = peer.createWriteStream('/f');
  await new Promise((resolve) => early.once('close', resolve).destroy());

  const controller = new AbortController();
  const aborted = peer.createWriteStream('/f', { signal: controller.signal });
  aborted.write('x'.repeat(1000));
  setTimeout(() => controller.abort(reason), 50);
  t.is(await new Promise((resolve) => aborted.once('error', resolve)), reason);

  const stuck = new Writable({ write: () => undefined });
  const reading = new AbortController();
  setTimeout(() => reading.abort(reason), 100);
  t.is(await t.throwsAsync(() => pipeline(peer.createReadStream('/big', { signal: reading.signal }), stuck)), reason);
  t.is(
    await t.throwsAsync(() => collect(peer.createReadStream('/big', { signal: AbortSignal.abort(reason) }))),
    reason,
  );

  for await (const piece of peer.createReadStream('/big')) {
    t.true(piece.length > 0);
    break;
  }
  await until(() => server.sessions.length === 1);
  t.is(await readFile(join(root, 'f'), 'utf8'), 'before');
  t.deepEqual(await leftovers(root), []);
  t.is((await peer.call('HLIST')).status, 200);
});

test('the server’s refusal is the stream’s error', async (t) => {
  const { client, root } = await startPair(t);
  await writeFile(join(root, 'f'), 'x');
  const peer = await client();
  const missing = await t.throwsAsync(() => collect(peer.createReadStream('/none')));
  t.true(E2eeftpError.is(missing, 'E2EEFTP_NOT_FOUND'));
  const taken = await t.throwsAsync(() =>
    pipeline(Readable.from(['x']), peer.createWriteStream('/f', { overwrite: 'refuse' })),
  );
  t.true(E2eeftpError.is(taken, 'E2EEFTP_EXISTS'));
  const renamed = peer.createWriteStream('/f', { overwrite: 'rename' });
  await pipeline(Readable.from(['y']), renamed);
  t.is(renamed.result?.path, '/f (1)');
  const orphan = await t.throwsAsync(() =>
    pipeline(Readable.from(['x']), peer.createWriteStream('/a/b', { parents: false })),
  );
  t.true(E2eeftpError.is(orphan, 'E2EEFTP_NOT_FOUND'));
});

test('web streams', async (t) => {
  const { client } = await startPair(t);
  const peer = await client();
  const content = randomBytes(MIB);
  await new Blob([content]).stream().pipeTo(peer.createWriteStream('/f').toWeb());
  const parts: Uint8Array[] = [];
  for await (const part of peer.createReadStream('/f').toWeb()) parts.push(part);
  t.true(Buffer.concat(parts).equals(content));
});

test('closing the client ends its streams', async (t) => {
  const { client, root, server } = await startPair(t);
  await writeFile(join(root, 'big'), Buffer.alloc(30 * MIB));
  const peer = await client();
  const source = peer.createReadStream('/big');
  const failed = new Promise((resolve) => source.once('error', resolve));
  await source[Symbol.asyncIterator]().next();
  await peer.close();
  t.true(E2eeftpError.is(await failed, 'E2EEFTP_CLOSED'));
  t.true(E2eeftpError.is(await t.throwsAsync(() => collect(peer.createReadStream('/big'))), 'E2EEFTP_CLOSED'));
  await until(() => server.sessions.length === 0);
});
