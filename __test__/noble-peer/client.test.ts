/** The second implementation as a client of the real server. */
import { randomBytes } from 'node:crypto';
import { blake3 } from '@noble/hashes/blake3.js';
import test from 'ava';
import { hex, text } from './byte-fields.js';
import { NobleClient } from './noble-client.js';
import { bucket, INNER_HEAD, TAG } from './record-layer.js';
import { until } from '../cli/run.js';
import { assertServes, logged, SUITES, world } from './world.js';

for (const [name, offer] of SUITES) {
  test(`${name}: LIST, SEND, GET, STAT and an orderly end`, async (t) => {
    const all = await world(t);
    const { box, server, options } = all;
    const client = await NobleClient.connect({ ...options, offer });
    t.is(client.session.established.suite, offer.preferred);
    t.deepEqual(await client.list(''), []);

    const content = new Uint8Array(randomBytes(1_000_003));
    const sent = await client.send('from-noble', content, { mode: 0o640, mtime: 1_600_000_000_000 });
    t.is(hex(sent['root'] as Uint8Array), hex(blake3(content)));
    t.is(Buffer.from(sent['path'] as Uint8Array).toString(), 'from-noble');
    t.true(box.bytes('files/from-noble').equals(content));

    const there = box.write('files/from-disk', randomBytes(600_001));
    t.is(hex(await client.get('from-disk')), hex(box.bytes('files/from-disk')), there);
    t.is(hex(await client.get('from-noble')), hex(content));
    await client.send('empty', new Uint8Array());
    t.is((await client.get('empty')).length, 0);

    const entries = await client.list('');
    t.deepEqual(
      entries.map(([entry, kind, size]) => [Buffer.from(entry).toString(), kind, size]),
      [
        ['empty', 'f', 0],
        ['from-disk', 'f', 600_001],
        ['from-noble', 'f', 1_000_003],
      ],
    );
    t.like(await client.stat('from-noble'), { type: 'f', size: 1_000_003, mtime: 1_600_000_000_000, mode: 0o640 });
    await t.throwsAsync(client.get('missing'), { name: 'RequestRefused', message: /^404 E2EEFTP_NOT_FOUND / });

    await client.close();
    await client.session.wire.ended();
    await assertServes(t, all);
    const stopped = await server.stop();
    t.is(stopped.code, 0);
    t.is(logged(stopped.stderr, /session closed/), 2);
    t.is(logged(stopped.stderr, /session ended/), 0);
  });
}

test('the server’s directory of many pages is read whole', async (t) => {
  const { box, options } = await world(t);
  const names = Array.from({ length: 700 }, (_, number) => `name-${String(number).padStart(3, '0')}`);
  for (const name of names) box.write(`files/${name}`, '');
  const client = await NobleClient.connect(options);
  const entries = await client.list('');
  t.deepEqual(entries.map(([name]) => Buffer.from(name).toString()).toSorted(), names);
  await client.close();
});

test('key updates of the client, before requests, within a body and twice in a row', async (t) => {
  for (const [name, offer] of SUITES) {
    const { box, options } = await world(t);
    const client = await NobleClient.connect({ ...options, offer });
    const { session } = client;
    await session.updateKey();
    await client.list('');
    await session.updateKey();
    await session.updateKey();

    const content = new Uint8Array(randomBytes(500_000));
    const id = await client.ask('SEND', { path: text('ratchet') });
    await client.reply(id, 100);
    for (let at = 0; at < content.length; at += 50_000) {
      await session.send({ type: 2, stream: id, content: content.slice(at, at + 50_000) }, at === 0 ? 4096 : 17);
      await session.updateKey();
    }
    await session.sendEnd(id, content.length, blake3(content));
    t.is((await client.reply(id, 226))['bytes'], content.length, name);
    t.true(box.bytes('files/ratchet').equals(content));
    t.is(session.sealer.keys.seq, 1, 'only the End has followed the last update');
    await client.close();
    await session.wire.ended();
  }
});

test('the server pads all but Data to their buckets, and shows no more than that', async (t) => {
  const { box, options } = await world(t);
  for (const length of [1, 20, 60]) box.write(`files/${'n'.repeat(length)}`, '');
  const client = await NobleClient.connect(options);
  const { lengths } = client.session.wire;
  const before = lengths.length;
  for (const length of [1, 20, 60]) await client.stat('n'.repeat(length));
  const replies = lengths.slice(before);
  t.is(replies.length, 3);
  for (const length of replies) t.is(bucket(length - TAG), length - TAG);
  t.is(new Set(replies).size, 1, 'replies of one bucket look alike');
  t.true((replies[0] ?? 0) > INNER_HEAD + TAG);
  await client.close();
});

test('suites: the server uses AES only where both sides prefer it, and what both have', async (t) => {
  const { options } = await world(t);
  for (const suites of [1, 2, 3, 0xffff]) {
    for (const preferred of [1, 2] as const) {
      if ((suites & preferred) === 0) continue;
      const client = await NobleClient.connect({ ...options, offer: { suites, preferred } });
      const { suite } = client.session.established;
      if (suites === 1 || suites === 2) t.is(suite, suites);
      else if (preferred === 2) t.is(suite, 2);
      await client.list('');
      await client.close();
    }
  }
});

test('each session has a name and secrets of its own, and the server’s clock is told', async (t) => {
  const { options } = await world(t);
  const [one, other] = [await NobleClient.connect(options), await NobleClient.connect(options)];
  const [a, b] = [one.session.established, other.session.established];
  t.not(hex(a.parameters.sessionId), hex(b.parameters.sessionId));
  t.not(hex(a.application.exporter), hex(b.application.exporter));
  t.true(Math.abs(a.parameters.unixTime - Date.now() / 1000) < 600);
  await one.close();
  await other.close();
});

test('a stream that ends without Close was cut off', async (t) => {
  const all = await world(t);
  const client = await NobleClient.connect(all.options);
  await client.list('');
  client.session.wire.socket.end();
  await client.session.wire.ended();
  const { run } = all.server;
  await until(() => logged(run.stderr, /session ended .*code=E2EEFTP_CONNECTION_LOST/) === 1, 'the end in the log');
  await assertServes(t, all);
});
