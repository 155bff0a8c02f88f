/** Our client against a server by hand, which may say anything, and against our own server. */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  type ClassicClient,
  connectClassic,
  E2eeftpError,
  type ErrorCode,
  Identity,
  KnownServers,
} from '../../dist/index.js';
import { leftovers } from '../e2e/pair.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { startClassic } from './pair.js';
import { type RawAnswer, rawHello, rawIdentity, rawSeal, rawServer } from './raw-peer.js';

/** A client of a server by hand, and a directory for its files. */
async function against(t: ExecutionContext, answer: RawAnswer): Promise<{ client: ClassicClient; local: string }> {
  const identity = rawIdentity();
  const port = await rawServer(t, identity, answer);
  const client = await connectClassic({
    host: '127.0.0.1',
    port,
    identity: Identity.generate(),
    serverKey: identity.publicPem,
    replyTimeoutMs: 2000,
    stallTimeoutMs: 2000,
  });
  t.teardown(() => client.close());
  return { client, local: await temporaryDirectory(t) };
}

async function fails(t: ExecutionContext, call: Promise<unknown>, code: ErrorCode): Promise<E2eeftpError> {
  const error = await t.throwsAsync(call);
  t.true(E2eeftpError.is(error, code), `${code}: ${String(error)}`);
  return error as E2eeftpError;
}

test('files go to our own server and come back', async (t) => {
  const pair = await startClassic(t, { classicAllowDelete: true });
  const client = await pair.client();
  for (const length of [0, 1, 15, 16, 17, 300_000]) {
    const [source, copy] = [join(pair.local, 'source'), join(pair.local, `copy-${length}`)];
    writeFileSync(source, randomBytes(length));
    const phases = new Set<string>();
    const sent = await client.send(source, `/file-${length}`, { onProgress: ({ phase }) => phases.add(phase) });
    t.is(sent.bytes, length);
    t.is(sent.path, `file-${length}`);
    t.true(phases.has('done'));
    const got = await client.get(`file-${length}`, copy);
    t.is(got.root, sent.root);
    t.true(readFileSync(copy).equals(readFileSync(source)));
  }
  t.is((await client.send(join(pair.local, 'source'), '/')).path, 'source');
  t.deepEqual((await client.list()).toSorted(), [
    'file-0',
    'file-1',
    'file-15',
    'file-16',
    'file-17',
    'file-300000',
    'source',
  ]);
  t.deepEqual(await client.commands(), ['SEND', 'GET', 'LIST', 'DELETE', 'HLIST']);
  await client.delete('source');
  await fails(t, client.delete('source'), 'E2EEFTP_NOT_FOUND');
  await fails(t, client.get('nope', join(pair.local, 'nope')), 'E2EEFTP_NOT_FOUND');
  await fails(t, client.send(join(pair.local, 'missing'), 'x'), 'E2EEFTP_NOT_FOUND');
  await fails(t, client.get('file-1', join(pair.local, 'copy-0'), { overwrite: 'refuse' }), 'E2EEFTP_EXISTS');
  t.regex((await client.get('file-1', join(pair.local, 'copy-0'), { overwrite: 'rename' })).path, /copy-0 \(1\)$/);
  t.regex((await client.get('file-1', `${pair.local}/`)).path, /\/local\/file-1$/);
  t.deepEqual(await leftovers(pair.local, pair.root), []);
});

test('names that the protocol can’t carry are refused before anything is sent', async (t) => {
  const { client, local } = await against(t, () => t.fail('nothing is to be asked'));
  const source = join(local, 'a');
  writeFileSync(source, 'a');
  for (const name of ['..', '../a', 'a/b', 'a\\b', 'a\nLIST', 'a|64', ' a', 'a ', 'a\udc80', 'x'.repeat(4096)]) {
    await fails(t, client.send(source, name), 'E2EEFTP_BAD_PATH');
    await fails(t, client.get(name, source), 'E2EEFTP_BAD_PATH');
    await fails(t, client.delete(name), 'E2EEFTP_BAD_PATH');
  }
});

test('a file that is not authentic, whole or of a possible size is not stored', async (t) => {
  const say =
    (text: string, more?: (keys: Buffer) => Buffer): RawAnswer =>
    (socket, _line, keys) =>
      void socket.end(Buffer.concat([Buffer.from(text), more?.(keys) ?? Buffer.alloc(0)]));
  const piece = (keys: Buffer): Buffer => rawSeal(keys, Buffer.from('hello'));
  const damaged = (keys: Buffer): Buffer => {
    const bytes = piece(keys);
    bytes.writeUInt8(bytes.readUInt8(20) ^ 0x80, 20);
    return bytes;
  };
  const cases: [answer: RawAnswer, code: ErrorCode][] = [
    [say('200|64\n', damaged), 'E2EEFTP_INTEGRITY'],
    [say('200|64\n', () => randomBytes(64)), 'E2EEFTP_INTEGRITY'],
    [say('200|80\n', (keys) => Buffer.concat([piece(keys), Buffer.alloc(16)])), 'E2EEFTP_INTEGRITY'],
    [say('200|64\n', (keys) => piece(keys).subarray(0, 63)), 'E2EEFTP_CONNECTION_LOST'],
    [say('200|80\n', piece), 'E2EEFTP_CONNECTION_LOST'],
    [say('200|63\n', piece), 'E2EEFTP_PROTOCOL'],
    [say('200|65\n', piece), 'E2EEFTP_PROTOCOL'],
    [say('200|-1\n', piece), 'E2EEFTP_PROTOCOL'],
    [say('200|1e9\n', piece), 'E2EEFTP_PROTOCOL'],
    [say('200|99999999999999999999\n', piece), 'E2EEFTP_PROTOCOL'],
    [say('226|Transfer Complete\n', piece), 'E2EEFTP_PROTOCOL'],
    [say('nonsense\n'), 'E2EEFTP_PROTOCOL'],
    [say('\xff\xfe\n'), 'E2EEFTP_PROTOCOL'],
    [say('x'.repeat(10_000)), 'E2EEFTP_PROTOCOL'],
    [say('404|File not found: a\n'), 'E2EEFTP_NOT_FOUND'],
    [say('500|Server Read Error\n'), 'E2EEFTP_SERVER_ERROR'],
    [say(''), 'E2EEFTP_CONNECTION_LOST'],
    [() => undefined, 'E2EEFTP_TIMEOUT'],
  ];
  for (const [answer, code] of cases) {
    const { client, local } = await against(t, answer);
    const target = join(local, 'target');
    writeFileSync(target, 'old');
    await fails(t, client.get('a', target), code);
    t.is(readFileSync(target, 'utf8'), 'old');
    t.deepEqual(readdirSync(local), ['target']);
  }
});

test('what a server shows on a terminal is escaped', async (t) => {
  const { client, local } = await against(t, (socket) => void socket.end('404|\x1b]0;gone\x07\r\n'));
  const error = await fails(t, client.get('a', join(local, 'a')), 'E2EEFTP_NOT_FOUND');
  t.is(error.message, '\\x1b]0;gone\\x07');
});

test('answers to SEND other than 226 are errors', async (t) => {
  const cases: [answer: string, code: ErrorCode][] = [
    ['500|Decryption Failed\n', 'E2EEFTP_SERVER_ERROR'],
    ['400|Invalid Command\n', 'E2EEFTP_UNKNOWN_COMMAND'],
    ['400|Malformed request\n', 'E2EEFTP_BAD_REQUEST'],
    ['403|Not permitted\n', 'E2EEFTP_NOT_PERMITTED'],
    ['200|fine\n', 'E2EEFTP_PROTOCOL'],
    ['', 'E2EEFTP_CONNECTION_LOST'],
  ];
  for (const [answer, code] of cases) {
    const { client, local } = await against(t, (socket) => void socket.end(answer));
    const source = join(local, 'a');
    writeFileSync(source, 'a');
    await fails(t, client.send(source, 'a'), code);
  }
});

test('a refusal is heard in the middle of a large file', async (t) => {
  const { client, local } = await against(t, (socket) => void socket.end('403|Not permitted\n'));
  const source = join(local, 'a');
  writeFileSync(source, Buffer.alloc(64 * 2 ** 20));
  await fails(t, client.send(source, 'a'), 'E2EEFTP_NOT_PERMITTED');
});

test('listings: in bytes, in characters, cut short, without end', async (t) => {
  const listed = async (answer: RawAnswer) => (await against(t, answer)).client.list();
  const say =
    (text: string | Buffer): RawAnswer =>
    (socket) =>
      void socket.end(text);
  t.deepEqual(await listed(say('200|5\nné\nb')), ['né', 'b']);
  t.deepEqual(await listed(say('200|4\nné\nb')), ['né', 'b']);
  t.deepEqual(await listed(say('200|0\n')), []);
  await fails(t, listed(say('200|9\nné\nb')), 'E2EEFTP_CONNECTION_LOST');
  await fails(t, listed(say('200|1\nné\nb')), 'E2EEFTP_CONNECTION_LOST');
  await fails(t, listed(say(Buffer.from([0x32, 0x30, 0x30, 0x7c, 0x31, 0x0a, 0xff]))), 'E2EEFTP_PROTOCOL');
  await fails(t, listed(say('500|Server Read Error\n')), 'E2EEFTP_SERVER_ERROR');
  const closed = await fails(t, listed(say('')), 'E2EEFTP_CONNECTION_LOST');
  t.regex(closed.hint ?? '', /without a file yet/);
  const endless = (socket: Socket): void => {
    const chunk = Buffer.alloc(2 ** 20, 'n\n');
    const more = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on('drain', more);
    more();
  };
  await fails(t, listed(endless), 'E2EEFTP_PROTOCOL');
});

test('a directory can’t be deleted: the server closes', async (t) => {
  const pair = await startClassic(t, { classicAllowDelete: true, keyOptions: '' });
  const client = await pair.client();
  const error = await fails(t, client.delete('.x'), 'E2EEFTP_NOT_FOUND');
  t.is(error.status, 404);
  const { client: other } = await against(t, (socket) => void socket.end());
  t.regex((await fails(t, other.delete('sub'), 'E2EEFTP_CONNECTION_LOST')).hint ?? '', /a directory/);
});

test('the server’s key is compared before anything is asked', async (t) => {
  const pair = await startClassic(t);
  const own = Identity.parse(pair.identity.pem);
  const to = { host: '127.0.0.1', port: pair.port, identity: own };
  const other = Identity.generate().publicKey;
  await fails(t, connectClassic({ ...to, serverKey: other.fingerprint }), 'E2EEFTP_SERVER_KEY_CHANGED');
  const knownServers = join(pair.local, 'known_servers');
  const unknown = await fails(t, connectClassic({ ...to, knownServers }), 'E2EEFTP_SERVER_KEY_UNKNOWN');
  t.true(unknown.hint?.endsWith(`e2eeftp trust 127.0.0.1:${pair.port} '${pair.server.identity.publicKey.openssh}'`));
  t.false(existsSync(knownServers));
  const asked: string[] = [];
  const yes = { onUnknownServer: ({ fingerprint }: { fingerprint: string }) => asked.push(fingerprint) > 0 };
  await (await connectClassic({ ...to, knownServers, ...yes })).list();
  await (await connectClassic({ ...to, knownServers })).list();
  t.deepEqual(asked, [pair.server.fingerprint]);
  await new KnownServers(knownServers).replace('127.0.0.1', pair.port, other);
  await fails(t, connectClassic({ ...to, knownServers, ...yes }), 'E2EEFTP_SERVER_KEY_CHANGED');
  await fails(
    t,
    connectClassic({ ...to, identity: Identity.generate(), serverKey: pair.server.fingerprint }),
    'E2EEFTP_AUTH_REFUSED',
  );
});

test('a server whose key changes between two commands is not asked the second', async (t) => {
  const [first, second] = [rawIdentity(), rawIdentity()];
  let shown = first;
  const identity = new Proxy(first, { get: (_target, name) => Reflect.get(shown, name) });
  const asked: string[] = [];
  const port = await rawServer(t, identity, (socket, line) => {
    asked.push(line);
    socket.end('200|0\n');
  });
  const client = await connectClassic({
    host: '127.0.0.1',
    port,
    identity: Identity.generate(),
    serverKey: first.publicPem,
  });
  t.teardown(() => client.close());
  await client.list();
  shown = second;
  await fails(t, client.list(), 'E2EEFTP_SERVER_KEY_CHANGED');
  t.deepEqual(asked, ['LIST']);
});

test('a weak or damaged hello of a server is refused', async (t) => {
  const identity = rawIdentity();
  const { createServer } = await import('node:net');
  const forged = rawHello(identity).message;
  forged.writeUInt8(forged.readUInt8(100) ^ 1, 100);
  const hellos = [
    rawHello(identity, Buffer.alloc(32)).message,
    Buffer.concat([Buffer.from([0, 0, 0, 129]), rawHello(identity).message.subarray(4)]),
    forged,
  ];
  const codes: ErrorCode[] = ['E2EEFTP_WEAK_KEY', 'E2EEFTP_PROTOCOL', 'E2EEFTP_INTEGRITY'];
  for (const [index, hello] of hellos.entries()) {
    const server = createServer((socket) =>
      socket
        .on('error', () => undefined)
        .resume()
        .write(hello),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const { port } = server.address() as { port: number };
    const call = connectClassic({
      host: '127.0.0.1',
      port,
      identity: Identity.generate(),
      serverKey: identity.publicPem,
    });
    await fails(t, call, codes[index] as ErrorCode);
  }
});

test('an abort ends a transfer at once and leaves nothing; so does closing the client', async (t) => {
  const { client, local } = await against(t, (socket) => void socket.write('200|1048640\nsome bytes'));
  const target = join(local, 'target');
  const reason = new Error('enough');
  const controller = new AbortController();
  const getting = client.get('a', target, { signal: controller.signal });
  setTimeout(() => controller.abort(reason), 200);
  t.is(await t.throwsAsync(getting), reason);
  const again = client.get('a', target);
  setTimeout(() => void client.close(), 200);
  await fails(t, again, 'E2EEFTP_CLOSED');
  await fails(t, client.list(), 'E2EEFTP_CLOSED');
  t.deepEqual(readdirSync(local), []);
});
