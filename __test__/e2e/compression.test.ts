import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { E2eeftpError } from '../../dist/index.js';
import { leftovers, startPair } from './pair.js';

const text = Buffer.from('All work and no play makes a dull text. '.repeat(100_000));

test('a compressed file arrives as it was, both ways, and its root is that of the content', async (t) => {
  const pair = await startPair(t);
  const client = await pair.client();
  const contents = { text, noise: randomBytes(3_000_000), empty: Buffer.alloc(0), byte: Buffer.of(1) };
  for (const compress of ['zstd', 'auto'] as const) {
    for (const [name, content] of Object.entries(contents)) {
      const file = join(pair.local, name);
      await writeFile(file, content);
      const sent = await client.send(file, `/${name}`, { compress });
      const plain = await client.hash(`/${name}`);
      t.like(sent, { bytes: content.length, root: plain.root });
      t.true(content.equals(await readFile(join(pair.root, name))));
      const got = await client.get(`/${name}`, `${file}.copy`, { compress });
      t.like(got, { bytes: content.length, root: plain.root });
      t.true(content.equals(await readFile(`${file}.copy`)));
      if (name !== 'text' || compress === 'auto') continue;
      t.true((sent.sentBytes ?? Infinity) < text.length / 50);
      t.is(got.sentBytes, sent.sentBytes);
    }
  }
  const noise = await client.get('/noise', join(pair.local, 'noise'), { compress: 'zstd' });
  // A header of seven bytes for each piece, and no more.
  t.is(noise.sentBytes, 3_000_000 + 3 * 7);
  t.is((await client.send(join(pair.local, 'text'), '/text')).sentBytes, undefined, 'off unless asked for');
});

test('a part of a file can be compressed, and receipts know only the content', async (t) => {
  const pair = await startPair(t);
  const client = await pair.client();
  const file = join(pair.local, 'text');
  await writeFile(file, text);
  const sent = await client.send(file, '/text', { compress: 'zstd' });
  const { bytes, root } = await client.receipt(sent);
  t.deepEqual([bytes, root], [sent.bytes, sent.root]);
  await t.throwsAsync(client.call('GET', { path: Buffer.from('/text'), compress: 'lz4' }), {
    code: 'E2EEFTP_BAD_REQUEST',
  });
});

test('a body that is no pieces is refused, and leaves nothing', async (t) => {
  const pair = await startPair(t);
  const client = await pair.client();
  for (const body of [
    Buffer.from('plain text'),
    Buffer.alloc(2_000_000, 0xff),
    Buffer.from('01000000000001ff', 'hex'),
    Buffer.from('0000000500000568656c6c', 'hex'),
  ]) {
    const refused = await t.throwsAsync(client.call('SEND', { path: Buffer.from('/a'), compress: 'zstd' }, { body }));
    // Which of both the client hears of depends on whether it was stopped before its end.
    t.true(E2eeftpError.is(refused, 'E2EEFTP_INTEGRITY'), String(refused));
    t.deepEqual(await leftovers(pair.root), []);
    t.deepEqual(
      await client
        .list('/')
        .next()
        .then(({ done }) => done),
      true,
    );
  }
});

test('no more is unpacked than was announced', async (t) => {
  const pair = await startPair(t, { grant: { write: true, list: true, maxSize: 1000 } });
  const client = await pair.client();
  // An honest piece of 2^20 zeros: a frame of eight blocks that repeat one byte (RFC 8878 §3.1.1).
  const frame = Buffer.from(`28b52ffda000001000${'02001000'.repeat(7)}03001000`, 'hex');
  const piece = Buffer.concat([Buffer.from('01100000', 'hex'), Buffer.from([0, 0, frame.length]), frame]);
  for (const [size, code, message] of [
    [1000, 'E2EEFTP_INTEGRITY', /longer than announced/],
    [undefined, 'E2EEFTP_TOO_LARGE', /./],
  ] as const) {
    const args = { path: Buffer.from('/a'), compress: 'zstd', size };
    await t.throwsAsync(client.call('SEND', args, { body: piece }), { code, message });
    t.deepEqual(await leftovers(pair.root), []);
  }
});

test('a client does without where the server does not say that it can', async (t) => {
  const pair = await startPair(t);
  // A server of a version that does not know the member ignores it.
  pair.server.before('*', () => undefined);
  const original = pair.server.handleSend.bind(pair.server);
  pair.server.handleSend = (context) => {
    Reflect.deleteProperty(context.args, 'compress');
    return original(context);
  };
  const client = await pair.client();
  const file = join(pair.local, 'text');
  await writeFile(file, text);
  const sent = await client.send(file, '/text', { compress: 'zstd' });
  t.is(sent.sentBytes, undefined);
  t.true(text.equals(await readFile(join(pair.root, 'text'))));
});
