/** Sources and targets that can't be, or can't be at the moment, and lengths at every border. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { remount, mountSmall } from './small-mount.js';
import { assertClean, assertError, assertServes, randomFile, ready, sandbox, sha256, until } from './world.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** Of util-linux: runs a program as another user. */
const RUN_AS = 'setpriv';
/** The user that everybody else is. */
const NOBODY = 65_534;

test('a server whose disk is read-only: 5 for what would change it, and everything else works', async (t) => {
  const box = sandbox(t);
  mountSmall(t, box.path('files'), 'size=4m');
  const server = await box.ready();
  box.write('new', 'new');
  box.write('files/old', 'older');
  box.write('files/directory/file', 'file');
  remount(box.path('files'), 'ro');
  for (const words of [
    ['send', 'new', '127.0.0.1:old'],
    ['send', 'new', '127.0.0.1:new'],
    ['send', 'new', '127.0.0.1:made/for/it'],
    ['rm', '127.0.0.1:old'],
    ['rm', '-r', '127.0.0.1:directory'],
  ]) {
    assertError(t, await box.run([...words, ...server.at]), 5, 'READ_ONLY');
  }
  t.is((await box.run(['get', '127.0.0.1:old', 'copy', ...server.at])).code, 0);
  t.is(box.read('copy'), 'older');
  t.deepEqual(box.list('files'), ['directory', 'old']);
  remount(box.path('files'), 'rw');
  t.is((await box.run(['send', 'new', '127.0.0.1:old', ...server.at])).code, 0);
  t.is(box.read('files/old'), 'new');
  await assertServes(t, box, server);
});

test('a local disk that is read-only: 5', async (t) => {
  const { box, server } = await ready(t);
  mountSmall(t, box.path('here'), 'size=4m');
  box.write('here/old', 'older');
  box.write('files/new', 'new');
  remount(box.path('here'), 'ro');
  assertError(t, await box.run(['get', '127.0.0.1:new', 'here/old', ...server.at]), 5, 'READ_ONLY');
  t.is(box.read('here/old'), 'older');
  await assertServes(t, box, server);
});

test('a server without rights on some files: 5, nothing is left', async (t) => {
  const box = sandbox(t);
  await box.keygen();
  t.is((await box.run(['authorize', box.path('config/e2eeftp/client_id.pub')])).code, 0);
  for (const path of [box.dir, box.path('files'), box.path('data')]) chmodSync(path, 0o755);
  execFileSync('chown', ['-R', String(NOBODY), box.path('data'), box.path('files')]);
  box.write('files/private', 'private');
  chmodSync(box.path('files/private'), 0o600);
  box.write('files/locked/file', 'file');
  mkdirSync(box.path('files/dark'), { mode: 0o700 });
  box.write('new', 'new');
  // As root no file is out of reach: the server runs as somebody else.
  const portFile = box.path('files/../data/port.json');
  const words = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', process.execPath, MAIN];
  const child = spawn(
    RUN_AS,
    [...words, 'serve', box.path('files'), '--listen', '127.0.0.1:0', '--port-file', portFile],
    {
      env: box.env(),
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  t.teardown(() => child.kill('SIGKILL'));
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await until(() => {
    if (child.exitCode !== null) throw new Error(`this test needs root and setpriv: ${log}`);
    return box.list('data').includes('port.json');
  }, 'the server');
  const { fingerprint, e2eeftp } = JSON.parse(box.read('data/port.json')) as {
    fingerprint: string;
    e2eeftp: { port: number }[];
  };
  const at = ['-P', String(e2eeftp[0]?.port), '--server-key', fingerprint];
  for (const line of [
    ['get', '127.0.0.1:private', 'copy'],
    ['send', 'new', '127.0.0.1:locked/file'],
    ['send', 'new', '127.0.0.1:locked/new'],
    ['send', 'new', '127.0.0.1:locked/made/new'],
    ['rm', '127.0.0.1:locked/file'],
    ['ls', '127.0.0.1:dark'],
    ['get', '127.0.0.1:dark/x', 'copy'],
  ]) {
    assertError(t, await box.run([...line, ...at]), 5, 'NOT_PERMITTED');
  }
  t.is(box.read('files/locked/file'), 'file');
  t.deepEqual(box.list('files/locked'), ['file']);
  t.false(box.list('.').includes('copy'));
  // What it may do it still does.
  t.is((await box.run(['send', 'new', '127.0.0.1:new', ...at])).code, 0);
  t.is(box.read('files/new'), 'new');
  await assertClean(t, box);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  t.deepEqual(await ended, [0, null]);
});

test('a directory where a file should be, at either end', async (t) => {
  const { box, server } = await ready(t);
  box.write('files/directory/inside', 'inside');
  box.write('directory/inside', 'local');
  box.write('files/source/x', 'x');
  box.write('files/file', 'file');
  box.write('into/file/inside', 'kept');
  box.write('name', 'name');
  assertError(t, await box.run(['send', 'directory', '127.0.0.1:file', ...server.at]), 1, 'NOT_DIRECTORY');
  assertError(t, await box.run(['get', '127.0.0.1:source', 'name', ...server.at]), 1, 'NOT_DIRECTORY');
  assertError(t, await box.run(['rm', '127.0.0.1:directory', ...server.at]), 1, 'IS_DIRECTORY');
  // The final name is a directory, whatever way leads there.
  box.write('files/into/name/kept', 'kept');
  assertError(t, await box.run(['send', 'name', '127.0.0.1:into/', ...server.at]), 1, 'IS_DIRECTORY');
  assertError(t, await box.run(['get', '127.0.0.1:file', 'into/', ...server.at]), 1, 'IS_DIRECTORY');
  // A file where a directory should be.
  assertError(t, await box.run(['send', 'name', '127.0.0.1:file/below', ...server.at]), 1, 'NOT_DIRECTORY');
  assertError(t, await box.run(['get', '127.0.0.1:file/below', 'x', ...server.at]), 1, 'NOT_DIRECTORY');
  assertError(t, await box.run(['get', '127.0.0.1:file', 'name/below', ...server.at]), 1, 'NOT_DIRECTORY');
  t.is(box.read('files/into/name/kept'), 'kept');
  t.is(box.read('into/file/inside'), 'kept');
  t.is(box.read('files/file'), 'file');
  t.false(box.list('.').includes('x'));
  await assertClean(t, box, box.dir);
  await assertServes(t, box, server);
});

test('pipes, sockets and devices, as source and as target: refused, and nobody hangs', async (t) => {
  const { box, server } = await ready(t);
  box.write('plain', 'plain');
  box.write('files/plain', 'plain');
  for (const directory of ['.', 'files']) {
    execFileSync('mknod', [box.path(directory, 'pipe'), 'p']);
    symlinkSync('/dev/zero', box.path(directory, 'zero'));
    execFileSync('mknod', [box.path(directory, 'device'), 'c', '1', '5']);
  }
  const listening = createServer().listen(box.path('files/socket'));
  await once(listening, 'listening');
  t.teardown(() => void listening.close());
  for (const source of ['pipe', 'device', 'zero', '/dev/null', '/dev/urandom']) {
    assertError(t, await box.run(['send', source, '127.0.0.1:x', ...server.at]), 1, 'NOT_REGULAR');
  }
  for (const source of ['pipe', 'device', 'socket']) {
    assertError(t, await box.run(['get', `127.0.0.1:${source}`, 'x', ...server.at]), 1, 'NOT_REGULAR');
    assertError(t, await box.run(['send', 'plain', `127.0.0.1:${source}`, ...server.at]), 1, 'NOT_REGULAR');
  }
  assertError(t, await box.run(['get', '127.0.0.1:zero', 'x', ...server.at]), 5, 'NOT_PERMITTED');
  for (const target of ['pipe', 'device', '/dev/null']) {
    assertError(t, await box.run(['get', '127.0.0.1:plain', target, ...server.at]), 1, 'NOT_REGULAR');
  }
  t.false(box.list('.').includes('x') || box.list('files').includes('x'));
  t.deepEqual(
    readdirSync('/dev').filter((name) => name.startsWith('.e2eeftp-')),
    [],
  );
  // They are listed as what they are, and may be removed.
  const listed = await box.run(['ls', '127.0.0.1:', ...server.at]);
  t.is(listed.stdout, 'device?\npipe?\nplain\nsocket?\nzero@\n');
  t.is((await box.run(['rm', '127.0.0.1:pipe', '127.0.0.1:zero', ...server.at])).code, 0);
  t.deepEqual(box.list('files'), ['device', 'plain', 'socket']);
  await assertClean(t, box);
  await assertServes(t, box, server);
});

test('lengths: empty, one to three bytes, and both sides of every border, there and back', async (t) => {
  const { box, server } = await ready(t);
  const borders = [16_384, 65_536, 131_072, 262_144, 262_144 * 2, 1_048_576, 1_048_576 * 4];
  const lengths = [0, 1, 2, 3, ...borders.flatMap((border) => [border - 1, border, border + 1])];
  const names = lengths.map((length) => `length-${length}`);
  const sums = new Map(
    lengths.map((length) => [`length-${length}`, sha256(randomFile(box, `out/length-${length}`, length))]),
  );
  const sent = await box.run(['send', ...names.map((name) => `out/${name}`), '127.0.0.1:in/', ...server.at]);
  t.is(sent.code, 0, sent.stderr);
  mkdirSync(box.path('back'));
  const got = await box.run(['get', ...names.map((name) => `127.0.0.1:in/${name}`), 'back/', ...server.at]);
  t.is(got.code, 0, got.stderr);
  t.is(sent.stderr.match(/, verified$/gm)?.length, names.length);
  t.is(got.stderr.match(/, verified$/gm)?.length, names.length);
  for (const [name, sum] of sums) {
    t.is(sha256(box.bytes(`files/in/${name}`)), sum, name);
    t.is(sha256(box.bytes(`back/${name}`)), sum, name);
    const piped = await box.run(['get', `127.0.0.1:in/${name}`, '-', ...server.at]);
    t.is(sha256(piped.stdoutBytes), sum, `${name} through a pipe`);
  }
  for (const length of [0, 1, 262_144, 262_145, 1_048_576]) {
    const piped = await box.run(['send', '-', '127.0.0.1:piped', ...server.at], {
      input: box.bytes(`out/length-${length}`),
    });
    t.is(piped.code, 0, piped.stderr);
    t.is(sha256(box.bytes('files/piped')), sha256(box.bytes(`out/length-${length}`)), `${length} bytes from a pipe`);
  }
  t.is(readdirSync(box.path('files/in')).length, names.length);
  await assertClean(t, box, box.dir);
  await assertServes(t, box, server);
});
