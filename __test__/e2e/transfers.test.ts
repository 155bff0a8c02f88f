import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, readdir, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { E2eeftpError, pathFromBytes, pathToBytes } from '../../dist/index.js';
import type { Entry, Progress } from '../../dist/index.js';
import { leftovers, startPair } from './pair.js';

const EMPTY_ROOT = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';
const KIB = 1024;
const MIB = KIB * KIB;

test('files of every length near a border arrive whole, in both directions', async (t) => {
  const { client, root, local } = await startPair(t);
  const peer = await client();
  const sizes = [0, 1, 2, 3, 1023, 4096, ...[128 * KIB, 256 * KIB, MIB].flatMap((n) => [n - 1, n, n + 1]), 5 * MIB + 7];
  for (const size of sizes) {
    const content = randomBytes(size);
    const [source, copy] = [join(local, `s${size}`), join(local, `c${size}`)];
    await writeFile(source, content);
    const sent = await peer.send(source, `/in/s${size}`);
    t.is(sent.bytes, size);
    t.is(sent.resumedBytes, 0);
    t.is(sent.path, `/in/s${size}`);
    t.true((await readFile(join(root, 'in', `s${size}`))).equals(content), `stored ${size}`);
    const got = await peer.get(`/in/s${size}`, copy);
    t.is(got.root, sent.root);
    t.is(got.path, copy);
    t.true((await readFile(copy)).equals(content), `fetched ${size}`);
    if (size === 0) t.is(sent.root, EMPTY_ROOT);
  }
  t.deepEqual(await leftovers(root, local), []);
});

test('names of any bytes make the trip', async (t) => {
  const { client, root, local } = await startPair(t);
  const peer = await client();
  const names = [
    Buffer.from('two\nlines'),
    Buffer.from('pipe|and "quotes" \\ back'),
    Buffer.from('\u001b[31mred\u0007'),
    Buffer.from('ünï 漢字 😀'),
    Buffer.of(0xff, 0xfe, 0x41, 0x80),
    Buffer.from('x'.repeat(255)),
    Buffer.from(' leading and trailing '),
    Buffer.from('-rf'),
  ].map((bytes) => pathFromBytes(bytes));
  await writeFile(join(local, 'source'), 'content');
  for (const name of names) {
    await peer.send(join(local, 'source'), `/${name}`);
    t.is((await peer.stat(`/${name}`)).name, name);
    await peer.get(`/${name}`, `${local}/`);
  }
  const listed: string[] = [];
  for await (const entry of peer.list('/')) listed.push(entry.name);
  t.deepEqual(listed.toSorted(), names.toSorted());
  const onDisk = (await readdir(root, { encoding: 'buffer' })).map((name) => pathFromBytes(name));
  t.deepEqual(onDisk.toSorted(), names.toSorted());
  for (const name of names) {
    t.is((await readFile(pathToBytes(join(local, name)))).toString(), 'content');
    await peer.delete(`/${name}`);
  }
  t.deepEqual(await readdir(root), []);
});

test('time and mode are kept unless not wanted', async (t) => {
  const { client, root, local } = await startPair(t);
  const peer = await client();
  const source = join(local, 'source');
  await writeFile(source, 'x');
  await chmod(source, 0o640);
  await utimes(source, 1_600_000_000.25, 1_600_000_000.25);
  await peer.send(source, '/kept');
  const kept = await stat(join(root, 'kept'));
  t.deepEqual([kept.mtimeMs, kept.mode & 0o777], [1_600_000_000_250, 0o640]);
  const entry = await peer.stat('/kept');
  t.deepEqual([entry.type, entry.size, entry.modified.getTime(), entry.mode], ['file', 1, 1_600_000_000_250, 0o640]);
  await peer.get('/kept', join(local, 'copy'));
  const copy = await stat(join(local, 'copy'));
  t.deepEqual([copy.mtimeMs, copy.mode & 0o777], [1_600_000_000_250, 0o640]);
  await peer.send(source, '/new', { preserve: false });
  t.true((await stat(join(root, 'new'))).mtimeMs > 1_700_000_000_000);
  await peer.get('/kept', join(local, 'new'), { preserve: false });
  t.true((await stat(join(local, 'new'))).mtimeMs > 1_700_000_000_000);
  await chmod(source, 0o4755);
  await peer.send(source, '/setuid');
  t.is((await stat(join(root, 'setuid'))).mode & 0o7777, 0o755, 'the set-user-id bit never travels');
});

test('replace, refuse and rename', async (t) => {
  const { client, root, local } = await startPair(t);
  const peer = await client();
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(local, name), text);
    return join(local, name);
  };
  const [one, two] = [await write('one', 'one'), await write('two', 'two')];
  await peer.send(one, '/f.txt');
  await peer.send(two, '/f.txt');
  t.is(await readFile(join(root, 'f.txt'), 'utf8'), 'two');
  const refused = await t.throwsAsync(() => peer.send(one, '/f.txt', { overwrite: 'refuse' }));
  t.true(E2eeftpError.is(refused, 'E2EEFTP_EXISTS') && refused.status === 409);
  t.is((await peer.send(one, '/f.txt', { overwrite: 'rename' })).path, '/f (1).txt');
  t.is((await peer.send(one, '/f.txt', { overwrite: 'rename' })).path, '/f (2).txt');
  t.is(await readFile(join(root, 'f.txt'), 'utf8'), 'two');

  const target = await write('target.txt', 'mine');
  const local_refused = await t.throwsAsync(() => peer.get('/f.txt', target, { overwrite: 'refuse' }));
  t.true(E2eeftpError.is(local_refused, 'E2EEFTP_EXISTS'));
  t.is((await peer.get('/f.txt', target, { overwrite: 'rename' })).path, join(local, 'target (1).txt'));
  t.is(await readFile(target, 'utf8'), 'mine');
  await peer.get('/f.txt', target);
  t.is(await readFile(target, 'utf8'), 'two');
  t.deepEqual(await leftovers(root, local), []);
});

test('twenty uploads of one name with rename get twenty names', async (t) => {
  const { client, root, local } = await startPair(t);
  await writeFile(join(local, 'f'), 'x');
  const clients = await Promise.all(Array.from({ length: 20 }, () => client()));
  const results = await Promise.all(clients.map((peer) => peer.send(join(local, 'f'), '/f', { overwrite: 'rename' })));
  t.is(new Set(results.map(({ path }) => path)).size, 20);
  t.is((await readdir(root)).length, 20);
});

test('a directory as target means into it', async (t) => {
  const { client, root, local } = await startPair(t);
  const peer = await client();
  await writeFile(join(local, 'f'), 'x');
  await mkdir(join(root, 'there'));
  for (const target of ['/there', '/there/', '/made/', '/', '']) {
    const { path } = await peer.send(join(local, 'f'), target);
    t.is(path.replace(/^\/*/, '/'), target === '' || target === '/' ? '/f' : `${target.replace(/\/$/, '')}/f`);
    await stat(join(root, path));
  }
  const renamed = await peer.send(join(local, 'f'), '/there', { overwrite: 'rename' });
  t.is(renamed.path, '/there/f (1)');
  const refused = await t.throwsAsync(() => peer.send(join(local, 'f'), '/there', { overwrite: 'refuse' }));
  t.true(E2eeftpError.is(refused, 'E2EEFTP_EXISTS'));

  await mkdir(join(local, 'dir'));
  t.is((await peer.get('/there/f', join(local, 'dir'))).path, join(local, 'dir', 'f'));
  t.is((await peer.get('/there/f', `${local}/new/`)).path, join(local, 'new', 'f'));
});

test('parents are made when wanted only', async (t) => {
  const { client, root, local } = await startPair(t);
  const peer = await client();
  await writeFile(join(local, 'f'), 'x');
  const refused = await t.throwsAsync(() => peer.send(join(local, 'f'), '/a/b/c', { parents: false }));
  t.true(E2eeftpError.is(refused, 'E2EEFTP_NOT_FOUND'));
  t.deepEqual(await readdir(root), []);
  await peer.send(join(local, 'f'), '/a/b/c');
  const missing = await t.throwsAsync(() => peer.get('/a/b/c', join(local, 'x/y'), { parents: false }));
  t.true(E2eeftpError.is(missing, 'E2EEFTP_NOT_FOUND') && missing.message.includes('x/y'));
  await peer.get('/a/b/c', join(local, 'x/y'));
  t.is(await readFile(join(local, 'x/y'), 'utf8'), 'x');
});

test('what can’t be a source or a target is told apart, and the session lives', async (t) => {
  const { client, root, local } = await startPair(t);
  const peer = await client();
  await mkdir(join(root, 'dir'));
  await writeFile(join(root, 'file'), 'x');
  await writeFile(join(local, 'f'), 'x');
  const cases: [Promise<unknown>, string, number | undefined][] = [
    [peer.get('/none', join(local, 'x')), 'E2EEFTP_NOT_FOUND', 404],
    [peer.get('/dir', join(local, 'x')), 'E2EEFTP_IS_DIRECTORY', 409],
    [peer.get('/file/below', join(local, 'x')), 'E2EEFTP_NOT_DIRECTORY', 409],
    [peer.send(join(local, 'none'), '/x'), 'E2EEFTP_NOT_FOUND', 404],
    [peer.send(local, '/x'), 'E2EEFTP_IS_DIRECTORY', 409],
    [peer.send(join(local, 'f'), '/file/below'), 'E2EEFTP_NOT_DIRECTORY', 409],
    [peer.delete('/none'), 'E2EEFTP_NOT_FOUND', 404],
    [peer.delete('/dir'), 'E2EEFTP_IS_DIRECTORY', 409],
    [peer.stat('/none'), 'E2EEFTP_NOT_FOUND', 404],
    [peer.list('/none').next(), 'E2EEFTP_NOT_FOUND', 404],
  ];
  const outcomes = await Promise.allSettled(cases.map(([work]) => work));
  for (const [index, outcome] of outcomes.entries()) {
    const [, code, status] = cases[index] ?? [];
    if (outcome.status === 'fulfilled') t.fail(`${index} should fail with ${code}`);
    else
      t.true(
        E2eeftpError.is(outcome.reason) && outcome.reason.code === code && outcome.reason.status === status,
        `${index}: ${String(outcome.reason)}`,
      );
  }
  t.is((await t.throwsAsync(() => peer.get('/none', join(local, 'x'))))?.message, 'File not found: none');
  t.is((await t.throwsAsync(() => peer.delete('/none')))?.message, 'File not found');
  t.is((await peer.stat('/file')).size, 1);
  t.deepEqual(await leftovers(root, local), []);
});

test('lists: a directory, a file, a tree, thousands of entries, links', async (t) => {
  const { client, root } = await startPair(t);
  const peer = await client();
  await mkdir(join(root, 'tree/a/b'), { recursive: true });
  await writeFile(join(root, 'tree/a/b/deep'), '12345');
  await writeFile(join(root, 'tree/top'), '1');
  await symlink('a', join(root, 'tree/link'));
  await mkdir(join(root, 'many'));
  await Promise.all(Array.from({ length: 3000 }, (_, index) => writeFile(join(root, 'many', `f${index}`), '')));
  const all = async (path?: string, recursive = false): Promise<Entry[]> => {
    const entries: Entry[] = [];
    for await (const entry of peer.list(path, { recursive })) entries.push(entry);
    return entries;
  };
  t.deepEqual(
    (await all()).map(({ path, type }) => [path, type]),
    [
      ['/many', 'directory'],
      ['/tree', 'directory'],
    ],
  );
  t.deepEqual(
    (await all('tree/')).map(({ path, type, size }) => [path, type, size]),
    [
      ['/tree/a', 'directory', 0],
      ['/tree/link', 'symlink', 0],
      ['/tree/top', 'file', 1],
    ],
  );
  t.deepEqual(
    (await all('/tree', true)).map(({ path }) => path),
    ['/tree/a', '/tree/a/b', '/tree/a/b/deep', '/tree/link', '/tree/top'],
  );
  t.deepEqual(
    (await all('/tree/a/b/deep')).map(({ path, name, size }) => [path, name, size]),
    [['/tree/a/b/deep', 'deep', 5]],
  );
  t.is(new Set((await all('/many')).map(({ name }) => name)).size, 3000);
  t.deepEqual(await all('/tree/a/b/deep', true).then((entries) => entries.length), 1);
});

test('a loop over a listing may use the client, and may be left early', async (t) => {
  const { client, root, local } = await startPair(t);
  const peer = await client();
  await Promise.all(Array.from({ length: 1500 }, (_, index) => writeFile(join(root, `f${index}`), String(index))));
  let count = 0;
  for await (const entry of peer.list('/')) {
    if (count % 100 === 0) {
      await peer.get(entry.path, join(local, 'x'));
      t.is(await readFile(join(local, 'x'), 'utf8'), entry.name.slice(1));
    }
    count += 1;
  }
  t.is(count, 1500);
  for await (const entry of peer.list('/')) {
    t.truthy(entry.name);
    break;
  }
  t.is((await peer.stat('/f7')).size, 1, 'the session is free again');
});

test('progress: rising, ten a second, one done at the end', async (t) => {
  const { client, local, root } = await startPair(t);
  const peer = await client();
  await writeFile(join(local, 'big'), '');
  await truncate(join(local, 'big'), 200 * MIB);
  for (const direction of ['send', 'get'] as const) {
    const reports: Progress[] = [];
    const times: number[] = [];
    const onProgress = (report: Progress): void => {
      reports.push(report);
      times.push(performance.now());
    };
    const started = performance.now();
    const result =
      direction === 'send'
        ? await peer.send(join(local, 'big'), '/big', { onProgress })
        : await peer.get('/big', join(local, 'copy'), { onProgress });
    t.is(result.bytes, 200 * MIB);
    const moved = reports.map(({ transferred }) => transferred);
    t.deepEqual(
      moved,
      moved.toSorted((a, b) => a - b),
    );
    t.true(reports.length <= (performance.now() - started) / 100 + 2, `${reports.length} reports`);
    t.deepEqual(reports.filter(({ phase }) => phase === 'done').length, 1);
    t.is(reports.at(-1)?.phase, 'done');
    t.is(reports.at(-1)?.transferred, 200 * MIB);
    t.true(reports.every(({ total }) => total === 200 * MIB || total === null));
    t.is(reports[0]?.file, direction === 'send' ? join(local, 'big') : '/big');
  }
  t.deepEqual(await leftovers(root, local), []);
});

test('a source that grows while it is sent is refused, and what was there stays', async (t) => {
  const { client, local, root } = await startPair(t);
  const peer = await client();
  const source = join(local, 'f');
  await writeFile(join(root, 'f'), 'before');
  await writeFile(source, '');
  await truncate(source, 3000 * MIB);
  const sending = peer.send(source, '/f', {
    onProgress: ({ transferred }) => {
      if (transferred > 0) void truncate(source, 3000 * MIB + 1);
    },
  });
  const error = await t.throwsAsync(sending);
  t.true(E2eeftpError.is(error, 'E2EEFTP_SOURCE_CHANGED'), String(error));
  t.is(await readFile(join(root, 'f'), 'utf8'), 'before');
  t.is((await peer.stat('/f')).size, 6);
  t.deepEqual(await leftovers(root), []);
});
