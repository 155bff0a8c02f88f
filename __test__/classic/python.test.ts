/** The original Python package, as a black box, in both directions. */
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { connectClassic, createServer, E2eeftpError } from '../../dist/index.js';
import { startClassic } from './pair.js';
import { PythonPeer, VERSIONS } from './python-peer.js';
import { rawCommand, rawIdentity, readRawIdentity, rawSeal } from './raw-peer.js';

const MIB = 2 ** 20;

for (const version of VERSIONS) {
  test.serial(`the client ${version} against our server`, async (t) => {
    const peer = await PythonPeer.install(t, version);
    const identity = readRawIdentity(peer.read('client_id.key').toString());
    const pair = await startClassic(t, { key: identity, classicAllowDelete: true });
    writeFileSync(peer.path('known_server.pub'), pair.server.identity.publicKey.pem);
    const big = randomBytes(4 * MIB + 5);
    writeFileSync(peer.path('small.txt'), 'hello');
    writeFileSync(peer.path('empty'), '');
    writeFileSync(peer.path('big.bin'), big);
    t.deepEqual(await peer.call(pair.port, 'list_files', 'send=small.txt', 'send=empty', 'send=big.bin'), [
      [],
      226,
      226,
      226,
    ]);
    t.is(readFileSync(join(pair.root, 'small.txt'), 'utf8'), 'hello');
    t.is(readFileSync(join(pair.root, 'empty'), 'utf8'), '');
    t.true(readFileSync(join(pair.root, 'big.bin')).equals(big));
    writeFileSync(join(pair.root, 'né.txt'), 'ü');
    mkdirSync(join(pair.root, 'sub'));
    const [names, verbs] = await peer.call(pair.port, 'list_files', 'hlist');
    t.deepEqual((names as string[]).toSorted(), ['big.bin', 'empty', 'né.txt', 'small.txt', 'sub']);
    t.deepEqual(verbs, ['SEND', 'GET', 'LIST', 'DELETE', 'HLIST']);
    const got = await peer.call(
      pair.port,
      'get=small.txt',
      'get=empty',
      'get=big.bin',
      'get=né.txt',
      'get=nope',
      'get=sub',
    );
    t.deepEqual(got, [200, 200, 200, 200, 404, 500]);
    // It says 200 even when it could not save: the bytes count.
    t.is(peer.read('downloaded_small.txt').toString(), 'hello');
    t.is(peer.read('downloaded_né.txt').toString(), 'ü');
    t.is(peer.read('downloaded_empty').length, 0);
    t.true(peer.read('downloaded_big.bin').equals(big));
    t.deepEqual(await peer.call(pair.port, 'delete=small.txt', 'delete=small.txt'), [200, 404]);
    t.false(existsSync(join(pair.root, 'small.txt')));
    t.deepEqual(pair.errors, []);
  });

  test.serial(`the client ${version} hears our refusals`, async (t) => {
    const peer = await PythonPeer.install(t, version);
    const identity = readRawIdentity(peer.read('client_id.key').toString());
    const pair = await startClassic(t, { key: identity, keyOptions: 'max-size=1M,no-overwrite' });
    writeFileSync(peer.path('known_server.pub'), pair.server.identity.publicKey.pem);
    writeFileSync(peer.path('a'), 'new');
    writeFileSync(peer.path('big'), Buffer.alloc(4 * MIB));
    writeFileSync(join(pair.root, 'a'), 'old');
    const refused = await peer.call(pair.port, 'send=a', 'send=big', 'delete=a', 'get=../outside/canary');
    t.deepEqual(refused, [500, 500, 403, 400]);
    t.is(readFileSync(join(pair.root, 'a'), 'utf8'), 'old');
    t.deepEqual(readdirSync(pair.root), ['a']);
    writeFileSync(peer.path('known_server.pub'), rawIdentity().publicPem);
    const [wrongKey] = await peer.call(pair.port, 'hlist');
    t.falsy(wrongKey, 'its own check of our key is still at work');
  });

  test.serial(`our client against the server ${version}`, async (t) => {
    const peer = await PythonPeer.install(t, version);
    const port = await peer.serve();
    const client = await connectClassic({
      host: '127.0.0.1',
      port,
      identity: peer.path('client_id.key'),
      serverKey: peer.path('known_server.pub'),
    });
    t.teardown(() => client.close());
    const [source, copy] = [peer.path('source.bin'), peer.path('copy.bin')];
    t.deepEqual(await client.commands(), ['SEND', 'GET', 'LIST', 'DELETE', 'HLIST']);
    t.regex((await t.throwsAsync<E2eeftpError>(client.list()))?.hint ?? '', /without a file yet/);
    for (const length of [0, 5, 16, 4 * MIB]) {
      const content = randomBytes(length);
      writeFileSync(source, content);
      const name = `file-${length}-ü`;
      t.is((await client.send(source, name)).bytes, length);
      t.true(peer.read(`received/${name}`).equals(content));
      await client.get(name, copy);
      t.true(readFileSync(copy).equals(content));
    }
    t.deepEqual((await client.list()).toSorted(), ['file-0-ü', 'file-16-ü', 'file-4194304-ü', 'file-5-ü']);
    const missing = await t.throwsAsync(client.get('nope', copy));
    t.true(E2eeftpError.is(missing, 'E2EEFTP_NOT_FOUND'));
    await client.delete('file-5-ü');
    t.true(E2eeftpError.is(await t.throwsAsync(client.delete('file-5-ü')), 'E2EEFTP_NOT_FOUND'));
    const stranger = connectClassic({
      host: '127.0.0.1',
      port,
      identity: peer.path('server_id.key'),
      serverKey: peer.path('known_server.pub'),
    });
    t.true(E2eeftpError.is(await t.throwsAsync(stranger), 'E2EEFTP_AUTH_REFUSED'));
  });

  test.serial(`our server answers as the server ${version} does, byte for byte`, async (t) => {
    const peer = await PythonPeer.install(t, version);
    const identity = readRawIdentity(peer.read('client_id.key').toString());
    const port = await peer.serve();
    const pair = await startClassic(t, { key: identity, classicAllowDelete: true });
    // Makes its directory.
    const first = { body: (keys: Buffer) => rawSeal(keys, Buffer.from('a')) };
    for (const to of [port, pair.port])
      t.is(await rawCommand(to, identity, 'SEND|a|64\n', first), '226|Transfer Complete\n');
    mkdirSync(join(pair.root, 'sub'));
    mkdirSync(peer.path('received/sub'));
    if (process.getuid?.() === 0) chownSync(peer.path('received/sub'), 65_534, 65_534);
    const good = (keys: Buffer): Buffer => rawSeal(keys, Buffer.from('content'));
    const damaged = (keys: Buffer): Buffer => {
      const piece = good(keys);
      piece.writeUInt8(piece.readUInt8(63) ^ 1, 63);
      return piece;
    };
    const short = (keys: Buffer): Buffer => good(keys).subarray(0, 63);
    const lines: [line: string | Buffer, body?: ((keys: Buffer) => Buffer) | undefined, end?: boolean][] = [
      ['SEND|b|64\n', good],
      ['  send|b|+64|x\r\n', good],
      ['SEND|b| 6_4 \n', good],
      ['SEND|b|64\n', damaged],
      ['SEND|b|64\n', short, true],
      ['SEND|b|65\n', (keys) => Buffer.concat([good(keys), Buffer.alloc(1)])],
      ['SEND|b|63\n', short],
      ['SEND|b|0\n'],
      ['SEND|b|-1\n'],
      ['SEND|b\n'],
      ['SEND\n'],
      ['SEND|b|\n'],
      ['SEND|b|abc\n'],
      ['SEND|b|1.5\n'],
      ['SEND||64\n', good],
      ['SEND|sub|64\n', good],
      ['GET|nope\n'],
      ['GET|  nope  \n'],
      ['GET|né\n'],
      ['GET|\n'],
      ['GET|.\n'],
      ['GET|sub\n'],
      ['GET\n'],
      ['GET |a\n'],
      ['HLIST\n'],
      ['hlist|x\n'],
      ['HLIST', undefined, true],
      ['DELETE|b\n'],
      ['DELETE|b\n'],
      ['DELETE|sub\n'],
      ['DELETE|\n'],
      ['DELETE\n'],
      ['LIST\n'],
      ['NOPE|x\n'],
      ['\n'],
      ['   \n'],
      [Buffer.from([0xff, 0xfe, 0x0a])],
      [Buffer.from('GET|\xff\n', 'latin1')],
    ];
    for (const [line, body, end = false] of lines) {
      const command = { ...(body === undefined ? {} : { body }), end };
      const [theirs, ours] = [
        await rawCommand(port, identity, line, command),
        await rawCommand(pair.port, identity, line, command),
      ];
      const sorted = (text: string): string[] => text.split('\n').toSorted();
      if (line === 'LIST\n') t.deepEqual(sorted(ours), sorted(theirs));
      else t.is(ours, theirs, JSON.stringify(line.toString()));
    }
    const sizeOf = async (to: number): Promise<number> => (await rawCommand(to, identity, 'GET|a\n')).length;
    t.is(await sizeOf(pair.port), await sizeOf(port));
  });

  test.serial(`an installation of ${version} is taken over as it is`, async (t) => {
    const peer = await PythonPeer.install(t, version, { genuine: true });
    mkdirSync(peer.path('received'));
    writeFileSync(peer.path('received/old.txt'), 'from before');
    const server = await createServer({
      dataDir: peer.dir,
      root: peer.path('received'),
      listen: { port: 0 },
      classic: { port: 0 },
    });
    t.teardown(() => server.close({ graceMs: 0 }));
    await server.listen();
    const port = server.classicAddresses[0]?.port ?? 0;
    t.deepEqual(await peer.call(port, 'list_files', 'get=old.txt'), [['old.txt'], 200]);
    t.is(peer.read('downloaded_old.txt').toString(), 'from before');
  });
}
