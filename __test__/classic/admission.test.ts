/** Who is let in, under which limits, for how long: the same rules as for any other client. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { connect, connectClassic, E2eeftpError, fullGrant, Identity } from '../../dist/index.js';
import type { GivenGrant, LoginEvent } from '../../dist/index.js';
import { until } from '../e2e/pair.js';
import { startClassic } from './pair.js';
import { rawCommand, rawConnect, rawHello, rawIdentity, rawSeal } from './raw-peer.js';

test('a key is good only from its networks', async (t) => {
  const near = await startClassic(t, { keyOptions: 'from="192.0.2.0/24,127.0.0.0/8"' });
  t.is(await near.raw('LIST\n'), '200|0\n');
  const far = await startClassic(t, { keyOptions: 'from="192.0.2.0/24,::/0",path="/new"' });
  t.is(await far.raw('LIST\n'), 'REFUSED');
  t.deepEqual(readdirSync(far.root), [], 'a refused address leaves no trace in the root');
  t.deepEqual([...near.errors, ...far.errors], []);
});

test('login: each key, let in or refused, with the reason that the client is not told', async (t) => {
  let answer: GivenGrant | null = { ...fullGrant, user: 'ann' };
  const { server, port, raw, identity } = await startClassic(t, {
    authorizedClients: () => {
      if (answer?.user === 'broken') throw new Error('database down');
      return answer;
    },
  });
  const logins: LoginEvent[] = [];
  server.on('login', (login) => logins.push(login));
  t.is(await raw('LIST\n'), '200|0\n');
  const refusals: [GivenGrant | null, string][] = [
    [null, 'unknown-key'],
    [{ ...fullGrant, expiresAt: new Date(1_000) }, 'expired'],
    [{ ...fullGrant, from: ['10.0.0.0/8', '::/0'] }, 'address'],
    [{ ...fullGrant, from: [] }, 'address'],
    [{ ...fullGrant, from: ['nonsense'] }, 'error'],
    [{ ...fullGrant, user: 'broken' }, 'error'],
  ];
  for (const [grant] of refusals) {
    answer = grant;
    t.is(await raw('LIST\n'), 'REFUSED');
  }
  answer = { ...fullGrant, user: 'ann' };
  const hello = rawHello(identity);
  (await rawConnect(port, identity, hello))?.connection.close();
  t.is(await rawConnect(port, identity, hello), null);
  await until(() => logins.length === refusals.length + 3);
  t.deepEqual(
    logins.map(({ accepted, reason }) => [accepted, reason]),
    [[true, null], ...refusals.map(([, reason]) => [false, reason]), [true, null], [false, 'replay']],
  );
  t.like(logins[0], { user: 'ann', host: '127.0.0.1' });
});

test('the limits count over all addresses of a server', async (t) => {
  const { server, port, raw, identity } = await startClassic(t, { maxConnections: 1 });
  const address = server.addresses[0];
  const open = await connect({
    host: '127.0.0.1',
    port: address?.port ?? 0,
    identity: Identity.parse(identity.pem),
    serverKey: server.fingerprint,
  });
  t.is(await raw('LIST\n'), 'REFUSED');
  await open.close();
  await until(async () => (await raw('LIST\n')) === '200|0\n');
  // The place of the connection before is free a moment after its end.
  let old: Awaited<ReturnType<typeof rawConnect>> = null;
  await until(async () => (old ??= await rawConnect(port, identity)) !== null);
  await t.throwsAsync(
    connect({
      host: '127.0.0.1',
      port: address?.port ?? 0,
      identity: Identity.parse(identity.pem),
      serverKey: server.fingerprint,
    }),
  );
  (old as Awaited<ReturnType<typeof rawConnect>>)?.connection.close();
});

test('a key that is taken from the list ends its connections at once', async (t) => {
  const { server, port, identity, root, directory, raw } = await startClassic(t);
  const [idle, busy] = [await rawConnect(port, identity), await rawConnect(port, identity)];
  busy?.connection.send('SEND|b|1040\n');
  busy?.connection.send(Buffer.alloc(100));
  await until(() => readdirSync(root).length === 1);
  writeFileSync(join(directory, 'data', 'authorized_clients.pub'), '');
  await server.reload();
  for (const client of [idle, busy]) t.is((await client?.connection.ended)?.said.length, 132);
  await until(() => readdirSync(root).length === 0);
  t.is(await raw('LIST\n'), 'REFUSED');
});

test('other options end a connection that waits for its command, and not a running one', async (t) => {
  const { server, port, identity, root, directory, raw } = await startClassic(t);
  const [idle, busy] = [await rawConnect(port, identity), await rawConnect(port, identity)];
  const piece = rawSeal(busy?.keys ?? Buffer.alloc(64), Buffer.from('hello'));
  busy?.connection.send(Buffer.concat([Buffer.from('SEND|b|64\n'), piece.subarray(0, 20)]));
  await until(() => readdirSync(root).length === 1);
  writeFileSync(join(directory, 'data', 'authorized_clients.pub'), `read-only ${identity.line}\n`);
  await server.reload();
  t.is((await idle?.connection.ended)?.said.length, 132);
  busy?.connection.send(piece.subarray(20));
  t.is((await busy?.connection.ended)?.said.subarray(132).toString(), '226|Transfer Complete\n');
  t.is(readFileSync(join(root, 'b'), 'utf8'), 'hello');
  t.is(await raw('SEND|c|64\n'), '403|Not permitted\n');
});

test('the key of a server may have a passphrase', async (t) => {
  const key = Identity.generate();
  const directory = (await startClassic(t)).directory;
  const data = join(directory, 'locked', 'data');
  mkdirSync(data, { recursive: true });
  await key.save(join(data, 'server_id.key'), { passphrase: 'open sesame' });
  const { server, raw } = await startClassic(t, { directory: join(directory, 'locked'), passphrase: 'open sesame' });
  t.is(server.fingerprint, key.publicKey.fingerprint);
  t.is(await raw('LIST\n'), '200|0\n');
});

test('a client logs in with a plain key of a file, which may have a passphrase', async (t) => {
  const { client, local, server, port, directory } = await startClassic(t);
  const file = join(local, 'locked.key');
  const own = Identity.generate();
  await own.save(file, { passphrase: 'open sesame' });
  writeFileSync(join(directory, 'data', 'authorized_clients.pub'), `${own.publicKey.openssh}\n`);
  await server.reload();
  const names = await (await client({ identity: file, passphrase: 'open sesame' })).list();
  t.deepEqual(names, []);
  const target = { host: '127.0.0.1', port, serverKey: server.fingerprint };
  const wrong = await t.throwsAsync(connectClassic({ ...target, identity: file, passphrase: 'wrong' }));
  t.true(E2eeftpError.is(wrong, 'E2EEFTP_WRONG_PASSPHRASE'), String(wrong));
  writeFileSync(join(local, 'own.pub'), `${own.publicKey.openssh}\n`);
  const agent = Identity.fromAgent(join(local, 'no-agent'), own.publicKey);
  for (const identity of ['agent', 'agent:somebody', join(local, 'own.pub'), agent]) {
    const error = await t.throwsAsync(connectClassic({ ...target, identity }));
    t.true(E2eeftpError.is(error, 'E2EEFTP_UNSUPPORTED'), String(error));
  }
  t.is(await rawCommand(port, rawIdentity(), 'LIST\n'), 'REFUSED');
  t.true(existsSync(file));
});
