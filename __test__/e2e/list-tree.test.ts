/**
 * Recursive listings through the library: in order, whole, at the pace of the loop.
 */
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { encode } from 'cborg';
import { E2eeftpError, connect } from '../../dist/index.js';
import type { Client, Entry } from '../../dist/index.js';
import { NativeView } from '../../dist/native.js';
import { Proxy } from '../hostile/proxy.js';
import { startPair, until } from './pair.js';

/** A chain of directories under names of 200 bytes, deeper than a path can name; `rm` knows how to remove it. */
const MAKE_CHAIN = `
  const { mkdirSync } = require('node:fs');
  for (let depth = 0; depth < 25; depth += 1) {
    mkdirSync('c'.repeat(200));
    process.chdir('c'.repeat(200));
  }
`;

async function all(client: Client, path: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of client.list(path, { recursive: true })) entries.push(entry);
  return entries;
}

/** Directories with files of long names: a listing of `count` × 1000 names. */
async function makeFiles(root: string, count: number): Promise<void> {
  const names = Array.from({ length: 1000 }, (_, index) => `${'n'.repeat(200)}${index}`);
  for (let directory = 0; directory < count; directory += 1) {
    await mkdir(join(root, `d${directory}`));
    await Promise.all(names.map((name) => writeFile(join(root, `d${directory}`, name), '')));
  }
}

test('all that is beneath comes in the order of its bytes, with whole paths', async (t) => {
  const { client, root, server } = await startPair(t);
  const peer = await client();
  await mkdir(join(root, 't/a/b'), { recursive: true });
  await mkdir(join(root, 't/a-'));
  const odd = Buffer.concat([Buffer.from(join(root, 't/a/')), Buffer.of(0xff, 0x41)]);
  for (const file of [join(root, 't/a/b/deep'), join(root, 't/a.b'), odd]) await writeFile(file, '12345');
  await symlink('/', join(root, 't/out'));
  const entries = await all(peer, 't');
  t.deepEqual(
    entries.map(({ path, name, type, size }) => [path, name, type, size]),
    [
      ['/t/a', 'a', 'directory', 0],
      ['/t/a-', 'a-', 'directory', 0],
      ['/t/a.b', 'a.b', 'file', 5],
      ['/t/a/b', 'b', 'directory', 0],
      ['/t/a/b/deep', 'deep', 'file', 5],
      ['/t/a/\udcffA', '\udcffA', 'file', 5],
      ['/t/out', 'out', 'symlink', 0],
    ],
  );
  for (const entry of entries.filter(({ type }) => type === 'file')) {
    t.deepEqual(await peer.stat(entry.path), entry, 'what is listed can be named');
  }
  t.deepEqual(
    (await all(peer, '/t/a.b')).map(({ path, name }) => [path, name]),
    [['/t/a.b', 'a.b']],
  );
  await until(() => server.sessions.length === 1);
});

test('a directory that can’t be read is told, and the rest is complete', async (t) => {
  const { client, root } = await startPair(t);
  const peer = await client();
  await mkdir(join(root, 'b'));
  const made = spawnSync(process.execPath, ['-e', MAKE_CHAIN], { cwd: root, encoding: 'utf8' });
  t.is(made.status, 0, made.stderr);
  // Before the temporary directory goes away, which only knows whole paths.
  t.teardown(() => spawnSync('rm', ['-rf', root]));
  await writeFile(join(root, 'z'), '');
  const deepest = `/${Array.from({ length: 20 }, () => 'c'.repeat(200)).join('/')}`;

  const told: [string, string, string][] = [];
  const paths: string[] = [];
  const onUnreadable = (error: E2eeftpError, path: string): void => void told.push([error.code, error.message, path]);
  for await (const { path } of peer.list('/', { recursive: true, onUnreadable })) paths.push(path);
  t.deepEqual([paths[0], paths.at(-2), paths.at(-1), paths.length], ['/b', deepest, '/z', 22]);
  t.deepEqual(told, [['E2EEFTP_BAD_PATH', `${deepest}: bad path`, deepest]]);

  const untold: string[] = [];
  const error = await t.throwsAsync(async () => {
    for await (const { path } of peer.list('/', { recursive: true })) untold.push(path);
  });
  t.deepEqual(untold, paths, 'after everything else');
  t.true(E2eeftpError.is(error, 'E2EEFTP_PARTIAL') && error.message.includes(deepest), String(error));

  const thrown = new Error('of the callback');
  const failing = async (): Promise<void> => {
    const fail = (): void => {
      throw thrown;
    };
    for await (const entry of peer.list('/', { recursive: true, onUnreadable: fail })) t.truthy(entry);
  };
  t.is(await t.throwsAsync(failing), thrown);
  t.is((await peer.stat('/z')).type, 'file');
});

test('refusals, an abort, an early end and a closed client', async (t) => {
  const { client, root, server } = await startPair(t);
  await makeFiles(root, 2);
  const peer = await client();
  const first = (path: string, signal?: AbortSignal): Promise<unknown> =>
    peer.list(path, { recursive: true, ...(signal === undefined ? {} : { signal }) }).next();
  t.true(E2eeftpError.is(await t.throwsAsync(first('/none')), 'E2EEFTP_NOT_FOUND'));
  t.true(E2eeftpError.is(await t.throwsAsync(first('/../x')), 'E2EEFTP_BAD_PATH'));
  const reason = new Error('enough');
  t.is(await t.throwsAsync(first('/', AbortSignal.abort(reason))), reason);

  const controller = new AbortController();
  const aborted = async (): Promise<void> => {
    for await (const entry of peer.list('/', { recursive: true, signal: controller.signal })) {
      if (entry.path.startsWith('/d1/')) controller.abort(reason);
    }
  };
  t.is(await t.throwsAsync(aborted), reason);
  for await (const entry of peer.list('/', { recursive: true })) {
    t.is(entry.path, '/d0');
    break;
  }
  await until(() => server.sessions.length === 1);
  t.is((await peer.stat('/d0')).type, 'directory');

  const listing = peer.list('/', { recursive: true });
  await listing.next();
  await peer.close();
  const rest = async (): Promise<void> => {
    for await (const entry of listing) t.truthy(entry);
  };
  t.true(E2eeftpError.is(await t.throwsAsync(rest), 'E2EEFTP_CLOSED'));
  await until(() => server.sessions.length === 0);
});

test('a loop that makes other requests holds the server back; nothing is read ahead', async (t) => {
  const { server, root, identity, address } = await startPair(t);
  // Some 9 MB of pages: far more than what fits on the way.
  await makeFiles(root, 40);
  const proxy = await Proxy.start(t, address.port);
  const peer = await connect({ ...address, port: proxy.port, identity, serverKey: server.fingerprint });
  t.teardown(() => peer.close());
  let count = 0;
  let whileSlow = 0;
  for await (const entry of peer.list('/', { recursive: true })) {
    count += 1;
    if (count > 300) continue;
    t.is((await peer.stat(entry.path)).path, entry.path);
    whileSlow = proxy.links[1]?.toClient.forwarded ?? Infinity;
  }
  t.is(count, 40_040);
  const total = proxy.links[1]?.toClient.forwarded ?? 0;
  t.true(total > 8_000_000, `${total} bytes in all`);
  t.true(whileSlow < total / 2, `${whileSlow} of ${total} bytes while the loop was slow`);
  await rm(root, { recursive: true });
});

test.serial('a listing that is left keeps no directory open', async (t) => {
  const { client, root, server } = await startPair(t);
  await makeFiles(root, 3);
  // What the garbage collector finds it would close.
  const listings: unknown[] = [];
  // oxlint-disable-next-line typescript/unbound-method
  const { openListing } = NativeView.prototype;
  NativeView.prototype.openListing = async function (...args) {
    const listing = await openListing.apply(this, args);
    listings.push(listing);
    return listing;
  };
  t.teardown(() => void (NativeView.prototype.openListing = openListing));
  // A busy machine may take its time to end what was left.
  const peer = await client({ abortGraceMs: 30_000 });
  for (const recursive of [true, false, true, false]) {
    for await (const entry of peer.list(recursive ? '/' : '/d0', { recursive })) {
      t.truthy(entry);
      break;
    }
  }
  await until(() => server.sessions.length === 1);
  t.is((await peer.stat('/d0')).type, 'directory');
  t.is(listings.length, 4);
  const open = async (): Promise<string[]> => {
    const names = await readdir('/proc/self/fd');
    const paths = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => '')));
    return paths.filter((path) => path.startsWith(root));
  };
  await until(async () => (await open()).length === 1);
  t.deepEqual(await open(), [root], 'the server’s root and nothing else');
});

test('a server that names what is outside, or breaks off, is not believed', async (t) => {
  const { client, server } = await startPair(t);
  const good = encode([[Buffer.from('a'), 'f', 1, 1, 0o644]]);
  let body: Uint8Array[] = [];
  server.command('LIST', {
    summary: 'x',
    handler: ({ exchange }) => {
      exchange.announcement = { type: 'd' };
      return { body };
    },
  });
  const peer = await client();
  const bodies: Record<string, Uint8Array[]> = {
    'out of the directory': [good, encode([[Buffer.from('b/../../c'), 'f', 1, 1, 0o644]])],
    absolute: [good, encode([[Buffer.from('/etc/passwd'), 'f', 1, 1, 0o644]])],
    'cut short': [good, good.subarray(0, -1)],
    'a page too many': [good, Buffer.from([0x9a, 0xff, 0xff, 0xff, 0xff])],
  };
  for (const [why, given] of Object.entries(bodies)) {
    body = given;
    const paths: string[] = [];
    const error = await t.throwsAsync(async () => {
      for await (const { path } of peer.list('/d', { recursive: true })) paths.push(path);
    });
    t.true(E2eeftpError.is(error, 'E2EEFTP_PROTOCOL'), `${why}: ${String(error)}`);
    t.deepEqual(paths, ['/d/a'], why);
  }
  // Codes for what only happens here, and texts that would upset a terminal, are not taken over.
  body = [
    encode([
      [Buffer.from('x'), 'E2EEFTP_SERVER_KEY_CHANGED', '\u001b[2Jgo away'],
      [Buffer.alloc(0), 'NEW', 'y'],
    ]),
  ];
  const told: string[] = [];
  const onUnreadable = ({ code, message }: E2eeftpError): void => void told.push(`${code} ${message}`);
  for await (const entry of peer.list('/d', { recursive: true, onUnreadable })) t.fail(entry.path);
  t.deepEqual(told, [String.raw`E2EEFTP_SERVER_ERROR /d/x: \x1b[2Jgo away`, 'E2EEFTP_SERVER_ERROR /d: y']);
  t.is((await peer.call('HLIST')).status, 200);
});
