/** Names that people and programs stumble over go there and back unchanged, and are harmless on a screen and in a log. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { pathFromBytes, pathToBytes } from '../../dist/index.js';
import { events } from '../cli/run.js';
import { assertClean, assertServes, open, ready, tree } from './world.js';

/** Each as Latin-1, so that it can be any bytes. */
const NAMES: readonly string[] = [
  'new\nline',
  'carriage\rreturn',
  'tab\tand\vvertical',
  'pipe | and > and < and &',
  '$(touch injected) `id` "quotes" \'single\'',
  '\x1b[31mred\x1b[0m\x1b]0;title\x07',
  '\x01\x02\x03\x7f',
  '\xc2\x9b31m',
  '-rf',
  '--help',
  ' leading and trailing ',
  '*',
  '?',
  '~',
  '...',
  '.hidden',
  'back\\slash',
  'colon:in it',
  '%2e%2e',
  'e2eeftp:',
  'con',
  Buffer.from('🦀 emoji 👩‍👩‍👧').toString('latin1'),
  Buffer.from('\u202egnp.exe').toString('latin1'),
  Buffer.from('\u200bzero\u2060width\ufeff').toString('latin1'),
  Buffer.from('e\u0301 and é').toString('latin1'),
  '\xff\xfe not UTF-8 \x80',
  '\xc3',
  '\xed\xa0\x80 surrogate',
  'x'.repeat(255),
];

const url = (port: number, name: string): string =>
  `e2eeftp://127.0.0.1:${port}/${[...Buffer.from(name, 'latin1')].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')}`;

/** Nothing on this output moves a cursor, ends a line early or turns the writing around. */
function assertHarmless(t: ExecutionContext, bytes: Buffer, what: string): void {
  const text = bytes.toString('utf8');
  // oxlint-disable-next-line no-control-regex
  t.notRegex(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/u, what);
  t.true(Buffer.from(text).equals(bytes), `${what}: UTF-8`);
}

test('through the program: send, ls, stat, get, rm', async (t) => {
  const { box, server } = await ready(t);
  mkdirSync(box.path('got'));
  const at = ['--server-key', server.fingerprint];
  const content = new Map(NAMES.map((name, index) => [name, `content ${index}`]));
  for (const [name, text] of content) {
    const sent = await box.run(['send', '-', url(server.port, name), ...at], { input: text });
    t.is(sent.code, 0, `${name}: ${sent.stderr}`);
    assertHarmless(t, Buffer.from(sent.stderr), name);
  }
  t.deepEqual(tree(box.path('files')), [...NAMES].toSorted());

  for (const words of [['ls'], ['ls', '-l']]) {
    const listed = await box.run([...words, `127.0.0.1:`, ...server.at]);
    t.is(listed.code, 0, listed.stderr);
    t.is(listed.stdout.trimEnd().split('\n').length, NAMES.length);
    assertHarmless(t, listed.stdoutBytes, words.join(' '));
  }
  const json = await box.run(['ls', '127.0.0.1:', '--json', ...server.at]);
  const paths = events(json.stdout).map((event) => (event.type === 'entry' ? event.path : ''));
  t.deepEqual(
    paths.map((path) => pathToBytes(path).toString('latin1').replace(/^\//, '')).toSorted(),
    [...NAMES].toSorted(),
  );

  const stat = await box.run(['stat', ...NAMES.map((name) => url(server.port, name)), ...at]);
  t.is(stat.code, 0, stat.stderr);
  assertHarmless(t, stat.stdoutBytes, 'stat');
  const got = await box.run(['get', ...NAMES.map((name) => url(server.port, name)), 'got/', ...at]);
  t.is(got.code, 0, got.stderr);
  assertHarmless(t, Buffer.from(got.stderr), 'get');
  t.deepEqual(tree(box.path('got')), [...NAMES].toSorted());
  for (const [name, text] of content) {
    const copy = Buffer.concat([Buffer.from(`${box.path('got')}/`), Buffer.from(name, 'latin1')]);
    t.is(readFileSync(copy, 'utf8'), text, name);
  }

  const missing = await box.run(['get', url(server.port, '\x1b[2J\nmissing\xff'), 'got/', ...at]);
  t.is(missing.code, 6, missing.stderr);
  assertHarmless(t, Buffer.from(missing.stderr), 'a name in an error');
  const removed = await box.run(['rm', ...NAMES.map((name) => url(server.port, name)), ...at]);
  t.is(removed.code, 0, removed.stderr);
  assertHarmless(t, Buffer.from(removed.stderr), 'rm');
  t.deepEqual(tree(box.path('files')), []);
  await server.stop();
  assertHarmless(t, Buffer.from(server.run.stderr), 'the log of the server');
  t.false(box.list('.').includes('injected'));
});

test('local names, as a shell would hand them over', async (t) => {
  const { box, server } = await ready(t);
  // An argument that is not UTF-8 does not reach a Node program unchanged.
  const names = NAMES.filter((name) => !Buffer.from(name, 'latin1').toString('utf8').includes('\ufffd'));
  for (const name of names) {
    mkdirSync(box.path('local'), { recursive: true });
    writeFileSync(Buffer.concat([Buffer.from(`${box.path('local')}/`), Buffer.from(name, 'latin1')]), name);
  }
  const sources = names.map((name) => `./${Buffer.from(name, 'latin1').toString('utf8')}`);
  const sent = await box.run(['send', ...sources, '127.0.0.1:in/', ...server.at], { cwd: box.path('local') });
  t.is(sent.code, 0, sent.stderr);
  assertHarmless(t, Buffer.from(sent.stderr), 'send');
  t.deepEqual(tree(box.path('files/in')), [...names].toSorted());
  const dashed = await box.run(['send', ...server.at, '--', '-rf', '127.0.0.1:dash/'], { cwd: box.path('local') });
  t.is(dashed.code, 0, dashed.stderr);
  t.deepEqual(box.list('files/dash'), ['-rf']);
  await assertClean(t, box);
});

test('through the library: all of it, by bytes', async (t) => {
  const { box, server } = await ready(t);
  const client = await open(t, box, server);
  for (const name of NAMES) {
    const path = pathFromBytes(Buffer.from(name, 'latin1'));
    const sent = await client.send(box.write('source', name), path);
    t.is(pathToBytes(sent.path).toString('latin1'), name);
    t.is((await client.stat(path)).name, path);
  }
  const listed: string[] = [];
  for await (const entry of client.list()) listed.push(pathToBytes(entry.name).toString('latin1'));
  t.deepEqual(listed.toSorted(), [...NAMES].toSorted());
  for (const name of listed) {
    const path = pathFromBytes(Buffer.from(name, 'latin1'));
    await client.get(path, box.path('copy'));
    t.is(box.read('copy'), name);
    await client.delete(path);
  }
  t.deepEqual(tree(box.path('files')), []);
  await assertServes(t, box, server);
});
