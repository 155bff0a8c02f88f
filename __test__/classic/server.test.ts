/** Every row of the table in docs/CLASSIC.md, byte for byte, by a client that is not ours. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Server } from '../../dist/index.js';
import type { CommandReply } from '../../dist/index.js';
import { until } from '../e2e/pair.js';
import { startClassic } from './pair.js';
import { rawCommand, rawConnect, rawHello, rawIdentity, rawSeal } from './raw-peer.js';

const seal = (plain: string | Buffer) => (keys: Buffer) => rawSeal(keys, Buffer.from(plain));

test('SEND stores a file whole', async (t) => {
  const { raw, root, server } = await startClassic(t);
  const events: unknown[] = [];
  server.on('transfer', ({ verb, path, bytes }) => events.push({ verb, path, bytes }));
  t.is(await raw('SEND|a.txt|64\n', { body: seal('hello') }), '226|Transfer Complete\n');
  t.is(readFileSync(join(root, 'a.txt'), 'utf8'), 'hello');
  t.is(await raw('SEND|empty|64\n', { body: seal('') }), '226|Transfer Complete\n');
  t.is(readFileSync(join(root, 'empty'), 'utf8'), '');
  t.is(await raw('SEND|a.txt|80\n', { body: seal('sixteen bytes...') }), '226|Transfer Complete\n');
  t.is(readFileSync(join(root, 'a.txt'), 'utf8'), 'sixteen bytes...');
  t.is(await raw(' send|né.txt| +6_4 |more|fields \r\n', { body: seal('ü') }), '226|Transfer Complete\n');
  t.is(readFileSync(join(root, 'né.txt'), 'utf8'), 'ü');
  t.is(
    await raw('SEND|long|64\n', { body: (keys) => Buffer.concat([seal('x')(keys), Buffer.from('more')]) }),
    '226|Transfer Complete\n',
  );
  await until(() => events.length === 5);
  t.deepEqual(events[0], { verb: 'SEND', path: '/a.txt', bytes: 5 });
});

test('SEND of what is no good stores nothing', async (t) => {
  const { raw, root } = await startClassic(t);
  writeFileSync(join(root, 'old'), 'old');
  mkdirSync(join(root, 'sub'));
  const flipped = (keys: Buffer): Buffer => {
    const piece = seal('hello')(keys);
    piece.writeUInt8(piece.readUInt8(40) ^ 1, 40);
    return piece;
  };
  t.is(await raw('SEND|old|64\n', { body: flipped }), '500|Decryption Failed\n');
  for (const size of ['0', '63', '65', '-5', '79', '99999999999999999999', '1099511627792']) {
    t.is(await raw(`SEND|old|${size}\n`, { body: Buffer.alloc(100) }), '500|Decryption Failed\n', size);
  }
  t.is(await raw('SEND||64\n', { body: seal('x') }), '500|Decryption Failed\n');
  t.is(await raw('SEND|sub|64\n', { body: seal('x') }), '500|Decryption Failed\n');
  t.is(await raw(`SEND|${'n'.repeat(256)}|64\n`, { body: seal('x') }), '500|Decryption Failed\n');
  t.is(await raw('SEND|.e2eeftp-x.part|64\n', { body: seal('x') }), '500|Decryption Failed\n');
  for (const line of ['SEND', 'SEND|old', 'SEND|old|', 'SEND|old|abc', 'SEND|old|1.5', 'SEND|old|0x40']) {
    t.is(await raw(`${line}\n`), '400|Malformed request\n', line);
  }
  t.is(await raw('SEND|old|64\n', { body: (keys) => seal('x')(keys).subarray(0, 63), end: true }), '');
  t.is(await raw('SEND|old|64\n', { end: true }), '');
  t.deepEqual(readdirSync(root).toSorted(), ['old', 'sub']);
  t.is(readFileSync(join(root, 'old'), 'utf8'), 'old');
});

test('a client that writes all before it reads gets the answer to an early refusal', async (t) => {
  const { raw } = await startClassic(t);
  const body = Buffer.alloc(12 * 2 ** 20);
  t.is(await raw(`SEND|../x|${body.length}\n`, { body }), '400|Malformed request\n');
  t.is(await raw(`SEND|x|${2 ** 50}\n`, { body }), '500|Decryption Failed\n');
  t.is(await raw('NOPE\n', { body }), '400|Invalid Command\n');
});

test('GET', async (t) => {
  const { raw, root } = await startClassic(t);
  writeFileSync(join(root, 'a.txt'), 'sixteen bytes...');
  mkdirSync(join(root, 'sub'));
  const answer = await raw('GET|a.txt\n');
  t.true(answer.startsWith('200|80\n'));
  t.is(answer.length, '200|80\n'.length + 80);
  t.is((await raw('get|a.txt|ignored', { end: true })).length, answer.length);
  t.is(await raw('GET|nope\n'), '404|File not found: nope\n');
  t.is(await raw('GET|né\n'), Buffer.from('404|File not found: né\n').toString('latin1'));
  t.is(await raw('GET|  nope  \n'), '404|File not found:   nope\n');
  for (const name of ['', '.', 'sub']) t.is(await raw(`GET|${name}\n`), '500|Server Read Error\n', name);
  t.is(await raw('GET\n'), '400|Malformed request\n');
});

test('LIST and HLIST', async (t) => {
  const { raw, root } = await startClassic(t, { classicAllowDelete: true });
  t.is(await raw('LIST\n'), '200|0\n');
  for (const name of ['a', 'né', '.hidden', 'sub ']) writeFileSync(join(root, name), '');
  mkdirSync(join(root, 'directory'));
  // Names that this protocol can't carry.
  for (const name of ['line\nbreak', 'a|b', 'back\\slash', Buffer.from([0x62, 0xff])]) {
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name)]), '');
  }
  const names = Buffer.from('.hidden\na\ndirectory\nné\nsub ').toString('latin1');
  t.is(await raw('list|anything\n'), `200|${names.length}\n${names}`);
  t.is(await raw('HLIST\n'), '200|26\nSEND\nGET\nLIST\nDELETE\nHLIST');
  t.is(await raw('HLIST', { end: true }), '200|26\nSEND\nGET\nLIST\nDELETE\nHLIST');
});

test('DELETE only where it is allowed', async (t) => {
  const { raw, root, server } = await startClassic(t, { classicAllowDelete: true });
  for (const name of ['a', 'b']) writeFileSync(join(root, name), '');
  mkdirSync(join(root, 'sub'));
  t.is(await raw('DELETE|a\n'), '200|File deleted\n');
  t.is(await raw('DELETE|a\n'), '404|File not found\n');
  t.is(await raw('DELETE\n'), '400|Malformed request\n');
  for (const name of ['sub', '', '.']) t.is(await raw(`DELETE|${name}\n`), '', name);
  t.deepEqual(readdirSync(root).toSorted(), ['b', 'sub']);
  t.is(server.classicAddresses.length, 1);

  const careful = await startClassic(t);
  writeFileSync(join(careful.root, 'a'), '');
  t.is(await careful.raw('DELETE|a\n'), '403|Not permitted\n');
  t.is(await careful.raw('HLIST\n'), '200|19\nSEND\nGET\nLIST\nHLIST');
  t.true(existsSync(join(careful.root, 'a')));
});

test('what is no command', async (t) => {
  const { raw } = await startClassic(t);
  for (const line of ['\n', '  \t\n', 'NOPE\n', 'STAT|a\n', 'GET |a\n', 'GETX|a\n', '|\n']) {
    t.is(await raw(line), '400|Invalid Command\n', JSON.stringify(line));
  }
  t.is(await raw('   ', { end: true }), '400|Invalid Command\n');
  for (const bytes of [
    [0xff, 0x0a],
    [0x47, 0x45, 0x54, 0x7c, 0xff, 0x0a],
    [0xed, 0xa0, 0x80, 0x0a],
  ]) {
    t.is(await raw(Buffer.from(bytes)), '400|Malformed request\n');
  }
  t.is(await raw('', { end: true }), '');
});

test('a line may have 4096 bytes and not one more', async (t) => {
  const { raw } = await startClassic(t);
  t.is(await raw(`HLIST|${'x'.repeat(4090)}\n`), '200|19\nSEND\nGET\nLIST\nHLIST');
  t.is(await raw(`HLIST|${'x'.repeat(4091)}\n`), '400|Malformed request\n');
  t.is(await raw('x'.repeat(100_000)), '400|Malformed request\n');
});

test('no name leads out of the root', async (t) => {
  const { raw, root, outside, directory } = await startClassic(t, { classicAllowDelete: true });
  symlinkSync(join(outside, 'canary'), join(root, 'link'));
  symlinkSync(outside, join(root, 'linked'));
  const names = [
    '..',
    '../outside/canary',
    join(outside, 'canary'),
    '/etc/passwd',
    '..\\outside\\canary',
    'linked/canary',
    'a/../../outside/canary',
    './../outside/canary',
    'canary\0.txt',
    '\x1b[2J',
    'C:\\windows',
  ];
  for (const name of names) {
    t.is(await raw(`GET|${name}\n`), '400|Malformed request\n', name);
    t.is(await raw(`DELETE|${name}\n`), '400|Malformed request\n', name);
    t.is(await raw(`SEND|${name}|64\n`, { body: seal('dead') }), '400|Malformed request\n', name);
  }
  t.is(await raw('GET|link\n'), '500|Server Read Error\n');
  t.is(await raw('SEND|link|64\n', { body: seal('new') }), '226|Transfer Complete\n', 'the link itself is replaced');
  t.is(readFileSync(join(outside, 'canary'), 'utf8'), 'alive');
  t.deepEqual(readdirSync(outside), ['canary']);
  t.deepEqual(readdirSync(directory).toSorted(), ['data', 'local', 'outside', 'root']);
});

test('the options of a key hold for old clients, too', async (t) => {
  const readOnly = await startClassic(t, { keyOptions: 'read-only', classicAllowDelete: true });
  writeFileSync(join(readOnly.root, 'a'), 'a');
  t.is(await readOnly.raw('SEND|a|64\n', { body: seal('b') }), '403|Not permitted\n');
  t.is(await readOnly.raw('DELETE|a\n'), '403|Not permitted\n');
  t.is(await readOnly.raw('HLIST\n'), '200|14\nGET\nLIST\nHLIST');
  t.true((await readOnly.raw('GET|a\n')).startsWith('200|64\n'));

  const uploadOnly = await startClassic(t, { keyOptions: 'upload-only,no-overwrite,max-size=100,path="/in"' });
  mkdirSync(join(uploadOnly.root, 'in'), { recursive: true });
  t.is(await uploadOnly.raw('GET|a\n'), '403|Not permitted\n');
  t.is(await uploadOnly.raw('LIST\n'), '403|Not permitted\n');
  t.is(await uploadOnly.raw('SEND|a|64\n', { body: seal('first') }), '226|Transfer Complete\n');
  t.is(await uploadOnly.raw('SEND|a|64\n', { body: seal('again') }), '500|Decryption Failed\n');
  t.is(readFileSync(join(uploadOnly.root, 'in/a'), 'utf8'), 'first');
  t.is(await uploadOnly.raw('SEND|hundred|160\n', { body: seal(Buffer.alloc(100)) }), '226|Transfer Complete\n');
  t.is(await uploadOnly.raw('SEND|over|160\n', { body: seal(Buffer.alloc(101)) }), '500|Decryption Failed\n');
  t.is(await uploadOnly.raw('SEND|over|1040\n', { body: seal(Buffer.alloc(991)) }), '500|Decryption Failed\n');
  t.deepEqual(readdirSync(join(uploadOnly.root, 'in')).toSorted(), ['a', 'hundred']);
});

test('a key that is not listed gets a close and not a byte', async (t) => {
  const { port, log } = await startClassic(t);
  const stranger = rawIdentity();
  t.is(await rawCommand(port, stranger, 'LIST\n'), 'REFUSED');
  await until(() => log.some((line) => line.startsWith('refused a client ')));
});

test('a hello is taken once, also after a restart, and whatever the old one was used for', async (t) => {
  const first = await startClassic(t, { classicAllowDelete: true });
  writeFileSync(join(first.root, 'a'), 'a');
  const [used, unused] = [rawHello(first.identity), rawHello(first.identity)];
  const client = await rawConnect(first.port, first.identity, used);
  client?.connection.send('LIST\n');
  await client?.connection.ended;
  t.not(client, null);
  // Only a hello, and no command.
  (await rawConnect(first.port, first.identity, unused))?.connection.close();
  for (const hello of [used, unused]) t.is(await rawConnect(first.port, first.identity, hello), null);
  await until(() => first.log.filter((line) => line.includes('replayed hello')).length === 2);
  await first.server.close({ graceMs: 0 });
  const again = await startClassic(t, { directory: first.directory, key: first.identity, classicAllowDelete: true });
  t.is(again.server.fingerprint, first.server.fingerprint);
  for (const hello of [used, unused]) t.is(await rawConnect(again.port, again.identity, hello), null);
  t.is(await again.raw('LIST\n'), '200|1\na');
  t.deepEqual(again.errors, []);
});

test('what the application has put in a command’s place is not gone around', async (t) => {
  const { raw, root, server } = await startClassic(t);
  writeFileSync(join(root, 'a'), 'a');
  server.command('GET', { summary: 'Refuses', handler: () => ({ status: 403, text: 'no' }) });
  server.command('PING', { summary: 'Answers pong', handler: () => ({ text: 'pong' }) });
  server.command('LATER', { summary: 'Not there yet' });
  t.is(await raw('GET|a\n'), '500|Server Misconfigured\n');
  t.is(await raw('LATER\n'), '500|Server Misconfigured\n');
  t.is(await raw('PING\n'), '400|Invalid Command\n', 'a command with a handler of another protocol');
  class Careful extends Server {
    override async handleSend(): Promise<CommandReply> {
      return { status: 403, text: 'never' };
    }
  }
  const careful = await startClassic(t, { make: (options) => new Careful(options) });
  t.is(await careful.raw('SEND|a|64\n', { body: seal('x') }), '500|Server Misconfigured\n');
  t.deepEqual(readdirSync(careful.root), []);
});

test('slow, silent and vanishing clients hold nobody up, and leave nothing', async (t) => {
  const { raw, root, port, identity, server, errors } = await startClassic(t, { stallTimeoutMs: 300 });
  const silent = await rawConnect(port, identity);
  const half = await rawConnect(port, identity);
  half?.connection.send('SEND|half|1000');
  const standing = await rawConnect(port, identity);
  standing?.connection.send('SEND|standing|1040\nsome bytes');
  const vanishing = await rawConnect(port, identity);
  vanishing?.connection.send('SEND|vanishing|1040\n');
  vanishing?.connection.close();
  t.is(await raw('SEND|good|64\n', { body: seal('x') }), '226|Transfer Complete\n');
  t.is((await standing?.connection.ended)?.said.length, 132, 'not a byte behind the hello');
  await until(() => readdirSync(root).length === 1);
  t.deepEqual(readdirSync(root), ['good']);
  await server.close({ graceMs: 0 });
  await silent?.connection.ended;
  await half?.connection.ended;
  t.deepEqual(errors, []);
});

test('closing the server lets a running upload finish, and cuts it when the grace is over', async (t) => {
  for (const finishes of [true, false]) {
    const { root, port, identity, server } = await startClassic(t);
    const client = await rawConnect(port, identity);
    const piece = client === null ? Buffer.alloc(0) : rawSeal(client.keys, Buffer.alloc(100_000, 'x'));
    client?.connection.send(Buffer.concat([Buffer.from(`SEND|a|${piece.length}\n`), piece.subarray(0, 50_000)]));
    await until(() => readdirSync(root).length === 1);
    const closed = server.close({ graceMs: finishes ? 20_000 : 50 });
    if (finishes) client?.connection.send(piece.subarray(50_000));
    const { said = Buffer.alloc(0) } = (await client?.connection.ended) ?? {};
    client?.connection.close();
    await closed;
    t.is(said.subarray(132).toString(), finishes ? '226|Transfer Complete\n' : '');
    t.deepEqual(readdirSync(root), finishes ? ['a'] : []);
  }
});

test('a warning says what is being served, and how far it reaches', async (t) => {
  const warning = ({ log }: { log: string[] }): string =>
    log.find((line) => line.startsWith('classic: the wire format of the original e2eeftp is served')) ?? '';
  t.regex(warning(await startClassic(t)), /changed on the way \{/);
  const open = await startClassic(t, { classic: { host: '0.0.0.0', port: 0 }, classicAllowDelete: true });
  t.regex(warning(open), /; other machines can connect; DELETE is allowed \{/);
});
