import { createServer as createTcpServer, connect as connectTcp, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { writeFile } from 'node:fs/promises';
import test from 'ava';
import { connect, E2eeftpError, fullGrant, Identity, openIdentity, parsePublicKey } from '../../dist/index.js';
import { SshAgent } from '../ssh-agent.js';
import { startPair, until } from './pair.js';

test('a transfer and its streams through the agent, with a plain and with a security key', async (t) => {
  const agent = await SshAgent.start(t);
  const keys = [agent.add('plain', 'ed25519'), agent.add('token', 'ed25519-sk')].map((line) => parsePublicKey(line));
  const seen: string[] = [];
  const { address, server, local } = await startPair(t, {
    authorizedClients: (key) => {
      seen.push(key.fingerprint);
      return keys.some(({ fingerprint }) => fingerprint === key.fingerprint) ? fullGrant : null;
    },
  });
  for (const key of keys) {
    const touched: string[] = [];
    const client = await connect({
      ...address,
      serverKey: server.fingerprint,
      identity: `agent:${key.fingerprint}`,
      agentSocket: agent.socket,
      onTouch: (which) => touched.push(which.fingerprint),
    });
    await writeFile(join(local, 'a'), 'content');
    t.is((await client.send(join(local, 'a'), '/a')).bytes, 7);
    await pipeline(Readable.from([Buffer.from('more')]), client.createWriteStream('/b'));
    await client.close();
    // One for each connection: that of the stream is its own.
    t.deepEqual(touched, key.kind === 'ssh-ed25519' ? [] : [key.fingerprint, key.fingerprint]);
  }
  t.deepEqual(
    seen,
    keys.flatMap(({ fingerprint }) => [fingerprint, fingerprint]),
  );
});

test('several identities: the order, the limit, and who is asked for what', async (t) => {
  const { address, server, identity: friend } = await startPair(t);
  const strangers = Array.from({ length: 8 }, () => Identity.generate());
  const options = { ...address, serverKey: server.fingerprint };
  const second = await connect({ ...options, identity: [strangers[0] as Identity, friend, 'never opened'] });
  t.is((await second.call('HLIST')).status, 200);
  // A further connection of the client shows the one that was accepted.
  await pipeline(Readable.from([Buffer.from('x')]), second.createWriteStream('/x'));
  await second.close();
  const sixth = [...strangers.slice(0, 5), friend];
  await (await connect({ ...options, identity: sixth })).close();
  const seventh = [...strangers.slice(0, 6), friend];
  const refused = await t.throwsAsync(() => connect({ ...options, identity: seventh }));
  t.true(E2eeftpError.is(refused, 'E2EEFTP_AUTH_REFUSED'));
  for (const { publicKey } of strangers.slice(0, 6)) t.true(refused?.message.includes(publicKey.fingerprint));
  t.false(refused?.message.includes(friend.publicKey.fingerprint));
  t.true(E2eeftpError.is(await t.throwsAsync(() => connect({ ...options, identity: [] })), 'E2EEFTP_INVALID_ARGUMENT'));
});

test('no identity is shown to a server with another key, however many there are', async (t) => {
  const { address, identity } = await startPair(t, {
    authorizedClients: () => t.fail('an identity was shown'),
  });
  const wrong = Identity.generate().publicKey.fingerprint;
  const failed = await t.throwsAsync(() =>
    connect({ ...address, serverKey: wrong, identity: [identity, Identity.generate()] }),
  );
  t.true(E2eeftpError.is(failed, 'E2EEFTP_SERVER_KEY_CHANGED'));
});

test('a server that becomes another one between two identities sees no more of them', async (t) => {
  const shown: string[] = [];
  const note = (name: string) => () => {
    shown.push(name);
    return null;
  };
  const first = await startPair(t, { authorizedClients: note('first') });
  const second = await startPair(t, { authorizedClients: note('second') });
  let connections = 0;
  const relay = createTcpServer((socket) => {
    connections += 1;
    const { host, port } = connections === 1 ? first.address : second.address;
    const upstream = connectTcp(port, host);
    socket.on('error', () => upstream.destroy()).pipe(upstream);
    upstream.on('error', () => socket.destroy()).pipe(socket);
  });
  relay.listen(0, '127.0.0.1');
  t.teardown(() => relay.close());
  await until(() => relay.listening);
  const { port } = relay.address() as AddressInfo;
  const identities = [Identity.generate(), Identity.generate()];
  const failed = await t.throwsAsync(() =>
    connect({ host: '127.0.0.1', port, serverKey: first.server.fingerprint, identity: identities }),
  );
  t.true(E2eeftpError.is(failed, 'E2EEFTP_SERVER_KEY_CHANGED'), String(failed));
  t.deepEqual(shown, ['first']);
  t.is(connections, 2);
});

test('a forged refusal makes the client show its next identity, to the same server only', async (t) => {
  const shown: string[] = [];
  const { address, server, identity } = await startPair(t, {
    authorizedClients: (key) => {
      shown.push(key.fingerprint);
      return fullGrant;
    },
  });
  const helloLength = 4 + 1536;
  let connections = 0;
  const relay = createTcpServer((socket) => {
    connections += 1;
    const isForged = connections === 1;
    const upstream = connectTcp(address.port, address.host);
    let passed = 0;
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy()).pipe(socket, { end: !isForged });
    if (!isForged) socket.pipe(upstream);
    else {
      socket.on('data', (chunk) => {
        passed += chunk.length;
        if (passed <= helloLength) upstream.write(chunk);
        else socket.end(Buffer.from('5300000400000001', 'hex'));
      });
    }
    socket.on('close', () => upstream.destroy());
  });
  relay.listen(0, '127.0.0.1');
  t.teardown(() => relay.close());
  await until(() => relay.listening);
  const { port } = relay.address() as AddressInfo;
  const client = await connect({
    host: '127.0.0.1',
    port,
    serverKey: server.fingerprint,
    identity: [Identity.generate(), identity],
  });
  t.deepEqual(shown, [identity.publicKey.fingerprint]);
  await client.close();
  t.is(connections, 2);
});

test('an agent that has lost the key: the next identity is tried', async (t) => {
  const agent = await SshAgent.start(t);
  agent.add('gone', 'ed25519');
  const { address, server, identity: friend } = await startPair(t);
  const gone = await openIdentity('agent:gone', { agentSocket: agent.socket });
  agent.clear();
  const options = { ...address, serverKey: server.fingerprint };
  await (await connect({ ...options, identity: [gone, friend] })).close();
  const failed = await t.throwsAsync(() => connect({ ...options, identity: gone }));
  t.true(E2eeftpError.is(failed, 'E2EEFTP_AGENT'), String(failed));
});

test('a server does not wait for ever for a client’s proof', async (t) => {
  const { address, server, errors } = await startPair(t, { proofTimeoutMs: 200 });
  const agent = await SshAgent.start(t);
  const silent = createTcpServer().listen(join(agent.directory, 'silent'));
  t.teardown(() => silent.close());
  await until(() => silent.listening);
  const identity = Identity.fromAgent(join(agent.directory, 'silent'), Identity.generate().publicKey);
  const failed = await t.throwsAsync(() => connect({ ...address, serverKey: server.fingerprint, identity }));
  t.true(E2eeftpError.is(failed, 'E2EEFTP_TIMEOUT'), String(failed));
  t.deepEqual(errors, []);
});

test('a server’s identity is not in an agent', async (t) => {
  const agent = await SshAgent.start(t);
  agent.add('key', 'ed25519');
  const identity = await openIdentity('agent', { agentSocket: agent.socket });
  const failed = await t.throwsAsync(() => startPair(t, { identity }));
  t.true(E2eeftpError.is(failed, 'E2EEFTP_UNSUPPORTED'), String(failed));
});
