import { randomBytes } from 'node:crypto';
import {
  chmod,
  link,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { deny, fullGrant, pathFromBytes, pathToBytes } from '../../dist/index.js';
import type { Progress, TreeFailure } from '../../dist/index.js';
import { leftovers, startPair, until } from './pair.js';

const MIB = 1024 * 1024;

async function furnish(top: string): Promise<void> {
  await mkdir(join(top, 'deep/er'), { recursive: true });
  await mkdir(join(top, 'empty'));
  await writeFile(join(top, 'a'), 'A');
  await writeFile(pathToBytes(join(top, pathFromBytes(Buffer.of(0xff, 0x0a)))), 'odd');
  await writeFile(join(top, 'deep/b'), randomBytes(300_000));
  await writeFile(join(top, 'deep/er/large'), randomBytes(3 * MIB + 1));
  await symlink('deep/b', join(top, 'link'));
  await link(join(top, 'a'), join(top, 'deep/same-as-a'));
  await chmod(join(top, 'deep/b'), 0o640);
  await utimes(join(top, 'a'), 1_000_000_000, 1_000_000_000);
  await utimes(join(top, 'deep'), 1_100_000_000, 1_100_000_000);
}

/** Everything a tree holds, as text. */
async function describe(top: Buffer, prefix = ''): Promise<string[]> {
  const lines: string[] = [];
  for (const name of await readdir(top, { encoding: 'buffer' })) {
    const path = Buffer.concat([top, Buffer.from('/'), name]);
    const info = await lstat(path, { bigint: true });
    const shown = `${prefix}${name.toString('latin1')}`;
    const head = `${shown} ${(Number(info.mode) & 0o777).toString(8)} ${info.mtimeNs}`;
    if (info.isDirectory()) lines.push(`${head} d`, ...(await describe(path, `${shown}/`)));
    else if (info.isSymbolicLink()) lines.push(`${head} -> ${await readlink(path)}`);
    else lines.push(`${head} ${info.nlink} ${(await readFile(path)).toString('base64').slice(0, 400)}`);
  }
  return lines.toSorted();
}

async function same(t: ExecutionContext, one: string, other: string): Promise<void> {
  t.deepEqual(await describe(pathToBytes(one)), await describe(pathToBytes(other)));
}

test('a tree goes there and back, and again without moving anything', async (t) => {
  const { client, root, local } = await startPair(t);
  const [source, copy] = [join(local, 'source'), join(local, 'copy')];
  await mkdir(source);
  await furnish(source);
  const peer = await client();
  const progress: Progress[] = [];
  const sent = await peer.sendTree(source, '/up/there', { onProgress: (each) => progress.push(each) });
  t.is(sent.files, 4);
  t.is(sent.bytes, 1 + 3 + 300_000 + 3 * MIB + 1);
  t.deepEqual([sent.links, sent.failed, sent.skippedFiles], [2, 0, 0]);
  t.is(progress.at(-1)?.phase, 'done');
  t.is(progress.at(-1)?.transferred, sent.bytes);
  // A second name of a file is looked at, too.
  t.is(progress.at(-1)?.entries, 5);
  await same(t, source, join(root, 'up/there'));
  const looked: Progress[] = [];
  const again = await peer.sendTree(source, '/up/there', { onProgress: (each) => looked.push(each) });
  // Nothing moves, and yet it is seen that something happens.
  t.deepEqual([looked.at(-1)?.transferred, looked.at(-1)?.entries], [0, 5]);
  t.deepEqual([again.files, again.skippedFiles, again.links, again.directories], [0, 4, 0, 0]);
  const got = await peer.getTree('/up/there', copy);
  t.is(got.files, 4);
  await same(t, source, copy);
  t.is((await peer.getTree('/up/there', copy)).files, 0);
  // The session goes on.
  t.is((await peer.stat('/up/there/a')).size, 1);
  t.deepEqual(await leftovers(root, local), []);
});

test('sync deletes what is not in the source, except what the filter leaves out', async (t) => {
  const { client, root, local } = await startPair(t);
  await mkdir(join(root, 'x/old'), { recursive: true });
  for (const name of ['x/old/f', 'x/gone', 'x/keep.log']) await writeFile(join(root, name), name);
  await writeFile(join(local, 'new'), 'new');
  const peer = await client();
  const filter = [{ action: 'exclude', pattern: '*.log' }] as const;
  const deleted: string[] = [];
  const options = { delete: true, filter, onDelete: ({ path }: { path: string }) => deleted.push(path) };
  const planned = await peer.sendTree(local, '/x', { ...options, dryRun: true });
  t.deepEqual([planned.files, planned.deleted], [1, 3]);
  t.deepEqual((await readdir(join(root, 'x'))).toSorted(), ['gone', 'keep.log', 'old']);
  deleted.length = 0;
  const done = await peer.sendTree(local, '/x', options);
  t.is(done.deleted, 3);
  t.deepEqual(deleted.toSorted(), ['gone', 'old', 'old/f']);
  t.deepEqual((await readdir(join(root, 'x'))).toSorted(), ['keep.log', 'new']);
  await t.throwsAsync(peer.sendTree(local, '/x', { delete: true, paths: ['a'] }), { code: 'E2EEFTP_INVALID_ARGUMENT' });
});

test('chosen paths only', async (t) => {
  const { client, root, local } = await startPair(t);
  await furnish(local);
  const peer = await client();
  const failures: TreeFailure[] = [];
  await peer.sendTree(local, '/x', { paths: ['deep/er', 'a', 'nowhere'], onFailure: (each) => failures.push(each) });
  t.deepEqual((await readdir(join(root, 'x'), { recursive: true })).toSorted(), [
    'a',
    'deep',
    'deep/er',
    'deep/er/large',
  ]);
  t.deepEqual(
    failures.map(({ path, error }) => [path, error.code]),
    [['nowhere', 'E2EEFTP_NOT_FOUND']],
  );
});

test('a hook decides about each file of a tree', async (t) => {
  const { server, client, root, local } = await startPair(t);
  const heard: (string | null)[] = [];
  server.before('send', ({ path }) => {
    heard.push(path);
    return path?.endsWith('.exe') === true ? deny(403, 'No programs') : undefined;
  });
  server.before('get', ({ path }) => (path?.endsWith('secret') === true ? deny(403, 'No') : undefined));
  await mkdir(join(local, 'up/d'), { recursive: true });
  for (const name of ['ok', 'no.exe', 'd/secret']) await writeFile(join(local, 'up', name), name);
  const peer = await client();
  const failures: TreeFailure[] = [];
  const onFailure = (each: TreeFailure): number => failures.push(each);
  const sent = await peer.sendTree(join(local, 'up'), '/x', { onFailure });
  t.deepEqual([sent.files, sent.failed], [2, 1]);
  t.deepEqual(
    failures.map(({ path, error }) => [path, error.code]),
    [['no.exe', 'E2EEFTP_NOT_PERMITTED']],
  );
  t.deepEqual(heard.map(String).toSorted(), ['/x/d/secret', '/x/no.exe', '/x/ok']);
  t.deepEqual((await readdir(join(root, 'x'), { recursive: true })).toSorted(), ['d', 'd/secret', 'ok']);
  failures.length = 0;
  const got = await peer.getTree('/x', join(local, 'down'), { onFailure });
  t.deepEqual([got.files, got.failed], [1, 1]);
  t.deepEqual(await readdir(join(local, 'down'), { recursive: true }), ['d', 'ok']);
  const again = await peer.sendTree(join(local, 'up'), '/x', { filter: [{ action: 'exclude', pattern: '*.exe' }] });
  t.deepEqual([again.files, again.skippedFiles, again.failed], [0, 2, 0]);
});

test('listeners and commands of the application hear of each file', async (t) => {
  const { server, client, local } = await startPair(t);
  await mkdir(join(local, 'd'));
  await writeFile(join(local, 'd/f'), 'f');
  const paths: string[] = [];
  server.on('transfer', ({ path }) => paths.push(path));
  const peer = await client();
  await peer.sendTree(join(local, 'd'), '/x');
  await until(() => paths.length > 0);
  t.deepEqual(paths, ['/x/f']);
});

test('grants hold for trees', async (t) => {
  const readOnly = await startPair(t, { grant: { ...fullGrant, write: false } });
  const reader = await readOnly.client();
  await t.throwsAsync(reader.sendTree(readOnly.local, '/x'), { code: 'E2EEFTP_NOT_PERMITTED' });
  const uploadOnly = await startPair(t, { grant: { write: true, path: '/in' } });
  await mkdir(join(uploadOnly.root, 'in'), { recursive: true });
  const sender = await uploadOnly.client();
  await writeFile(join(uploadOnly.local, 'f'), 'f');
  t.is((await sender.sendTree(uploadOnly.local, '/x')).files, 1);
  t.is((await sender.sendTree(uploadOnly.local, '/x')).failed, 1);
  t.is((await stat(join(uploadOnly.root, 'in/x/f'))).size, 1);
  await t.throwsAsync(sender.sendTree(uploadOnly.local, '/x', { delete: true }), { code: 'E2EEFTP_NOT_PERMITTED' });
  await t.throwsAsync(sender.sendTree(uploadOnly.local, '/x', { dryRun: true }), { code: 'E2EEFTP_NOT_PERMITTED' });
  await t.throwsAsync(sender.getTree('/x', uploadOnly.local), { code: 'E2EEFTP_NOT_PERMITTED' });
  await t.throwsAsync(sender.sendTree(uploadOnly.local, '/../../x'), { code: 'E2EEFTP_BAD_PATH' });
});

test('an abort leaves whole files only, and the next call goes on from there', async (t) => {
  const { client, root, local } = await startPair(t);
  const source = join(local, 'source');
  for (let number = 0; number < 40; number += 1) {
    await mkdir(join(source, `d${number}`), { recursive: true });
    for (let file = 0; file < 50; file += 1) await writeFile(join(source, `d${number}/f${file}`), randomBytes(5000));
  }
  const peer = await client();
  const stop = new AbortController();
  let moved = 0;
  const onFile = (): void => {
    moved += 1;
    if (moved === 100) stop.abort(new Error('enough'));
  };
  await t.throwsAsync(peer.sendTree(source, '/x', { onFile, signal: stop.signal }), { message: 'enough' });
  t.deepEqual(await leftovers(root), []);
  const rest = await peer.sendTree(source, '/x');
  t.is(rest.files + rest.skippedFiles, 2000);
  await same(t, source, join(root, 'x'));
  await rm(source, { recursive: true });
});

test('what throws in a callback ends the tree', async (t) => {
  const { client, local } = await startPair(t);
  await furnish(local);
  const peer = await client();
  const onFile = (): never => {
    throw new Error('mine');
  };
  await t.throwsAsync(peer.sendTree(local, '/x', { onFile }), { message: 'mine' });
  t.is((await peer.sendTree(local, '/x')).failed, 0);
});

test('errors about the whole tree', async (t) => {
  const { client, local, root } = await startPair(t);
  const peer = await client();
  await t.throwsAsync(peer.sendTree(join(local, 'nothing'), '/x'), { code: 'E2EEFTP_NOT_FOUND' });
  await t.throwsAsync(peer.getTree('/nothing', join(local, 'x')), { code: 'E2EEFTP_NOT_FOUND' });
  await writeFile(join(root, 'f'), 'f');
  await t.throwsAsync(peer.sendTree(local, '/f'), { code: 'E2EEFTP_NOT_DIRECTORY' });
  await t.throwsAsync(peer.getTree('/f', join(local, 'x')), { code: 'E2EEFTP_NOT_DIRECTORY' });
  await t.throwsAsync(peer.sendTree(local, '/x', { filter: [{ action: 'exclude', pattern: '' }] }), {
    code: 'E2EEFTP_INVALID_ARGUMENT',
  });
  t.is((await peer.sendTree(local, '/still-here')).failed, 0);
});
