import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { E2eeftpError, Identity, connect, fullGrant } from '../../dist/index.js';
import type { Grant, LoginEvent, Session } from '../../dist/index.js';
import { startPair, until } from './pair.js';

test('login: each proved key, let in or refused, with the reason that the client is not told', async (t) => {
  let answer: Partial<Grant> | null = { ...fullGrant, user: 'ann' };
  const { server, identity, address, client } = await startPair(t, {
    authorizedClients: () => {
      if (answer === null) return null;
      if (answer.user === 'broken') throw new Error('database down');
      return answer;
    },
  });
  const logins: LoginEvent[] = [];
  server.on('login', (login) => logins.push(login));
  await client();
  const refusals: [Partial<Grant> | null, string][] = [
    [null, 'unknown-key'],
    [{ ...fullGrant, user: 'bob', expiresAt: new Date(1_000) }, 'expired'],
    [{ ...fullGrant, user: 'bob', from: ['10.0.0.0/8', '::/0'] }, 'address'],
    [{ ...fullGrant, user: 'bob', from: [] }, 'address'],
    [{ ...fullGrant, user: 'bob', from: ['nonsense'] }, 'error'],
    [{ ...fullGrant, user: 'bob', from: [5] as never }, 'error'],
    [{ ...fullGrant, user: 'broken' }, 'error'],
  ];
  const stranger = Identity.generate();
  const texts = new Set<string>();
  for (const [grant] of refusals) {
    answer = grant;
    const error = await t.throwsAsync(connect({ ...address, identity: stranger, serverKey: server.fingerprint }));
    t.true(E2eeftpError.is(error, 'E2EEFTP_AUTH_REFUSED'), String(error));
    texts.add(String(error));
  }
  t.is(texts.size, 1, 'all refusals look the same');
  await until(() => logins.length === refusals.length + 1);
  t.deepEqual(
    logins.map(({ accepted, reason }) => [accepted, reason]),
    [[true, null], ...refusals.map(([, reason]) => [false, reason])],
  );
  const [first, second, third] = logins;
  t.like(first, { user: 'ann', fingerprint: identity.publicKey.fingerprint, host: '127.0.0.1' });
  t.true(Number(first?.port) > 0);
  t.like(second, { user: stranger.publicKey.fingerprint, fingerprint: stranger.publicKey.fingerprint });
  t.is(third?.user, stranger.publicKey.fingerprint, 'a grant that does not count names nobody');
});

test('a function that decides about keys and hangs lets nobody in', async (t) => {
  const { server, client, errors } = await startPair(t, {
    authorizedClients: () => new Promise(() => undefined),
    hookTimeoutMs: 100,
  });
  const reasons: unknown[] = [];
  server.on('login', ({ reason }) => reasons.push(reason));
  const error = await t.throwsAsync(client());
  t.true(E2eeftpError.is(error, 'E2EEFTP_AUTH_REFUSED'));
  await until(() => reasons.length === 1);
  t.deepEqual(reasons, ['error']);
  t.true(E2eeftpError.is(errors[0], 'E2EEFTP_HOOK_TIMEOUT'));
});

test('a refused address leaves no trace in the root', async (t) => {
  const { client, root } = await startPair(t, { grant: { ...fullGrant, path: '/new', from: ['192.0.2.0/24'] } });
  await t.throwsAsync(client());
  t.deepEqual(await readdir(root), []);
});

/** A listener as an application may write it by mistake. */
function rejects(name: string): () => void {
  const listener: () => unknown = () => Promise.reject(new Error(`${name} rejects`));
  return listener;
}

test('listeners that throw or reject harm neither the server nor the other listeners', async (t) => {
  const { server, client, local, errors } = await startPair(t);
  const heard: string[] = [];
  for (const name of ['login', 'session', 'transfer'] as const) {
    server.on(name, () => {
      throw new Error(`${name} throws`);
    });
    server.on(name, rejects(name));
    server.on(name, () => heard.push(name));
    server.once(name, () => heard.push(`${name} once`));
  }
  server.on('error', () => {
    throw new Error('the error listener throws');
  });
  server.on('error', rejects('the error listener'));
  await writeFile(join(local, 'f'), 'x');
  for (const path of ['/f', '/g']) await (await client()).send(join(local, 'f'), path);
  await until(() => errors.length === 12);
  t.deepEqual(heard, [
    'login',
    'login once',
    'session',
    'session once',
    'transfer',
    'transfer once',
    'login',
    'session',
    'transfer',
  ]);
  t.deepEqual(
    [...new Set(errors.map((error) => (error as Error).message))].toSorted(),
    ['login', 'session', 'transfer'].flatMap((name) => [`${name} rejects`, `${name} throws`]),
  );
});

test('a session tells who it is, can be closed after its request, and tells when it has ended', async (t) => {
  const { server, client } = await startPair(t, { grant: { ...fullGrant, user: 'ann' } });
  const sessions: Session[] = [];
  server.on('session', (session) => sessions.push(session));
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const order: string[] = [];
  server.command('WAIT', {
    summary: 'x',
    handler: async () => {
      order.push('begun');
      await opened;
      return { text: 'answered' };
    },
  });
  const peer = await client();
  await until(() => sessions.length === 1);
  const [session] = sessions;
  if (session === undefined) throw new Error('no session');
  t.is(session.user, 'ann');
  t.is(session.peer.host, '127.0.0.1');
  void session.closed.then(() => order.push('ended'));
  const answer = peer.call('WAIT');
  await until(() => order.length === 1);
  const closing = Promise.all([session.close(), session.close()]);
  open();
  t.is((await answer).text, 'answered', 'the running request is not disturbed');
  await closing;
  t.deepEqual(order, ['begun', 'ended']);
  t.deepEqual(server.sessions, []);
  await t.throwsAsync(peer.call('HLIST'));
  await session.close();
  const idle = await client();
  await until(() => sessions.length === 2);
  await sessions[1]?.close();
  t.true(E2eeftpError.is(await t.throwsAsync(idle.call('HLIST')), 'E2EEFTP_CONNECTION_LOST'));
});

test('limits count over all addresses of a server', async (t) => {
  const { server, identity, client } = await startPair(t, { listen: [{ port: 0 }, { port: 0 }], maxConnections: 1 });
  const [, second] = server.addresses;
  if (second === undefined) throw new Error('no second address');
  const first = await client();
  const options = { ...second, identity, serverKey: server.fingerprint };
  t.true(E2eeftpError.is(await t.throwsAsync(connect(options)), 'E2EEFTP_RATE_LIMITED'));
  await first.close();
  // The place is free when the server has noticed.
  await until(async () => {
    const other = await connect(options).catch(() => null);
    if (other === null) return false;
    t.is((await other.call('HLIST')).status, 200);
    await other.close();
    return true;
  });
});

test('transfers on one address wait for those on the other', async (t) => {
  const { server, identity, client, local } = await startPair(t, {
    listen: [{ port: 0 }, { port: 0 }],
    maxTransfers: 1,
  });
  const [, second] = server.addresses;
  if (second === undefined) throw new Error('no second address');
  await mkdir(join(local, 'd'));
  await writeFile(join(local, 'f'), Buffer.alloc(3_000_000, 1));
  const one = await client();
  const two = await connect({ ...second, identity, serverKey: server.fingerprint });
  t.teardown(() => two.close());
  const order: string[] = [];
  const slow = one.createWriteStream('/slow');
  await new Promise<void>((resolve, reject) => {
    slow.write('holds the only place', (error) => (error ? reject(error) : resolve()));
  });
  const sending = two.send(join(local, 'f'), '/f').then(() => order.push('the other address'));
  await new Promise((resolve) => setTimeout(resolve, 300));
  order.push('the first ends');
  await new Promise<void>((resolve) => slow.end(() => resolve()));
  await sending;
  t.deepEqual(order, ['the first ends', 'the other address']);
});
