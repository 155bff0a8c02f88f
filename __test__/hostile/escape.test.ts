/** Names that try to lead out of the server's root, through every verb: by the library with raw bytes, and by the program. */
import { lstatSync, symlinkSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { type CallReply, type Client, E2eeftpError, type ErrorCode } from '../../dist/index.js';
import type { Sandbox } from '../cli/run.js';
import { Canary, SECRET } from './canary.js';
import { assertClean, assertError, assertServes, open, ready, tree } from './world.js';

/** What makes a name. */
const MAKERS = ['SEND', 'MKDIR', 'MOVE to', 'COPY to'] as const;
/** What looks at what a name leads to. */
const LOOKERS = ['GET', 'LIST', 'STAT', 'HASH', 'SPACE', 'COPY from'] as const;
const VERBS = [...MAKERS, ...LOOKERS, 'DELETE', 'MOVE from'] as const;
type Verb = (typeof VERBS)[number];

/** One request for a path; with everything that its command can do. */
function ask(client: Client, verb: Verb, path: string | Buffer): Promise<CallReply> {
  const bytes = Buffer.from(path);
  const [name = '', side] = verb.split(' ');
  if (side !== undefined) {
    const [from, to] = side === 'from' ? [bytes, Buffer.from('moved')] : [Buffer.from('inside/file'), bytes];
    return client.call(name, { from, to, ...(name === 'COPY' ? { recursive: true } : {}) });
  }
  if (verb === 'MKDIR') return client.call(verb, { path: bytes, parents: true });
  const args = verb === 'SEND' ? { parents: true } : verb === 'DELETE' || verb === 'LIST' ? { recursive: true } : {};
  return client.call(verb, { path: bytes, ...args }, verb === 'SEND' ? { body: 'intruder' } : {});
}

/** The code of a refused request; `null` when it was not refused. */
async function refusal(reply: Promise<CallReply>): Promise<ErrorCode | null> {
  try {
    await reply;
    return null;
  } catch (error) {
    if (E2eeftpError.is(error)) return error.code;
    throw error;
  }
}

/** The root with a file, a directory, and the links that lead astray. */
function furnish(box: Sandbox, canary: Canary): void {
  box.write('files/inside/file', 'inside');
  symlinkSync(canary.dir, box.path('files/link-directory'));
  symlinkSync(canary.path('canary'), box.path('files/link-file'));
  symlinkSync('../..', box.path('files/inside/link-up'));
  symlinkSync('/', box.path('files/link-root'));
  symlinkSync('/proc/self/root', box.path('files/link-magic'));
  symlinkSync('loop', box.path('files/loop'));
}

const crowd = (count: number): string => '../'.repeat(count);

test('paths that can’t be: every verb answers BAD_PATH', async (t) => {
  const { box, server } = await ready(t);
  const canary = new Canary(t);
  furnish(box, canary);
  const before = tree(box.dir);
  const client = await open(t, box, server);
  const relative = canary.dir.slice(1);
  const paths: (string | Buffer)[] = [
    '..',
    '../',
    '/..',
    './..',
    '../files/inside/file',
    'a/../../x',
    'inside/..',
    'inside/../inside/file',
    'inside/../../data/e2eeftp/server_id.key',
    `${crowd(40)}${relative}/canary`,
    `/${crowd(40)}${relative}/canary`,
    `inside/${crowd(40)}${relative}/canary`,
    'link-directory/../canary',
    '\0',
    'inside/file\0',
    'inside\0/../../canary',
    `${canary.path('canary')}\0.txt`,
    'x'.repeat(256),
    'x'.repeat(300),
    `inside/${'x'.repeat(300)}/y`,
    'x/'.repeat(2100),
    Buffer.alloc(4097, 'y/'),
    Buffer.alloc(10_000, 0xff),
  ];
  for (const verb of VERBS) {
    for (const path of paths) {
      t.is(
        await refusal(ask(client, verb, path)),
        'E2EEFTP_BAD_PATH',
        `${verb} ${JSON.stringify(String(path).slice(0, 80))}`,
      );
    }
  }
  t.deepEqual(tree(box.dir), before);
  canary.assertAlive(t);
  await assertServes(t, box, server);
});

test('links that lead out: nothing goes through them, in either direction', async (t) => {
  const { box, server } = await ready(t);
  const canary = new Canary(t);
  const client = await open(t, box, server);
  const throughLinks = [
    'link-directory/canary',
    'link-directory/sub/canary',
    'link-directory/new',
    'link-directory/sub/new/deeper',
    'inside/link-up/home/x',
    `link-root${canary.path('canary')}`,
    `link-magic${canary.path('canary')}`,
  ];
  furnish(box, canary);
  const before = tree(box.dir);
  for (const verb of VERBS) {
    for (const path of throughLinks) {
      const code = await refusal(ask(client, verb, path));
      t.true(code === 'E2EEFTP_NOT_PERMITTED' || code === 'E2EEFTP_NOT_FOUND', `${verb} ${path}: ${code}`);
    }
    t.not(await refusal(ask(client, verb, 'loop/x')), null, `${verb} through a loop`);
  }
  for (const verb of LOOKERS) {
    for (const path of [
      'link-directory',
      'link-file',
      'inside/link-up',
      'link-root',
      'link-magic',
      'loop',
      'link-directory/',
      './link-file',
    ]) {
      t.is(await refusal(ask(client, verb, path)), 'E2EEFTP_NOT_PERMITTED', `${verb} ${path}`);
    }
  }
  const listed: string[] = [];
  for await (const entry of client.list('/', { recursive: true })) listed.push(entry.path.slice(1));
  t.deepEqual(listed, tree(box.path('files')), 'links are told, and what they lead to is not');
  t.deepEqual(tree(box.dir), before);
  canary.assertAlive(t);

  // What may be done to a link is done to the link itself.
  t.is(await refusal(ask(client, 'MOVE from', 'link-file')), null);
  t.true(lstatSync(box.path('files/moved')).isSymbolicLink());
  t.is(await refusal(client.call('MOVE', { from: Buffer.from('moved'), to: Buffer.from('link-file') })), null);
  t.is(await refusal(ask(client, 'SEND', 'link-file')), null);
  t.is(box.read('files/link-file'), 'intruder');
  t.true(lstatSync(box.path('files/link-file')).isFile());
  for (const path of ['link-directory', 'inside', 'link-root', 'link-magic', 'loop']) {
    t.is(await refusal(ask(client, 'DELETE', path)), null, path);
  }
  t.deepEqual(box.list('files'), ['link-file']);
  canary.assertAlive(t);
  await assertClean(t, box, canary.dir);
  await assertServes(t, box, server);
});

test('absolute paths and backslashes are names below the root', async (t) => {
  const { box, server } = await ready(t);
  const canary = new Canary(t);
  const client = await open(t, box, server);
  const [absolute, windows] = [canary.path('canary'), String.raw`..\..\canary`];
  for (const path of [absolute, `//${absolute}`, windows, String.raw`C:\canary`]) {
    for (const verb of [...LOOKERS, 'DELETE', 'MOVE from'] as const) {
      t.is(await refusal(ask(client, verb, path)), 'E2EEFTP_NOT_FOUND', `${verb} ${path}`);
    }
    t.is(await refusal(ask(client, 'SEND', path)), null, path);
    t.is((await ask(client, 'GET', path)).body?.toString(), 'intruder', path);
    t.is(await refusal(ask(client, 'DELETE', path)), null, path);
  }
  for (const path of [absolute, windows, String.raw`C:\canary`]) await ask(client, 'SEND', path);
  t.is(box.read(`files${absolute}`), 'intruder');
  t.true(box.list('files').includes(windows));
  t.true(box.list('files').includes(String.raw`C:\canary`));
  canary.assertAlive(t);
  await assertServes(t, box, server);
});

test('the names of staging belong to the server', async (t) => {
  const { box, server } = await ready(t);
  const client = await open(t, box, server);
  const staged = '.e2eeftp-00112233445566778899aabbccddeeff.part';
  box.write(`files/inside/${staged}`, SECRET);
  box.write('files/inside/.e2eeftp-other/file', SECRET);
  box.write('files/inside/file', 'inside');
  for (const name of [staged, `inside/${staged}`, '.E2EEFTP-X', 'inside/.e2eeftp-other/file', '.e2eeftp-new/deep']) {
    for (const verb of VERBS) {
      const code = await refusal(ask(client, verb, name));
      const isMaker = (MAKERS as readonly string[]).includes(verb);
      t.is(code, isMaker ? 'E2EEFTP_BAD_PATH' : 'E2EEFTP_NOT_FOUND', `${verb} ${name}`);
    }
  }
  const names: string[] = [];
  for await (const { name } of client.list('inside')) names.push(name);
  t.deepEqual(names, ['file']);
  t.is(box.read(`files/inside/${staged}`), SECRET);
  t.is(box.read('files/inside/.e2eeftp-other/file'), SECRET);
  await assertServes(t, box, server);
});

/** Each verb of the program on one remote name. */
async function everyVerb(
  box: Sandbox,
  at: string[],
  address: string,
): Promise<[string, Awaited<ReturnType<Sandbox['run']>>][]> {
  const lines = [
    ['send', 'intruder', address],
    ['get', address, 'got'],
    ['ls', address],
    ['stat', address],
    ['rm', '-r', address],
    ['mkdir', '-p', address],
    ['mv', address, '127.0.0.1:moved'],
    ['mv', '127.0.0.1:inside/file', address],
    ['cp', '-r', address, '127.0.0.1:copied'],
    ['cp', '127.0.0.1:inside/file', address],
    ['hash', address],
    ['df', address],
  ];
  return Promise.all(
    lines.map(
      async (words) =>
        [words.join(' '), await box.run([...words, ...at])] as [string, Awaited<ReturnType<Sandbox['run']>>],
    ),
  );
}

test('the program says so, with exit code 2, and shows nothing of what is outside', async (t: ExecutionContext) => {
  const { box, server } = await ready(t);
  const canary = new Canary(t);
  furnish(box, canary);
  box.write('intruder', 'intruder');
  const before = tree(box.dir);
  const port = `e2eeftp://127.0.0.1:${server.port}`;
  for (const address of [
    '127.0.0.1:../intruder',
    '127.0.0.1:a/../../x',
    `${port}/%2e%2e/%2e%2e/etc/passwd`,
    `127.0.0.1:${'x'.repeat(300)}`,
  ]) {
    for (const [what, result] of await everyVerb(box, server.at, address)) {
      t.is(result.code, 2, `${what}: ${result.stderr}`);
      t.regex(result.stderr, /^error\[E2EEFTP_BAD_PATH\]: /, what);
    }
  }
  for (const [what, result] of await everyVerb(box, server.at, `${port}/inside%00`)) {
    t.is(result.code, 2, `${what}: ${result.stderr}`);
  }
  for (const [what, result] of await everyVerb(box, server.at, '127.0.0.1:link-directory/canary')) {
    assertError(t, result, 5, 'NOT_PERMITTED');
    t.false((result.stdout + result.stderr).includes(SECRET.trim()), what);
  }
  t.deepEqual(tree(box.dir), before);
  canary.assertAlive(t);
  await assertServes(t, box, server);
});
