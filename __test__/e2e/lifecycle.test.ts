import { execFile } from 'node:child_process';
import { readFile, readdir, truncate, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import test from 'ava';
import { E2eeftpError, Identity, Server, createServer, fullGrant } from '../../dist/index.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { leftovers, startPair, until } from './pair.js';

const BIG = 4 * 1024 ** 3;
const run = promisify(execFile);

test('two hundred transfers at once, from as many clients, all verified', async (t) => {
  const { client, root, local, errors } = await startPair(t);
  const contents = Array.from({ length: 200 }, (_, index) => Buffer.alloc(50_000 + index * 37, `${index}`));
  await Promise.all(contents.map((content, index) => writeFile(join(local, `f${index}`), content)));
  await Promise.all(
    contents.map(async (content, index) => {
      const peer = await client({ timeoutMs: 60_000 });
      await peer.send(join(local, `f${index}`), `/f${index}`);
      await peer.get(`/f${index}`, join(local, `g${index}`));
      if (!(await readFile(join(local, `g${index}`))).equals(content)) t.fail(`f${index}`);
      await peer.close();
    }),
  );
  t.is((await readdir(root)).length, 200);
  t.deepEqual(errors, []);
});

test('close lets a running request finish, refuses new ones, and ends idle sessions', async (t) => {
  const { client, server } = await startPair(t);
  let release: () => void = () => undefined;
  server.command('WAIT', {
    summary: 'x',
    handler: () => new Promise((resolve) => (release = () => resolve({ text: 'finished' }))),
  });
  const [busy, idle] = [await client(), await client()];
  t.is((await idle.call('HLIST')).status, 200);
  const running = busy.call('WAIT');
  await until(() => server.sessions.some(({ isBusy }) => isBusy));
  const closing = server.close({ graceMs: 5_000 });
  await until(() => server.sessions.length === 1);
  const refused = await t.throwsAsync(() => idle.call('HLIST'));
  t.true(
    E2eeftpError.is(refused, 'E2EEFTP_CONNECTION_LOST') || E2eeftpError.is(refused, 'E2EEFTP_SHUTTING_DOWN'),
    String(refused),
  );
  const late = await t.throwsAsync(() => client());
  t.true(E2eeftpError.is(late), String(late));
  release();
  t.is((await running).text, 'finished');
  await closing;
  t.is(server.sessions.length, 0);
});

for (const direction of ['send', 'get'] as const) {
  test(`close during ${direction}: aborted after the grace, nothing left`, async (t) => {
    const { client, server, root, local } = await startPair(t);
    const from = direction === 'send' ? local : root;
    await writeFile(join(from, 'big'), '');
    await truncate(join(from, 'big'), BIG);
    const peer = await client();
    const work =
      direction === 'send' ? peer.send(join(local, 'big'), '/target') : peer.get('/big', join(local, 'target'));
    const failed = t.throwsAsync(work);
    await until(() => server.sessions[0]?.isBusy === true);
    await delay(100);
    await server.close({ graceMs: 100 });
    const error = await failed;
    t.true(
      E2eeftpError.is(error, 'E2EEFTP_SHUTTING_DOWN') || E2eeftpError.is(error, 'E2EEFTP_CONNECTION_LOST'),
      String(error),
    );
    await until(async () => (await leftovers(root, local)).length === 0);
    t.deepEqual(
      (await readdir(direction === 'send' ? root : local)).filter((name) => name === 'target'),
      [],
    );
  });
}

test('a handler that never returns can’t hold up close; its signal aborts', async (t) => {
  const { client, server } = await startPair(t);
  let reason: unknown;
  server.command('STUCK', {
    summary: 'x',
    handler: ({ signal }) =>
      new Promise(() => {
        signal.addEventListener('abort', () => (reason = signal.reason));
      }),
  });
  const peer = await client();
  const failed = t.throwsAsync(() => peer.call('STUCK'));
  await until(() => server.sessions[0]?.isBusy === true);
  await server.close({ graceMs: 50 });
  t.true(E2eeftpError.is(await failed, 'E2EEFTP_CONNECTION_LOST'));
  t.true(E2eeftpError.is(reason, 'E2EEFTP_SHUTTING_DOWN'));
});

test('a later close with a shorter grace shortens the first', async (t) => {
  const { client, server } = await startPair(t);
  server.command('STUCK', { summary: 'x', handler: () => new Promise(() => undefined) });
  const peer = await client();
  const failed = t.throwsAsync(() => peer.call('STUCK'));
  await until(() => server.sessions[0]?.isBusy === true);
  const first = server.close({ graceMs: 60_000 });
  await server.close({ graceMs: 0 });
  await first;
  await failed;
});

test('close and dispose any number of times, before and after listening', async (t) => {
  const directory = await temporaryDirectory(t);
  const options = { dataDir: directory, listen: { port: 0 } };
  const never = new Server(options);
  await never.close();
  await never.close();
  t.true(E2eeftpError.is(await t.throwsAsync(() => never.listen()), 'E2EEFTP_CLOSED'));
  const server = await createServer(options);
  t.regex(server.fingerprint, /^SHA256:/);
  t.deepEqual(server.addresses, []);
  await server.listen();
  await server.listen();
  t.is(server.addresses.length, 1);
  await Promise.all([server.close(), server.close({ graceMs: 0 }), server[Symbol.asyncDispose]()]);
  await server.close();

  const quick = await createServer(options);
  const listening = quick.listen().catch((error: unknown) => error);
  await quick.close();
  await listening;
  t.pass();

  const { client } = await startPair(t);
  const peer = await client();
  const failed = t.throwsAsync(() => peer.call('HLIST', {}, { signal: new AbortController().signal }));
  await Promise.all([peer.close(), peer.close(), peer[Symbol.asyncDispose]()]);
  t.true(E2eeftpError.is(await failed, 'E2EEFTP_CLOSED'));
  t.true(E2eeftpError.is(await t.throwsAsync(() => peer.call('HLIST')), 'E2EEFTP_CLOSED'));
  t.false(peer.isOpen);
});

test('an address that is taken: listen fails, and lets go of the others', async (t) => {
  const { server, address: taken } = await startPair(t);
  const directory = await temporaryDirectory(t);
  const second = new Server({ dataDir: directory, listen: [{ port: 0 }, taken] });
  const error = await t.throwsAsync(() => second.listen());
  t.true(E2eeftpError.is(error), String(error));
  t.deepEqual(second.addresses, []);
  await server.close();
  await second.listen();
  t.is(second.addresses.length, 2, 'it may be tried again');
  await second.close();
  const nowhere = new Server({ dataDir: directory, listen: { host: 'no-such-host.invalid' } });
  t.true(E2eeftpError.is(await t.throwsAsync(() => nowhere.listen()), 'E2EEFTP_UNKNOWN_HOST'));
  await nowhere.close();
});

test('several addresses, one of them by name', async (t) => {
  const { server, client } = await startPair(t, { listen: [{ port: 0 }, { host: 'localhost', port: 0 }] });
  t.is(server.addresses.length, 2);
  for (const address of server.addresses) t.is((await (await client(address)).call('HLIST')).status, 200);
});

test('a client that closes while a call runs aborts it and leaves nothing', async (t) => {
  const { client, root, local, server } = await startPair(t);
  await writeFile(join(local, 'big'), '');
  await truncate(join(local, 'big'), BIG);
  const peer = await client();
  const failed = t.throwsAsync(() => peer.send(join(local, 'big'), '/big'));
  await until(() => server.sessions[0]?.isBusy === true);
  const queued = t.throwsAsync(() => peer.call('HLIST'));
  await delay(50);
  await peer.close();
  t.true(E2eeftpError.is(await failed, 'E2EEFTP_CLOSED'));
  t.true(E2eeftpError.is(await queued, 'E2EEFTP_CLOSED'));
  await until(async () => server.sessions.length === 0 && (await leftovers(root)).length === 0);
  t.false((await readdir(root)).includes('big'));
});

test('a session that the server destroys is lost to the client, and counted out', async (t) => {
  const { client, server } = await startPair(t);
  const peer = await client();
  t.is((await peer.call('HLIST')).status, 200);
  const [session] = server.sessions;
  t.is(session?.requests, 1);
  session?.destroy();
  await session?.closed;
  t.is(server.sessions.length, 0);
  t.true(E2eeftpError.is(await t.throwsAsync(() => peer.call('HLIST')), 'E2EEFTP_CONNECTION_LOST'));
  t.false(peer.isOpen);
});

test('an idle session ends after its time', async (t) => {
  const { client, server } = await startPair(t, { idleTimeoutMs: 150 });
  const peer = await client();
  t.is((await peer.call('HLIST')).status, 200);
  await until(() => server.sessions.length === 0);
  t.true(E2eeftpError.is(await t.throwsAsync(() => peer.call('HLIST'))));
});

test('peers that go away, or speak nonsense, do the server no harm', async (t) => {
  const { client, server, errors, address } = await startPair(t, { handshakeTimeoutMs: 500, proofTimeoutMs: 500 });
  const { host, port } = address;
  for (const bytes of ['', 'GET / HTTP/1.1\r\n\r\n', '\u0000'.repeat(100), 'Q\u0000\u0006\u0000'.padEnd(2000, 'x')]) {
    const socket = connectTcp(port, host);
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write(bytes);
    await delay(20);
    socket.destroy();
  }
  const clients = await Promise.all(Array.from({ length: 10 }, () => client()));
  await Promise.all(clients.map((peer) => peer.close()));
  await until(() => server.sessions.length === 0);
  t.is((await (await client()).call('HLIST')).status, 200);
  t.deepEqual(errors, []);
});

test('what a killed upload left is swept at the next start', async (t) => {
  const directory = await temporaryDirectory(t);
  const root = join(directory, 'root');
  const first = await createServer({ dataDir: directory, root, listen: { port: 0 } });
  await writeFile(join(root, `.e2eeftp-${'0'.repeat(32)}.part`), 'left over');
  await writeFile(join(root, 'kept'), 'kept');
  await first.listen();
  await until(async () => (await leftovers(root)).length === 0);
  await first.close();
  t.deepEqual(await readdir(root), ['kept']);
});

const program = `
  import { Identity, connect, createServer, fullGrant } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};
  const [directory, mode] = process.argv.slice(1);
  const identity = Identity.generate();
  const server = await createServer({ dataDir: directory, listen: { port: 0 }, authorizedClients: () => fullGrant });
  await server.listen();
  const client = await connect({ ...server.addresses[0], identity, serverKey: server.fingerprint });
  await client.call('HLIST');
  for await (const entry of client.list('/')) void entry;
  const stream = client.createWriteStream('/f');
  await new Promise((resolve, reject) => stream.on('error', reject).end('x', resolve));
  if (mode === 'client first') { await client.close(); await server.close(); }
  if (mode === 'server first') { await server.close({ graceMs: 0 }); await client.close(); }
  if (mode === 'both') await Promise.all([server.close(), client.close()]);
  console.log('closed');
`;

for (const mode of ['client first', 'server first', 'both']) {
  test(`nothing keeps the process alive after close: ${mode}`, async (t) => {
    const directory = await temporaryDirectory(t);
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', program, directory, mode], {
      timeout: 30_000,
    });
    t.is(stdout, 'closed\n');
    t.is(stderr, '');
  });
}

test('the default data directory of a server is complete after its first start', async (t) => {
  const directory = join(await temporaryDirectory(t), 'data');
  const server = await createServer({ dataDir: directory, listen: { port: 0 } });
  const warnings: string[] = [];
  t.deepEqual((await readdir(directory)).toSorted(), ['files', 'known_server.pub', 'server_id.key']);
  t.is((await Identity.load(join(directory, 'server_id.key'))).publicKey.fingerprint, server.fingerprint);
  const again = new Server({ dataDir: directory, listen: { port: 0 }, authorizedClients: () => fullGrant });
  again.on('warning', ({ message }) => warnings.push(message));
  await again.listen();
  t.is(again.fingerprint, server.fingerprint);
  t.deepEqual(warnings, []);
  server.on('warning', ({ message }) => warnings.push(message));
  await server.listen();
  t.deepEqual(warnings, ['the file does not exist; nobody is authorized'], 'warnings of createServer() are not lost');
  await Promise.all([server.close(), again.close()]);
});
