import { chmod, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { E2eeftpError, authorizeClient, fullGrant, revokeClient } from '../../dist/index.js';
import type { Client, Grant } from '../../dist/index.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { leftovers, startPair, until } from './pair.js';
import type { Pair } from './pair.js';

interface Listed extends Pair {
  /** The list of clients, with the pair's key in it. */
  readonly file: string;
  readonly peer: Client;
}

/** The server looks at its list every two seconds and acts on what it has seen twice. */
const NOTICED_MS = 30_000;

async function listed(t: ExecutionContext, ...options: string[]): Promise<Listed> {
  const file = join(await temporaryDirectory(t), 'authorized_clients.pub');
  const pair = await startPair(t, { authorizedClients: file });
  await authorizeClient(file, pair.identity.publicKey, { options });
  return { ...pair, file, peer: await pair.client() };
}

/** Begins a file that ends when the stream does. */
async function beginUpload(peer: Client, path: string): Promise<{ end: () => Promise<Error | null> }> {
  const stream = peer.createWriteStream(path);
  const ended = new Promise<Error | null>((resolve) =>
    stream.once('error', resolve).once('finish', () => resolve(null)),
  );
  await new Promise<void>((resolve) => stream.write(Buffer.alloc(100_000), () => resolve()));
  return {
    end: async () => {
      stream.end();
      return ended;
    },
  };
}

test('a revoked key ends its open sessions without anybody’s help, and no others', async (t) => {
  const { server, identity, client, file, peer } = await listed(t, 'user=one');
  const other = await listed(t, 'user=two');
  await authorizeClient(file, other.identity.publicKey, { options: ['user=two'] });
  const stays = await client({ identity: other.identity });
  await until(() => server.sessions.length === 2);
  await revokeClient(file, identity.publicKey.fingerprint);
  await until(() => server.sessions.length === 1, NOTICED_MS);
  t.true(E2eeftpError.is(await t.throwsAsync(peer.call('HLIST')), 'E2EEFTP_CONNECTION_LOST'));
  t.true(E2eeftpError.is(await t.throwsAsync(client()), 'E2EEFTP_AUTH_REFUSED'));
  t.is((await stays.call('HLIST')).status, 200);
  t.is(server.sessions[0]?.user, 'two');
});

test('a revoked key loses the transfer that is under way; nothing of it is left', async (t) => {
  const { server, identity, file, peer, root, errors } = await listed(t);
  await writeFile(join(root, 'kept'), 'kept');
  const upload = await beginUpload(peer, '/kept');
  await until(async () => (await leftovers(root)).length === 1);
  await revokeClient(file, identity.publicKey.fingerprint);
  await server.reload();
  await until(() => server.sessions.length === 0);
  const error = await upload.end();
  t.true(E2eeftpError.is(error), String(error));
  await until(async () => (await leftovers(root)).length === 0);
  t.is(await readFile(join(root, 'kept'), 'utf8'), 'kept');
  t.deepEqual(errors, []);
});

test('a revoked key’s request is answered with the reason', async (t) => {
  const { server, identity, file, peer } = await listed(t);
  let begun = false;
  server.command('WAIT', {
    summary: 'x',
    handler: ({ signal }) => {
      begun = true;
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    },
  });
  const waiting = t.throwsAsync(peer.call('WAIT'));
  await until(() => begun);
  await revokeClient(file, identity.publicKey.fingerprint);
  await server.reload();
  const error = await waiting;
  t.true(E2eeftpError.is(error, 'E2EEFTP_EXPIRED') && error.status === 403, String(error));
  await until(() => server.sessions.length === 0);
});

test('other options end a session after its request; the next login is under the new ones', async (t) => {
  const { server, identity, client, file, peer, root } = await listed(t);
  const upload = await beginUpload(peer, '/under-way');
  await until(() => server.sessions.length === 2);
  await authorizeClient(file, identity.publicKey, { options: ['read-only'] });
  await server.reload();
  await until(() => server.sessions.length === 1);
  t.is(await upload.end(), null, 'what was permitted when it began may end');
  await until(() => server.sessions.length === 0);
  t.deepEqual(await readdir(root), ['under-way']);
  await t.throwsAsync(peer.call('HLIST'));
  const again = await client();
  t.true(E2eeftpError.is(await t.throwsAsync(again.delete('/under-way')), 'E2EEFTP_NOT_PERMITTED'));
});

test('a change that does not concern a key leaves its sessions alone', async (t) => {
  const { server, identity, file, peer } = await listed(
    t,
    'from="127.0.0.0/8,::1",path="/in",max-size=5,expires=2999-01-01',
  );
  await writeFile(file, `# a comment\n\n${await readFile(file, 'utf8')}`);
  await server.reload();
  t.is((await peer.call('HLIST')).status, 200);
  await writeFile(
    file,
    `max-size=5,expires=2999-01-01,path="/in",from="127.0.0.0/8, ::1" ${identity.publicKey.base64} moved`,
  );
  await server.reload();
  t.is((await peer.call('HLIST')).status, 200);
  await writeFile(file, `max-size=5,expires=2999-01-01,path="/in",from="127.0.0.0/8" ${identity.publicKey.base64}`);
  await server.reload();
  await until(() => server.sessions.length === 0);
});

test('a file in the middle of being written ends nobody, but lets nobody in', async (t) => {
  const { server, client, file, peer } = await listed(t);
  const whole = await readFile(file, 'utf8');
  const half = whole.slice(0, 30);
  // Never the same twice in a row, as while an editor writes.
  for (let round = 0; round < 60; round += 1) {
    await writeFile(file, `${half}${' '.repeat(round)}`);
    if (round % 20 === 0) t.true(E2eeftpError.is(await t.throwsAsync(client()), 'E2EEFTP_AUTH_REFUSED'));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await writeFile(file, whole);
  t.is((await peer.call('HLIST')).status, 200);
  t.is(server.sessions.length, 1);
  await (await client()).call('HLIST');
});

test('a file that can’t be read lets nobody in, is reported once, and ends nobody', async (t) => {
  const { server, client, file, peer, errors } = await listed(t);
  const moved = `${file}.moved`;
  await rename(file, moved);
  await mkdir(file);
  t.true(E2eeftpError.is(await t.throwsAsync(client()), 'E2EEFTP_AUTH_REFUSED'));
  await t.throwsAsync(server.reload(), { message: /cannot read/ });
  await until(() => errors.some((error) => E2eeftpError.is(error, 'E2EEFTP_IO')));
  t.is((await peer.call('HLIST')).status, 200);
  await rm(file, { recursive: true });
  await rename(moved, file);
  await chmod(file, 0o600);
  await (await client()).call('HLIST');
  t.is((await peer.call('HLIST')).status, 200);
});

test('a file that is gone for good ends everybody', async (t) => {
  const { server, file, peer } = await listed(t);
  await rm(file);
  await until(() => server.sessions.length === 0, NOTICED_MS);
  await t.throwsAsync(peer.call('HLIST'));
});

test('expires: a transfer that has begun may end, and an idle session may do nothing more', async (t) => {
  let moment = 0;
  const authorizedClients = (): Grant => {
    moment ||= Date.now() + 6_000;
    return { ...fullGrant, expiresAt: new Date(moment) };
  };
  const { server, client, root } = await startPair(t, { authorizedClients });
  const [idle, busy] = [await client(), await client()];
  const upload = await beginUpload(busy, '/begun');
  await until(() => Date.now() > moment + 20, NOTICED_MS);
  t.is(await upload.end(), null);
  t.deepEqual(await readdir(root), ['begun']);
  for (const peer of [idle, busy]) {
    t.true(E2eeftpError.is(await t.throwsAsync(peer.delete('/begun')), 'E2EEFTP_EXPIRED'));
  }
  t.true(E2eeftpError.is(await t.throwsAsync(client()), 'E2EEFTP_AUTH_REFUSED'));
  t.true(server.sessions.length <= 2);
  t.deepEqual(await readdir(root), ['begun']);
});
