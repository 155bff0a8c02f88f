import { mkdir, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import {
  E2eeftpError,
  Identity,
  KnownServers,
  authorizeClient,
  connect,
  fetchServerKey,
  fullGrant,
  revokeClient,
} from '../../dist/index.js';
import type { Client, ErrorCode, Grant, ServerWarning, UnknownServer } from '../../dist/index.js';
import { temporaryDirectory } from '../temporary-directory.js';
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

test('a key that is not listed is refused, with the line its operator needs', async (t) => {
  const { client, server, errors } = await startPair(t);
  const stranger = Identity.generate();
  const error = await fails(t, client({ identity: stranger }), 'E2EEFTP_AUTH_REFUSED');
  t.is(error.exitCode, 4);
  t.true(error.hint?.includes(stranger.publicKey.openssh));
  t.deepEqual(server.sessions, []);
  t.deepEqual(errors, []);
});

test('a policy that throws, or returns no grant, lets nobody in and is reported', async (t) => {
  const failure = new Error('database down');
  let answer: () => unknown = () => {
    throw failure;
  };
  const { client, errors } = await startPair(t, { authorizedClients: () => answer() as null });
  await fails(t, client(), 'E2EEFTP_AUTH_REFUSED');
  t.deepEqual(errors, [failure]);
  for (const bad of [{ read: 'yes' }, 'everything', 7, { path: '/../x' }]) {
    answer = () => bad;
    await fails(t, client(), 'E2EEFTP_AUTH_REFUSED', JSON.stringify(bad));
  }
  t.is(errors.length, 5);
  answer = () => Promise.resolve(null);
  await fails(t, client(), 'E2EEFTP_AUTH_REFUSED');
  answer = () => Promise.resolve(undefined);
  await fails(t, client(), 'E2EEFTP_AUTH_REFUSED');
  t.is(errors.length, 5);
  answer = () => Promise.resolve(fullGrant);
  t.is((await (await client()).call('HLIST')).status, 200);
});

test('the wrong server key ends the connection before the client says who it is', async (t) => {
  let judged = 0;
  const { client, server } = await startPair(t, {
    authorizedClients: () => {
      judged += 1;
      return fullGrant;
    },
  });
  const other = Identity.generate().publicKey;
  for (const serverKey of [other.fingerprint, other.openssh, other.base64, other.pem]) {
    const error = await fails(t, client({ serverKey }), 'E2EEFTP_SERVER_KEY_CHANGED');
    t.true(error.message.includes(other.fingerprint) && error.message.includes(server.fingerprint));
  }
  t.is(judged, 0);
  await client({ serverKey: server.identity.publicKey.pem });
  t.is(judged, 1);
});

test('first contact: refused without a question, kept after a yes, and never a question again', async (t) => {
  const { server, identity, address } = await startPair(t);
  const knownServers = join(await temporaryDirectory(t), 'known_servers');
  const options = { ...address, identity, knownServers };
  const error = await fails(t, connect(options), 'E2EEFTP_SERVER_KEY_UNKNOWN');
  t.true(error.message.includes(server.fingerprint) && error.hint?.includes('e2eeftp trust'));
  await fails(t, connect({ ...options, onUnknownServer: async () => false }), 'E2EEFTP_SERVER_KEY_UNKNOWN');
  t.deepEqual(await new KnownServers(knownServers).entries(), []);

  const asked: UnknownServer[] = [];
  const onUnknownServer = async (unknown: UnknownServer): Promise<boolean> => {
    t.is(server.sessions.length, 0, 'no session is open while the question stands');
    asked.push(unknown);
    return true;
  };
  await (await connect({ ...options, onUnknownServer })).close();
  t.deepEqual(
    asked.map(({ host, port, fingerprint, key }) => [host, port, fingerprint, key.fingerprint]),
    [[address.host, address.port, server.fingerprint, server.fingerprint]],
  );
  t.is((await stat(knownServers)).mode & 0o777, 0o600);
  await (await connect({ ...options, onUnknownServer: () => t.fail('asked again') })).close();

  await new KnownServers(knownServers).replace(address.host, address.port, Identity.generate().publicKey);
  const changed = await fails(
    t,
    connect({ ...options, onUnknownServer: () => t.fail('asked') }),
    'E2EEFTP_SERVER_KEY_CHANGED',
  );
  t.true(changed.message.includes(server.fingerprint));
  t.is((await fetchServerKey(address)).fingerprint, server.fingerprint);
});

test('a key that could not log in is not put on record', async (t) => {
  const { address } = await startPair(t);
  const knownServers = join(await temporaryDirectory(t), 'known_servers');
  const options = { ...address, identity: Identity.generate(), knownServers, onUnknownServer: () => true };
  await fails(t, connect(options), 'E2EEFTP_AUTH_REFUSED');
  t.deepEqual(await new KnownServers(knownServers).entries(), []);
});

test('nobody there, unknown host, not our protocol', async (t) => {
  const identity = Identity.generate();
  const serverKey = identity.publicKey.fingerprint;
  await fails(t, connect({ host: '127.0.0.1', port: 1, identity, serverKey }), 'E2EEFTP_CONNECT');
  await fails(t, connect({ host: 'no-such-host.invalid', identity, serverKey }), 'E2EEFTP_UNKNOWN_HOST');
  for (const bad of [{ host: '' }, { host: 'h', port: 0 }, { host: 'h', port: 70_000 }, { host: 'h', timeoutMs: 0 }]) {
    await fails(t, connect({ identity, serverKey, ...bad }), 'E2EEFTP_INVALID_ARGUMENT', JSON.stringify(bad));
  }
  await fails(t, connect({ host: '127.0.0.1', identity: '/no/such/key', serverKey }), 'E2EEFTP_KEY_FILE');
});

interface Restricted {
  readonly peer: Client;
  readonly root: string;
  readonly local: string;
  readonly file: string;
  /** The local file `new`. */
  readonly source: string;
}

async function restricted(t: import('ava').ExecutionContext, ...options: string[]): Promise<Restricted> {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'authorized_clients.pub');
  const pair = await startPair(t, { authorizedClients: file });
  await authorizeClient(file, pair.identity.publicKey, { options });
  const source = join(pair.local, 'new');
  await writeFile(source, 'new');
  await mkdir(join(pair.root, 'dir'));
  await writeFile(join(pair.root, 'old'), 'old');
  return { peer: await pair.client(), root: pair.root, local: pair.local, file, source };
}

test('read-only', async (t) => {
  const { peer, root, local, source } = await restricted(t, 'read-only');
  await peer.get('/old', join(local, 'copy'));
  t.is((await peer.list('/').next()).value?.name, 'dir');
  await fails(t, peer.send(source, '/new'), 'E2EEFTP_NOT_PERMITTED');
  await fails(t, peer.delete('/old'), 'E2EEFTP_NOT_PERMITTED');
  await fails(t, peer.delete('/dir', { recursive: true }), 'E2EEFTP_NOT_PERMITTED');
  t.deepEqual((await readdir(root)).toSorted(), ['dir', 'old']);
});

test('upload-only', async (t) => {
  const { peer, root, local, source } = await restricted(t, 'upload-only');
  await peer.send(source, '/new');
  await peer.send(source, '/new');
  t.is((await peer.send(source, '/dir')).path, '/dir/new', 'into a directory that it may not look at');
  await fails(t, peer.get('/old', join(local, 'copy')), 'E2EEFTP_NOT_PERMITTED');
  await fails(t, peer.list('/').next(), 'E2EEFTP_NOT_PERMITTED');
  await fails(t, peer.stat('/old'), 'E2EEFTP_NOT_PERMITTED');
  await fails(t, peer.delete('/old'), 'E2EEFTP_NOT_PERMITTED');
  t.deepEqual((await readdir(root)).toSorted(), ['dir', 'new', 'old']);
});

test('no-overwrite, no-delete, max-size', async (t) => {
  const { peer, root, source } = await restricted(t, 'no-overwrite,no-delete,max-size=5');
  await fails(t, peer.send(source, '/old'), 'E2EEFTP_EXISTS');
  t.is((await peer.send(source, '/old', { overwrite: 'rename' })).path, '/old (1)');
  await peer.send(source, '/fresh');
  await fails(t, peer.delete('/old'), 'E2EEFTP_NOT_PERMITTED');
  await writeFile(source, '123456');
  await fails(t, peer.send(source, '/big'), 'E2EEFTP_TOO_LARGE');
  const stream = peer.createWriteStream('/big');
  const ended = new Promise<Error | undefined>((resolve) =>
    stream.once('error', resolve).once('finish', () => resolve(undefined)),
  );
  stream.end('123456');
  t.true(E2eeftpError.is(await ended, 'E2EEFTP_TOO_LARGE'));
  t.is(await readFile(join(root, 'old'), 'utf8'), 'old');
  t.deepEqual(await leftovers(root), []);
});

test('path: the client sees a directory as its root, and nothing above', async (t) => {
  const { peer, root, local, source } = await restricted(t, 'path="/in/acme"');
  t.deepEqual(await readdir(join(root, 'in', 'acme')), [], 'made at the first login');
  await peer.send(source, '/new');
  t.is(await readFile(join(root, 'in', 'acme', 'new'), 'utf8'), 'new');
  const names: string[] = [];
  for await (const entry of peer.list('/', { recursive: true })) names.push(entry.path);
  t.deepEqual(names, ['/new']);
  await fails(t, peer.get('/old', join(local, 'x')), 'E2EEFTP_NOT_FOUND');
  await fails(t, peer.get('/../../old', join(local, 'x')), 'E2EEFTP_BAD_PATH');
});

test('expires: no login afterwards, and no request in a session that is open', async (t) => {
  let moment = 0;
  const authorizedClients = (): Grant => {
    moment ||= Date.now() + 3_000;
    return { ...fullGrant, expiresAt: new Date(moment) };
  };
  const { client, local, root } = await startPair(t, { authorizedClients });
  await writeFile(join(local, 'f'), 'x');
  const peer = await client();
  await peer.send(join(local, 'f'), '/f');
  await new Promise((resolve) => setTimeout(resolve, moment - Date.now() + 20));
  for (const work of [
    peer.get('/f', join(local, 'g')),
    peer.send(join(local, 'f'), '/g'),
    peer.delete('/f'),
    peer.stat('/f'),
    peer.list('/').next(),
    peer.commands(),
  ]) {
    await fails(t, work, 'E2EEFTP_EXPIRED');
  }
  await fails(t, client(), 'E2EEFTP_AUTH_REFUSED');
  t.deepEqual(await readdir(root), ['f']);
});

test('the file of keys counts from the next login on', async (t) => {
  const { file } = await restricted(t);
  const directory = await temporaryDirectory(t);
  const warnings: ServerWarning[] = [];
  const pair = await startPair(t, { authorizedClients: file });
  pair.server.on('warning', (warning) => warnings.push(warning));
  await fails(t, pair.client(), 'E2EEFTP_AUTH_REFUSED');
  await authorizeClient(file, pair.identity.publicKey, { options: ['user=second'] });
  const second = await pair.client();
  await until(() => pair.server.sessions[0]?.user === 'second');
  await writeFile(file, `colour=blue ${pair.identity.publicKey.openssh}\n`);
  await fails(t, pair.client(), 'E2EEFTP_AUTH_REFUSED');
  t.deepEqual(
    warnings.map((warning) => [warning.file, warning.line]),
    [[file, 1]],
  );
  await revokeClient(file, pair.identity.publicKey.fingerprint);
  await pair.server.reload();
  t.is(pair.server.authorizedClients?.size, 0);
  await fails(t, second.call('HLIST'), 'E2EEFTP_CONNECTION_LOST', 'a session that is open is ended');
  t.deepEqual(await readdir(directory), []);
});

test('the server option readOnly beats every grant', async (t) => {
  const { client, local, root } = await startPair(t, { readOnly: true });
  await writeFile(join(local, 'f'), 'x');
  await writeFile(join(root, 'old'), 'old');
  const peer = await client();
  await fails(t, peer.send(join(local, 'f'), '/f'), 'E2EEFTP_NOT_PERMITTED');
  await fails(t, peer.delete('/old'), 'E2EEFTP_NOT_PERMITTED');
  await peer.get('/old', join(local, 'old'));
});

test('no path leads out of the root, through any command', async (t) => {
  const { client, root, local } = await startPair(t);
  const outside = await temporaryDirectory(t);
  const canary = join(outside, 'canary');
  await writeFile(canary, 'untouched');
  await symlink(outside, join(root, 'out'));
  await symlink(canary, join(root, 'leaf'));
  await mkdir(join(root, 'in'));
  const source = join(local, 'source');
  await writeFile(source, 'attack');
  const peer = await client();
  const up = '../'.repeat(12);
  const paths = [
    `${up}${canary.slice(1)}`,
    `/in/${up}${canary.slice(1)}`,
    `/in/..${canary}`,
    '/out/canary',
    '/leaf',
    '/..',
    `/\u0000${canary}`,
    `/proc/self/root${canary}`,
    canary,
  ];
  for (const path of paths) {
    const works: Record<string, Promise<unknown>> = {
      get: peer.get(path, join(local, 'stolen')),
      list: peer.list(path).next(),
      stat: peer.stat(path),
      read: new Promise((resolve, reject) =>
        peer.createReadStream(path).on('error', reject).on('end', resolve).resume(),
      ),
    };
    for (const [name, work] of Object.entries(works)) {
      const error = await t.throwsAsync(work, undefined, `${name} ${path}`);
      t.true(
        E2eeftpError.is(error) && [400, 403, 404].includes(error.status ?? 0),
        `${name} ${path}: ${String(error)}`,
      );
    }
  }
  for (const path of [
    `${up}${canary.slice(1)}`,
    '/in/../../x',
    '/out/new',
    '/out/canary',
    '/a\u0000b',
    `/${'x'.repeat(256)}`,
    '/.e2eeftp-0.part',
  ]) {
    for (const overwrite of ['replace', 'refuse', 'rename'] as const) {
      const error = await t.throwsAsync(() => peer.send(source, path, { overwrite }), undefined, path);
      t.true(
        E2eeftpError.is(error) && [400, 403, 404, 409].includes(error.status ?? 0),
        `send ${path}: ${String(error)}`,
      );
    }
  }
  for (const path of ['/out/canary', `${up}${canary.slice(1)}`, '/', '']) {
    for (const recursive of [false, true]) {
      const error = await t.throwsAsync(() => peer.delete(path, { recursive }), undefined, `delete ${path}`);
      t.true(E2eeftpError.is(error) && (error.status ?? 0) >= 400, `delete ${path}: ${String(error)}`);
    }
  }
  await peer.send(source, '/leaf');
  t.is((await stat(join(root, 'leaf'))).isFile(), true, 'a link as target is replaced, not followed');
  await peer.delete('/out');
  t.deepEqual(await readdir(outside), ['canary']);
  t.is(await readFile(canary, 'utf8'), 'untouched');
  t.deepEqual(await leftovers(root, local), []);
});
