/** The real client, as library and as program, with the second implementation as its server. */
import { randomBytes } from 'node:crypto';
import test from 'ava';
import { type Client, connect } from '../../dist/index.js';
import { type RunResult, Sandbox } from '../cli/run.js';
import { hex } from './byte-fields.js';
import { NobleServer, type NobleServerOptions, serveFiles } from './noble-server.js';
import { MIN_RECORD_LIMIT } from './record-layer.js';
import { newIdentity, SUITES } from './world.js';
import type { ExecutionContext } from 'ava';

interface Pair {
  box: Sandbox;
  server: NobleServer;
  client: Client;
}

async function pair(t: ExecutionContext, options: NobleServerOptions = {}): Promise<Pair> {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await NobleServer.start(t, options);
  const identity = newIdentity();
  const client = await connect({
    reconnectMs: 0,
    host: '127.0.0.1',
    port: server.port,
    identity: box.write('client.key', identity.pem),
    serverKey: server.fingerprint,
  });
  t.teardown(() => client.close());
  t.is(hex(server.sessions[0]?.established.peer ?? new Uint8Array()), hex(identity.publicKey));
  return { box, server, client };
}

for (const [name, offer] of SUITES) {
  test(`${name}: the library sends, lists, fetches and says good-bye`, async (t) => {
    const { box, server, client } = await pair(t, { offer });
    const content = randomBytes(700_001);
    const sent = await client.send(box.write('source', content), 'stored');
    t.is(sent.bytes, content.length);
    t.true(content.equals(server.files.get('stored') ?? new Uint8Array()));
    server.files.set('other', new Uint8Array(randomBytes(300_000)));
    const names: string[] = [];
    for await (const entry of client.list('')) names.push(`${entry.path} ${entry.size}`);
    t.deepEqual(names, ['/stored 700001', '/other 300000']);
    await client.get('other', box.path('fetched'));
    t.true(box.bytes('fetched').equals(Buffer.from(server.files.get('other') ?? [])));
    await client.delete('other');
    await t.throwsAsync(client.get('other', box.path('again')), { code: 'E2EEFTP_NOT_FOUND' });
    await client.close();
    await server.idle();
    t.true(server.sessions[0]?.opener.isClosed);
    t.is(server.sessions[0]?.established.suite, offer.preferred);
    t.deepEqual(server.faults, []);
  });

  test(`${name}: the program sends, lists and fetches`, async (t) => {
    const box = new Sandbox();
    t.teardown(() => box.dispose());
    const server = await NobleServer.start(t, { offer });
    await box.keygen();
    const run = (...words: string[]): Promise<RunResult> => box.run([...words, ...server.at]);
    const content = randomBytes(200_003);
    box.write('source', content);
    for (const words of [
      ['send', 'source', '127.0.0.1:stored'],
      ['get', '127.0.0.1:stored', 'fetched'],
    ]) {
      const done = await run(...words);
      t.is(done.code, 0, done.stderr);
    }
    t.true(box.bytes('fetched').equals(content));
    t.regex((await run('ls', '127.0.0.1:')).stdout, /stored/);
    t.is((await run('get', '127.0.0.1:missing')).code, 6);
    await server.idle();
    t.deepEqual(server.faults, []);
    t.true(server.sessions.every(({ opener }) => opener.isClosed));
  });
}

test('key updates of the server, between replies and within a body, are followed', async (t) => {
  const { box, server, client } = await pair(t, {
    serve: async (session, of) => {
      session.renewsKey = true;
      await serveFiles(session, of);
    },
  });
  server.files.set('file', new Uint8Array(randomBytes(500_000)));
  await client.get('file', box.path('fetched'));
  t.true(box.bytes('fetched').equals(Buffer.from(server.files.get('file') ?? [])));
  await client.send(box.path('fetched'), 'back');
  t.is(server.files.get('back')?.length, 500_000);
  await client.close();
  await server.idle();
  t.deepEqual(server.faults, []);
});

test('a server’s smaller record limit is kept by the client, in bodies too', async (t) => {
  const { box, server, client } = await pair(t, { maxRecord: MIN_RECORD_LIMIT });
  const content = randomBytes(1_500_000);
  await client.send(box.write('source', content), 'stored');
  t.true(content.equals(server.files.get('stored') ?? new Uint8Array()));
  // A longer record would have been a fault; and the limit is used, not fled from.
  const { lengths } = server.sessions[0]?.wire ?? { lengths: [] };
  t.true(Math.max(...lengths) <= MIN_RECORD_LIMIT && Math.max(...lengths) > MIN_RECORD_LIMIT - 8192);

  const stream = client.createWriteStream('streamed');
  for (let at = 0; at < content.length; at += 100_000) stream.write(content.subarray(at, at + 100_000));
  await new Promise<void>((resolve, reject) => stream.on('error', reject).end(resolve));
  t.true(content.equals(server.files.get('streamed') ?? new Uint8Array()));

  await client.get('stored', box.path('fetched'));
  t.true(box.bytes('fetched').equals(content));
  await client.close();
  await server.idle();
  for (const session of server.sessions) t.true(Math.max(...session.wire.lengths) <= MIN_RECORD_LIMIT);
  t.deepEqual(server.faults, []);
});
