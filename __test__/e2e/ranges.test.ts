/**
 * Parts of files: the same bytes that Node's own streams read, and no others on the wire.
 */
import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { E2eeftpError, connect } from '../../dist/index.js';
import type { TransferEvent } from '../../dist/index.js';
import { Proxy } from '../hostile/proxy.js';
import { startPair } from './pair.js';

const KIB = 1024;
const GIB = 1024 ** 3;

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return Buffer.concat(pieces);
}

test('a range has the bytes that Node reads for it, and their root', async (t) => {
  const { client, root, local, server } = await startPair(t);
  const peer = await client();
  const content = randomBytes(400_000);
  const last = content.length - 1;
  const file = join(root, 'f');
  await writeFile(file, content);
  await writeFile(join(root, 'empty'), '');
  const events: TransferEvent[] = [];
  server.on('transfer', (event) => events.push(event));
  const ranges: [number | undefined, (number | undefined)?][] = [
    [0, 0],
    [0, 1],
    [1, 1],
    [last, last],
    [last, last + 1],
    [last + 1],
    [last + 2, last + 5],
    [5 * last],
    [0, last],
    [0, last - 1],
    [0, 5 * last],
    [7, 131_079],
    [131_071, 262_144],
    [3],
    [undefined, 10],
    [undefined, undefined],
  ];
  for (const [start, end] of ranges) {
    const options = { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
    const why = JSON.stringify(options);
    const expected = await collect(createReadStream(file, options));
    const source = peer.createReadStream('/f', options);
    t.true((await collect(source)).equals(expected), why);
    t.deepEqual([source.size, source.fileSize], [expected.length, content.length], why);
    t.is(source.result?.bytes, expected.length, why);
    // The root is that of the part as a file of its own.
    await writeFile(join(local, 'part'), expected);
    t.is(source.result?.root, (await peer.send(join(local, 'part'), '/part')).root, why);
    const [fetched] = events.splice(0).filter(({ verb }) => verb === 'GET');
    const isWhole = expected.length === content.length;
    t.deepEqual(
      [fetched?.bytes, fetched?.offset],
      [expected.length, isWhole ? undefined : Math.min(start ?? 0, last + 1)],
    );
  }
  t.is((await collect(peer.createReadStream('/empty', { start: 0, end: 5 }))).length, 0);
  t.is((await collect(peer.createReadStream('/empty', { start: 1n }))).length, 0);
  const big = { start: 1n, end: BigInt(last) - 1n };
  t.true((await collect(peer.createReadStream('/f', big))).equals(content.subarray(1, last)), 'bigint');
  t.true((await collect(peer.createReadStream('/f', { end: Infinity }))).equals(content));
  t.true((await collect(peer.readable('/f', { start: 2, end: 9 }))).equals(content.subarray(2, 10)), 'web');
});

test('positions that are none are refused at once', async (t) => {
  const { client } = await startPair(t);
  const peer = await client();
  const bad = [
    { start: -1 },
    { start: 1.5 },
    { end: -1n },
    { end: Number.NaN },
    { start: 2n ** 53n },
    { start: 2, end: 1 },
    { start: '1' as unknown as number },
    { end: -Infinity },
  ];
  for (const options of bad) {
    const error = t.throws(() => peer.createReadStream('/f', options));
    t.true(E2eeftpError.is(error, 'E2EEFTP_INVALID_ARGUMENT'), String(error));
  }
});

test('a plain GET of a range says how long the file is', async (t) => {
  const { client, root } = await startPair(t);
  const peer = await client();
  await writeFile(join(root, 'f'), '0123456789');
  const { body, fields } = await peer.call('GET', { path: Buffer.from('f'), start: 3, end: 5 });
  t.is(body?.toString(), '345');
  t.is(fields['bytes'], 3);
  t.is((await peer.call('GET', { path: Buffer.from('f'), start: 8 })).body?.toString(), '89');
});

test('64 KiB in the middle of 20 GiB move under 2 MiB on the wire', async (t) => {
  const { server, root, identity, address } = await startPair(t);
  const middle = 10 * GIB + 12_345;
  const content = randomBytes(64 * KIB);
  const file = join(root, 'sparse');
  await writeFile(file, '');
  await truncate(file, 20 * GIB);
  const handle = await open(file, 'r+');
  await handle.write(content, 0, content.length, middle);
  await handle.close();
  const proxy = await Proxy.start(t, address.port);
  const peer = await connect({ ...address, port: proxy.port, identity, serverKey: server.fingerprint });
  t.teardown(() => peer.close());
  const source = peer.createReadStream('/sparse', { start: middle, end: middle + 64 * KIB - 1 });
  t.true((await collect(source)).equals(content));
  t.is(source.fileSize, 20 * GIB);
  await peer.close();
  const moved = proxy.links.reduce((sum, { toServer, toClient }) => sum + toServer.forwarded + toClient.forwarded, 0);
  t.log(`${moved} bytes on the wire, all connections and both directions`);
  t.true(moved > 64 * KIB && moved < 2 * 1024 * KIB, `${moved} bytes`);
});

test('a server that sends another part than was asked for is not believed', async (t) => {
  const { client, local, server } = await startPair(t);
  const peer = await client();
  await writeFile(join(local, 'f'), '0123');
  const { root } = await peer.send(join(local, 'f'), '/f');
  let announcement: Record<string, number> = {};
  server.command('GET', {
    summary: 'x',
    handler: ({ exchange }) => {
      exchange.announcement = announcement;
      return { status: 226, bytes: 4, root: Buffer.from(root, 'hex'), body: ['0123'] };
    },
  });
  const cases: [Record<string, number>, { start?: number; end?: number }, string | null][] = [
    [{ size: 4 }, {}, null],
    [{ size: 4, fileSize: 10 }, { end: 3 }, null],
    [{ size: 4, fileSize: 6 }, { start: 2 }, null],
    [{ size: 4 }, { end: 3 }, 'E2EEFTP_PROTOCOL'],
    [{ size: 4, fileSize: 10 }, { end: 2 }, 'E2EEFTP_PROTOCOL'],
    [{ size: 4, fileSize: 4 }, { start: 2 }, 'E2EEFTP_PROTOCOL'],
    [{ size: 3 }, {}, 'E2EEFTP_INTEGRITY'],
    [{ size: 5, fileSize: 10 }, { end: 4 }, 'E2EEFTP_INTEGRITY'],
    [{}, {}, 'E2EEFTP_PROTOCOL'],
  ];
  for (const [announced, options, code] of cases) {
    announcement = announced;
    const why = JSON.stringify([announced, options]);
    const reading = collect(peer.createReadStream('/f', options));
    if (code === null) {
      t.is((await reading).toString(), '0123', why);
      continue;
    }
    const error = await t.throwsAsync(reading, undefined, why);
    t.true(E2eeftpError.is(error) && error.code === code, `${why}: ${String(error)}`);
  }
});
