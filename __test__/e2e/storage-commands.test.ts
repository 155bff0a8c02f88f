import { createHash, randomBytes } from 'node:crypto';
import {
  chmod,
  link,
  lstat,
  mkdir,
  readFile,
  readdir,
  stat,
  statfs,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { E2eeftpError, Server, fullGrant, hashFile, pathFromBytes } from '../../dist/index.js';
import type { CommandReply, ErrorCode, Progress, RequestContext } from '../../dist/index.js';
import { leftovers, startPair, until } from './pair.js';

async function fails(
  t: import('ava').ExecutionContext,
  work: Promise<unknown>,
  code: ErrorCode,
  what = '',
): Promise<E2eeftpError> {
  const error = await t.throwsAsync(work, undefined, what);
  t.true(E2eeftpError.is(error, code), `${what} ${String(error)}`);
  return error as E2eeftpError;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('mkdir', async (t) => {
  const { client, root } = await startPair(t);
  const peer = await client();
  await peer.mkdir('/a');
  await fails(t, peer.mkdir('/a'), 'E2EEFTP_EXISTS');
  await fails(t, peer.mkdir('/b/c'), 'E2EEFTP_NOT_FOUND');
  await peer.mkdir('/b/c/d', { parents: true });
  await peer.mkdir('/b/c/d', { parents: true });
  await writeFile(join(root, 'file'), '');
  await fails(t, peer.mkdir('/file', { parents: true }), 'E2EEFTP_EXISTS');
  await fails(t, peer.mkdir('/file/x', { parents: true }), 'E2EEFTP_NOT_DIRECTORY');
  await fails(t, peer.mkdir('/'), 'E2EEFTP_EXISTS');
  t.true((await stat(join(root, 'b/c/d'))).isDirectory());
});

test('move: files, directories, links; never over a directory, over a file unless refused', async (t) => {
  const { client, root } = await startPair(t);
  const peer = await client();
  await mkdir(join(root, 'dir/sub'), { recursive: true });
  for (const name of ['one', 'two', 'dir/three']) await writeFile(join(root, name), name);
  await symlink('nowhere', join(root, 'link'));
  await peer.move('/one', '/dir/moved');
  await peer.move('link', 'dir/link');
  t.true((await lstat(join(root, 'dir/link'))).isSymbolicLink());
  await fails(t, peer.move('/two', '/dir/three', { overwrite: 'refuse' }), 'E2EEFTP_EXISTS');
  await fails(t, peer.move('/two', '/dir'), 'E2EEFTP_IS_DIRECTORY');
  await fails(t, peer.move('/two', '/two'), 'E2EEFTP_EXISTS');
  await fails(t, peer.move('/dir', '/dir/sub/dir'), 'E2EEFTP_BAD_PATH');
  await fails(t, peer.move('/', '/x'), 'E2EEFTP_NOT_PERMITTED');
  await fails(t, peer.move('/gone', '/x'), 'E2EEFTP_NOT_FOUND');
  await fails(t, peer.move('/two', '/x', { overwrite: 'always' as 'refuse' }), 'E2EEFTP_INVALID_ARGUMENT');
  await peer.move('/two', '/dir/three');
  t.is(await readFile(join(root, 'dir/three'), 'utf8'), 'two');
  await peer.move('/dir', '/renamed');
  t.deepEqual(await readdir(root), ['renamed']);
  t.deepEqual(await readdir(join(root, 'renamed')), ['link', 'moved', 'sub', 'three']);
});

test('copy: a file with its time and mode, a tree only when told so', async (t) => {
  const { client, root } = await startPair(t);
  const peer = await client();
  const content = randomBytes(3_000_001);
  await mkdir(join(root, 'dir/sub'), { recursive: true });
  await writeFile(join(root, 'dir/sub/file'), content);
  await chmod(join(root, 'dir/sub/file'), 0o640);
  await utimes(join(root, 'dir/sub/file'), 1_700_000_000, 1_700_000_000);
  await symlink('sub/file', join(root, 'dir/link'));
  const reports: Progress[] = [];
  const copied = await peer.copy('/dir/sub/file', '/copy', { onProgress: (progress) => reports.push(progress) });
  t.like(copied, { files: 1, directories: 0, links: 0, bytes: content.length });
  t.is(sha256(await readFile(join(root, 'copy'))), sha256(content));
  const info = await stat(join(root, 'copy'));
  t.deepEqual([info.mode & 0o777, info.mtimeMs], [0o640, 1_700_000_000_000]);
  t.like(reports.at(-1), { phase: 'done', transferred: content.length, total: content.length, file: '/dir/sub/file' });
  await fails(t, peer.copy('/dir', '/tree'), 'E2EEFTP_IS_DIRECTORY');
  for (const expected of [
    { files: 1, directories: 2, links: 1 },
    { files: 1, directories: 0, links: 0 },
  ]) {
    t.like(await peer.copy('/dir', '/tree', { recursive: true }), expected);
  }
  t.deepEqual((await readdir(join(root, 'tree'), { recursive: true })).toSorted(), ['link', 'sub', 'sub/file']);
  await fails(t, peer.copy('/dir', '/dir/sub/x', { recursive: true }), 'E2EEFTP_BAD_PATH');
  await fails(t, peer.copy('/copy', '/copy'), 'E2EEFTP_EXISTS');
  await fails(t, peer.copy('/copy', '/tree/sub/file', { overwrite: 'refuse' }), 'E2EEFTP_EXISTS');
  await link(join(root, 'copy'), join(root, 'twin'));
  await fails(t, peer.copy('/copy', '/twin'), 'E2EEFTP_EXISTS');
  t.deepEqual(await leftovers(root), []);
});

test('hash: what b3sum prints, there and here', async (t) => {
  const { client, root, local } = await startPair(t);
  const peer = await client();
  // BLAKE3 of the empty input and of "abc", from the test vectors of its reference implementation.
  const known = {
    '': 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262',
    abc: '6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85',
  };
  for (const [content, expected] of Object.entries(known)) {
    await writeFile(join(root, 'f'), content);
    t.deepEqual(await peer.hash('/f'), { bytes: content.length, root: expected });
    t.deepEqual(await hashFile(join(root, 'f')), { bytes: content.length, root: expected });
  }
  await writeFile(join(local, 'big'), randomBytes(5_000_000));
  const sent = await peer.send(join(local, 'big'), '/big');
  t.is((await peer.hash('/big')).root, sent.root);
  await writeFile(join(root, 'f'), 'xabcx');
  t.deepEqual(await peer.hash('/f', { start: 1, end: 3 }), { bytes: 3, root: known.abc });
  t.deepEqual(await peer.hash('/f', { start: 5 }), { bytes: 0, root: known[''] });
  t.is((await peer.hash('/f', { start: 4, end: 99 })).bytes, 1);
  for (const wrong of [{ start: -1 }, { start: 0.5 }, { start: 3, end: 2 }, { end: Number.NaN }]) {
    await fails(t, peer.hash('/f', wrong), 'E2EEFTP_INVALID_ARGUMENT', JSON.stringify(wrong));
  }
  await fails(t, peer.hash('/'), 'E2EEFTP_IS_DIRECTORY');
  await fails(t, peer.hash('/gone'), 'E2EEFTP_NOT_FOUND');
  const missing = await fails(t, hashFile(join(local, 'gone')), 'E2EEFTP_NOT_FOUND');
  t.true(missing.message.includes('gone'));
  const reason = new Error('no');
  t.is(await t.throwsAsync(hashFile(join(local, 'big'), { signal: AbortSignal.abort(reason) })), reason);
});

test('space: that of the file system', async (t) => {
  const { client, root } = await startPair(t);
  const peer = await client();
  await writeFile(join(root, 'f'), 'x');
  const info = await statfs(root);
  for (const space of [await peer.space(), await peer.space('/f')]) {
    t.is(space.total, info.blocks * info.bsize);
    t.true(space.available <= space.free && space.free <= space.total);
    t.true(space.files === null || (space.filesFree ?? 0) <= space.files);
  }
  await fails(t, peer.space('/gone'), 'E2EEFTP_NOT_FOUND');
  await fails(t, peer.space('/..'), 'E2EEFTP_BAD_PATH');
});

test('each command needs its permissions, and HLIST shows it to nobody else', async (t) => {
  const work = {
    MKDIR: { needs: [['write']], args: { path: Buffer.from('/made') } },
    MOVE: { needs: [['delete', 'write']], args: { from: Buffer.from('/old'), to: Buffer.from('/moved') } },
    COPY: { needs: [['read', 'write']], args: { from: Buffer.from('/old'), to: Buffer.from('/copied') } },
    HASH: { needs: [['read']], args: { path: Buffer.from('/old') } },
    SPACE: { needs: [['list'], ['write']], args: { path: Buffer.from('/') } },
  } as const;
  const permissions = ['read', 'write', 'list', 'delete'] as const;
  for (let bits = 0; bits < 16; bits += 1) {
    const held = permissions.filter((_, index) => (bits >> index) % 2 === 1);
    const grant = Object.fromEntries(held.map((permission) => [permission, true]));
    const { client, root } = await startPair(t, { grant });
    const peer = await client();
    const offered = (await peer.commands()).map(({ verb }) => verb);
    for (const [verb, { needs, args }] of Object.entries(work)) {
      await writeFile(join(root, 'old'), 'old');
      const isAllowed = needs.some((all) => all.every((permission) => held.includes(permission)));
      const what = `${verb} with ${held.join()}`;
      t.is(offered.includes(verb), isAllowed, what);
      if (isAllowed) t.is((await peer.call(verb, args)).status, 200, what);
      else t.is((await fails(t, peer.call(verb, args), 'E2EEFTP_NOT_PERMITTED', what)).status, 403);
    }
  }
});

test('the options of a key hold: overwriting, size, a root of its own', async (t) => {
  const grant = { ...fullGrant, path: '/own', overwrite: false, maxSize: 5 };
  const { client, root } = await startPair(t, { grant });
  const outside = join(root, 'outside');
  await writeFile(outside, 'outside');
  const peer = await client();
  for (const name of ['a', 'b']) await writeFile(join(root, 'own', name), name);
  await writeFile(join(root, 'own', 'big'), '123456');
  await mkdir(join(root, 'own', 'dir'));
  await writeFile(join(root, 'own', 'dir', 'big'), '123456');
  for (const overwrite of ['replace', 'refuse'] as const) {
    await fails(t, peer.move('/a', '/b', { overwrite }), 'E2EEFTP_EXISTS');
    await fails(t, peer.copy('/a', '/b', { overwrite }), 'E2EEFTP_EXISTS');
  }
  await fails(t, peer.copy('/big', '/bigger'), 'E2EEFTP_TOO_LARGE');
  await fails(t, peer.copy('/dir', '/bigger', { recursive: true }), 'E2EEFTP_TOO_LARGE');
  await fails(t, peer.copy('/outside', '/x'), 'E2EEFTP_NOT_FOUND');
  await fails(t, peer.move('/../outside', '/x'), 'E2EEFTP_BAD_PATH');
  await peer.copy('/a', '/c');
  t.is(await readFile(join(root, 'own', 'b'), 'utf8'), 'b');
  t.deepEqual((await readdir(join(root, 'own'))).toSorted(), ['a', 'b', 'big', 'bigger', 'c', 'dir']);
  t.deepEqual(await leftovers(root), []);
});

test('expires: none of them in a session that is open', async (t) => {
  let moment = 0;
  const authorizedClients = () => {
    moment = Date.now() + 1_000;
    return { ...fullGrant, expiresAt: new Date(moment) };
  };
  const { client, root } = await startPair(t, { authorizedClients });
  await writeFile(join(root, 'a'), 'a');
  const peer = await client();
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, moment - Date.now()) + 20));
  for (const late of [
    () => peer.mkdir('/x'),
    () => peer.move('/a', '/x'),
    () => peer.copy('/a', '/x'),
    () => peer.hash('/a'),
    () => peer.space(),
  ]) {
    await fails(t, late(), 'E2EEFTP_EXPIRED', String(late));
  }
  t.deepEqual(await readdir(root), ['a']);
});

test('a read-only server makes, moves and copies nothing', async (t) => {
  const { client, root } = await startPair(t, { readOnly: true });
  await writeFile(join(root, 'a'), 'a');
  const peer = await client();
  for (const work of [peer.mkdir('/x'), peer.move('/a', '/x'), peer.copy('/a', '/x')]) {
    await fails(t, work, 'E2EEFTP_NOT_PERMITTED');
  }
  t.is((await peer.hash('/a')).bytes, 1);
  t.true((await peer.space()).total > 0);
  t.deepEqual(await readdir(root), ['a']);
});

test('a subclass overrides them', async (t) => {
  class Own extends Server {
    override async handleMkdir(): Promise<CommandReply> {
      throw new E2eeftpError('E2EEFTP_NOT_PERMITTED', 'no directories here');
    }
    override async handleHash(context: RequestContext): Promise<CommandReply> {
      return { ...(await super.handleHash(context)), text: 'hashed by a subclass' };
    }
    override handleMove(): Promise<CommandReply> {
      return Promise.resolve({ text: 'not moved' });
    }
    override handleCopy(): Promise<CommandReply> {
      return Promise.resolve({ files: 7, directories: 0, links: 0, bytes: 7 });
    }
    override handleSpace(): Promise<CommandReply> {
      return Promise.resolve({ total: 3, free: 2, available: 1 });
    }
  }
  const { client, root } = await startPair(t, { make: (options) => new Own(options) });
  await writeFile(join(root, 'a'), 'a');
  const peer = await client();
  t.is((await t.throwsAsync(peer.mkdir('/x')))?.message, 'no directories here');
  t.is((await peer.call('HASH', { path: Buffer.from('/a') })).text, 'hashed by a subclass');
  await peer.move('/a', '/b');
  t.is((await peer.copy('/a', '/b')).files, 7);
  t.deepEqual(await peer.space(), { total: 3, free: 2, available: 1, files: null, filesFree: null });
  t.deepEqual(await readdir(root), ['a']);
});

test('a signal that has aborted already stops each before it begins', async (t) => {
  const { client, root } = await startPair(t);
  await writeFile(join(root, 'a'), 'a');
  const peer = await client();
  const reason = new Error('no');
  const signal = AbortSignal.abort(reason);
  for (const call of [
    () => peer.mkdir('/x', { signal }),
    () => peer.move('/a', '/x', { signal }),
    () => peer.copy('/a', '/x', { signal }),
    () => peer.hash('/a', { signal }),
    () => peer.space('/', { signal }),
  ]) {
    t.is(await t.throwsAsync(call), reason);
  }
  t.deepEqual(await readdir(root), ['a']);
  t.true(peer.isOpen);
});

test('names of any bytes', async (t) => {
  const { client, root } = await startPair(t);
  const peer = await client();
  const names = ['\xff\xfe', 'new\nline', '-rf', ' ', String.raw`back\slash`, '\x1b[2J', 'x'.repeat(255)];
  for (const name of names) {
    const path = pathFromBytes(Buffer.from(`/${name}`, 'latin1'));
    const host = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')]);
    await peer.mkdir(path);
    await writeFile(join(root, 'file'), name);
    await peer.move('/file', `${path}/file`);
    await peer.copy(path, '/tree', { recursive: true });
    await peer.delete(path, { recursive: true });
    await peer.copy('/tree/file', path);
    t.is(await readFile(host, 'utf8'), name);
    t.is((await peer.hash(path)).bytes, Buffer.byteLength(name));
    t.true((await peer.space(path)).total > 0);
    await peer.delete(path);
    await peer.delete('/tree', { recursive: true });
  }
  t.deepEqual(await readdir(root), []);
});

test('malformed arguments are refused and harm nothing', async (t) => {
  const { client, root, errors } = await startPair(t);
  await writeFile(join(root, 'a'), 'a');
  const peer = await client();
  const path = Buffer.from('/a');
  for (const [verb, args] of [
    ['MKDIR', {}],
    ['MKDIR', { path: 'text' }],
    ['MKDIR', { path: Buffer.from('/x'), parents: 1 }],
    ['MOVE', { from: path }],
    ['MOVE', { to: path }],
    ['MOVE', { from: path, to: Buffer.from('/x'), overwrite: true }],
    ['MOVE', { from: path, to: Buffer.from('/x'), overwrite: 'rename' }],
    ['COPY', { from: path, to: Buffer.from('/x'), recursive: 'yes' }],
    ['COPY', { from: path, to: Buffer.from('/x'), overwrite: 7 }],
    ['COPY', { from: [path], to: Buffer.from('/x') }],
    ['HASH', { path: 5 }],
    ['HASH', { path, start: 3, end: 2 }],
    ['HASH', { path, start: -1 }],
    ['SPACE', {}],
  ] as const) {
    await fails(t, peer.call(verb, args), 'E2EEFTP_BAD_REQUEST', `${verb} ${JSON.stringify(args)}`);
  }
  t.deepEqual(await readdir(root), ['a']);
  t.deepEqual(errors, []);
});

const HUGE = 4 * 1024 ** 4;

/** A file without data: it takes no space, and longer to hash than a test waits. */
async function sparse(path: string): Promise<void> {
  await writeFile(path, '');
  await truncate(path, HUGE);
}

test('work that takes long is heard of, also by a client without patience', async (t) => {
  const { client, root, errors } = await startPair(t);
  await sparse(join(root, 'huge'));
  // Signs of life come about each second; without them this client would give up long before the end of this test.
  const peer = await client({ replyTimeoutMs: 4_000, abortGraceMs: 20_000 });
  const controller = new AbortController();
  const reason = new Error('seen enough');
  const reports: Progress[] = [];
  const started = Date.now();
  const work = peer.hash('/huge', {
    signal: controller.signal,
    onProgress: (progress) => {
      reports.push(progress);
      const steps = new Set(reports.map(({ transferred }) => transferred)).size;
      if (steps > 4 && Date.now() - started > 5_000) controller.abort(reason);
    },
  });
  t.is(await t.throwsAsync(work), reason);
  t.like(reports.at(-1), { phase: 'moving', total: HUGE, file: '/huge' });
  t.true(peer.isOpen);
  t.is((await peer.call('HLIST')).status, 200, 'the session goes on');
  t.deepEqual(errors, []);
});

test('a progress callback that throws stops the work', async (t) => {
  const { client, root } = await startPair(t);
  await sparse(join(root, 'huge'));
  const peer = await client({ abortGraceMs: 20_000 });
  const own = new Error('of the caller');
  const work = peer.hash('/huge', {
    onProgress: () => {
      throw own;
    },
  });
  t.is(await t.throwsAsync(work), own);
  t.is((await peer.call('HLIST')).status, 200);
});

test('a client that goes away, and a server that closes, end the work', async (t) => {
  const lines: object[] = [];
  const log = (fields: object): void => void lines.push(fields);
  const { client, root, server, errors } = await startPair(t, {
    logger: { debug: log, info: log, warn: log, error: log },
  });
  await sparse(join(root, 'huge'));
  for (const leave of [0, 20_000]) {
    const peer = await client({ abortGraceMs: leave });
    const work = t.throwsAsync(peer.hash('/huge'));
    await until(() => server.sessions.some((session) => session.isBusy));
    await peer.close();
    t.true(E2eeftpError.is(await work, 'E2EEFTP_CLOSED'));
    await until(() => server.sessions.length === 0);
  }
  const peer = await client();
  const work = t.throwsAsync(peer.hash('/huge'));
  await until(() => server.sessions.some((session) => session.isBusy));
  await server.close({ graceMs: 0 });
  t.true(E2eeftpError.is(await work, 'E2EEFTP_SHUTTING_DOWN'), String(await work));
  t.deepEqual(errors, []);
});

test('a copy that is given up leaves nothing, and what was there stays', async (t) => {
  const { client, root } = await startPair(t);
  await writeFile(join(root, 'big'), Buffer.alloc(256 * 1024 ** 2, 'x'));
  await writeFile(join(root, 'target'), 'before');
  const peer = await client({ abortGraceMs: 20_000 });
  const reason = new Error('changed my mind');
  const controller = new AbortController();
  const work = peer.copy('/big', '/target', { signal: controller.signal });
  controller.abort(reason);
  t.is(await t.throwsAsync(work), reason);
  t.is((await peer.call('HLIST')).status, 200);
  // It was stopped before it began, under way, or too late: never half.
  const { size } = await stat(join(root, 'target'));
  t.true(size === 6 || size === 256 * 1024 ** 2, String(size));
  t.deepEqual(await leftovers(root), []);
});
