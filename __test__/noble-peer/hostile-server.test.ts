/**
 * A server whose key the client trusts and that leaves the page in one place: the client names the fault, keeps nothing
 * that is not whole, and has not said who it is before the server was found to be the right one.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { blake3 } from '@noble/hashes/blake3.js';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { type Client, connect } from '../../dist/index.js';
import { Sandbox } from '../cli/run.js';
import { concat, lv16, text, uint } from './byte-fields.js';
import type { Deviation, Message } from './flight.js';
import { nextRequest, NobleServer, type NobleServerOptions, sayReady, type Serve, serveFiles } from './noble-server.js';
import { encodeInner, MIN_RECORD_LIMIT, TYPE } from './record-layer.js';
import type { NobleSession } from './session.js';
import { sshBlob } from './signing-identity.js';
import { newIdentity } from './world.js';

/** A library client of a server of ours. */
function join(box: Sandbox, server: NobleServer): Promise<Client> {
  return connect({
    reconnectMs: 0,
    host: '127.0.0.1',
    port: server.port,
    identity: box.write('client.key', newIdentity().pem),
    serverKey: server.fingerprint,
    timeoutMs: 5000,
  });
}

function sandbox(t: ExecutionContext): Sandbox {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  return box;
}

function patched(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, at);
  return copy;
}

/** The client gives up with this code, and the server never gets its M5. */
async function assertNotTrusted(
  t: ExecutionContext,
  what: string,
  options: NobleServerOptions,
  code: RegExp = /^E2EEFTP_(PROTOCOL|INTEGRITY|WEAK_KEY|INCOMPATIBLE)$/,
): Promise<void> {
  const server = await NobleServer.start(t, options);
  const error = await t.throwsAsync(join(sandbox(t), server), undefined, what);
  t.regex((error as Error & { code: string }).code, code, `${what}: ${String(error)}`);
  await server.idle();
  t.is(server.sessions.length, 0, what);
}

test('a hello that chooses what was not offered, or has reserved bits', async (t) => {
  const small = '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157';
  const hellos: [what: string, at: number, ...values: number[]][] = [
    ['message 1', 0, 1],
    ['version 2', 1, 2],
    ['version 0', 1, 0],
    ['suite 0', 2, 0],
    ['suite 3', 2, 3],
    ['a join that nobody asked for', 3, 1],
    ['a flag', 3, 0x80],
    ['reserved bytes', 7, 1],
    ['an X25519 share of small order', 1128, ...Buffer.from(small, 'hex')],
    ['bytes behind the extensions', 1215, 1],
  ];
  for (const [what, at, ...values] of hellos) {
    await assertNotTrusted(t, what, { deviation: { hello: (body) => patched(body, at, ...values) } });
  }
});

test('a proof that is wrong in one place', async (t) => {
  const other = newIdentity();
  const without = (type: number) => (list: Message[]) => list.filter((message) => message.type !== type);
  const deviations: Record<string, Deviation> = {
    'one bit of Finished': { finished: (code) => patched(code, 0, (code[0] ?? 0) ^ 1) },
    'a signature over another transcript': { signedHash: () => new Uint8Array(randomBytes(48)) },
    'a signature made as a client': { signedAs: 'client' },
    'a signature of zeros': { signature: () => lv16(sshBlob(new Uint8Array(64))) },
    'an identity of another kind': { id: (value) => patched(value, 0, 0) },
    'the identity of another': { id: () => concat(Uint8Array.of(1), lv16(sshBlob(other.publicKey))) },
    'a key of small order': {
      id: () => concat(Uint8Array.of(1), lv16(sshBlob(concat(Uint8Array.of(1), new Uint8Array(31))))),
      signature: () => lv16(sshBlob(concat(Uint8Array.of(1), new Uint8Array(63)))),
    },
    'no identity, as in a join': { messages: (list) => [...list.slice(0, 1), ...list.slice(3)] },
    'no signature': { messages: without(6) },
    'no Finished': { messages: without(7) },
    'no parameters': { messages: without(4) },
    'parameters at the end': { messages: (list) => [...list.slice(1), ...list.slice(0, 1)] },
    'an unknown message': { messages: (list) => [...list, { type: 99, value: text('x') }] },
    'a record limit of 0': { parameters: (value) => patched(value, 0, 0, 0, 0, 0) },
    'a record limit of 20503': { parameters: (value) => patched(value, 0, ...uint(MIN_RECORD_LIMIT - 1, 4)) },
    'a record limit of 266265': { parameters: (value) => patched(value, 0, ...uint(266_265, 4)) },
    'reserved parameters': { parameters: (value) => patched(value, 39, 1) },
    'parameters of 39 bytes': { parameters: (value) => value.slice(1) },
    'another inner type': { inner: (inner) => patched(inner, 0, TYPE.control) },
    'padding that is not zero': { inner: (inner) => patched(inner, inner.length - 1, 1) },
  };
  for (const [what, deviation] of Object.entries(deviations)) await assertNotTrusted(t, what, { deviation });
  // Features that the client does not know are no fault.
  const server = await NobleServer.start(t, { deviation: { parameters: (value) => patched(value, 4, 255, 255) } });
  const client = await join(sandbox(t), server);
  await client.close();
});

test('a thief of the client’s key can not pose as its server', async (t) => {
  const box = sandbox(t);
  const stolen = newIdentity();
  const trueServer = newIdentity();
  const thief = await NobleServer.start(t, { identity: stolen });
  const asServer = { id: () => concat(Uint8Array.of(1), lv16(sshBlob(trueServer.publicKey))) };
  const liar = await NobleServer.start(t, { identity: stolen, deviation: asServer });
  const { fingerprint: pin } = await NobleServer.start(t, { identity: trueServer });
  for (const [server, code] of [
    [thief, 'E2EEFTP_SERVER_KEY_CHANGED'],
    [liar, 'E2EEFTP_INTEGRITY'],
  ] as const) {
    const identity = box.write('client.key', stolen.pem);
    const options = { host: '127.0.0.1', port: server.port, identity, serverKey: pin };
    await t.throwsAsync(connect(options), { code });
    await server.idle();
    t.is(server.sessions.length, 0, 'the client has not said who it is');
  }
});

/** Serves one GET with a script of its own. */
const onGet =
  (script: (session: NobleSession, id: number, server: NobleServer) => Promise<void>): Serve =>
  async (session, server) => {
    await sayReady(session);
    const request = await nextRequest(session);
    if (request === undefined) return;
    await script(session, Number(request['id']), server);
    // What else the client says is of no interest here.
    await session.wire.ended();
  };

const CONTENT = new Uint8Array(randomBytes(300_000));
const ROOT = blake3(CONTENT);
const announce = (session: NobleSession, id: number): Promise<void> =>
  session.sendControl({ id, status: 150, text: '', size: CONTENT.length, mtime: 0, mode: 0o600 });
const finish = (session: NobleSession, id: number): Promise<void> =>
  session.sendControl({ id, status: 226, text: '', bytes: CONTENT.length, root: ROOT });
const raw = (session: NobleSession, type: number, content: Uint8Array, stream = 0, flags = 0): Promise<void> =>
  session.wire.send(session.sealer.keys.seal(encodeInner({ type, flags, stream, content }, new Uint8Array())));

test('downloads that break a rule leave the old file, and nothing else', async (t) => {
  const scripts: Record<string, Parameters<typeof onGet>[0]> = {
    'an unknown inner type': async (session, id) => {
      await announce(session, id);
      await raw(session, 8, text('x'));
    },
    'an unknown inner type in place of a reply': (session) => raw(session, 0x10, text('x')),
    'a flag on Data': async (session, id) => {
      await announce(session, id);
      await raw(session, TYPE.data, CONTENT.slice(0, 1000), id, 1);
    },
    'Data of another stream': async (session, id) => {
      await announce(session, id);
      await session.sendBody(id + 1, CONTENT, ROOT);
      await finish(session, id);
    },
    'another root': async (session, id) => {
      await announce(session, id);
      await session.sendBody(id, CONTENT, new Uint8Array(32));
      await finish(session, id);
    },
    'fewer bytes than announced': async (session, id) => {
      await announce(session, id);
      const part = CONTENT.slice(1);
      await session.sendBody(id, part, blake3(part));
      await finish(session, id);
    },
    'more bytes than announced': async (session, id) => {
      await announce(session, id);
      const more = concat(CONTENT, Uint8Array.of(1));
      await session.sendBody(id, more, blake3(more));
      await finish(session, id);
    },
    'another root in the reply': async (session, id) => {
      await announce(session, id);
      await session.sendBody(id, CONTENT, ROOT);
      await session.sendControl({ id, status: 226, text: '', bytes: CONTENT.length, root: new Uint8Array(32) });
    },
    'a reply to another request': async (session, id) => {
      await announce(session, id);
      await session.sendBody(id, CONTENT, ROOT);
      await finish(session, id + 1);
    },
    'the end of the stream in the middle': async (session, id) => {
      await announce(session, id);
      await session.send({ type: TYPE.data, stream: id, content: CONTENT.slice(0, 100_000) });
      session.wire.socket.end();
    },
    'the end of the stream before the reply': async (session, id) => {
      await announce(session, id);
      await session.sendBody(id, CONTENT, ROOT);
      session.wire.socket.end();
    },
    'Close in the middle': async (session, id) => {
      await announce(session, id);
      await session.send({ type: TYPE.data, stream: id, content: CONTENT.slice(0, 100_000) });
      await session.close();
    },
    'records after Close': async (session, id) => {
      await announce(session, id);
      await session.send({ type: TYPE.close, content: uint(0, 2) });
      await session.sendBody(id, CONTENT, ROOT);
      await finish(session, id);
    },
    'the client’s own record sent back': async (session, id) => {
      await announce(session, id);
      await session.wire.send(session.wire.last);
    },
    'a refusal in clear in the middle': async (session, id) => {
      await announce(session, id);
      await session.wire.send(Uint8Array.of(0x53, 0, 0, 4, 0, 0, 0, 1));
    },
  };
  for (const [what, script] of Object.entries(scripts)) {
    const box = sandbox(t);
    const server = await NobleServer.start(t, { serve: onGet(script) });
    const client = await join(box, server);
    box.write('here/target', 'old');
    const error = await t.throwsAsync(client.get('file', box.path('here/target')), undefined, what);
    t.regex((error as Error & { code: string }).code, /^E2EEFTP_(PROTOCOL|INTEGRITY|CONNECTION_LOST|CLOSED)$/, what);
    t.is(box.read('here/target'), 'old', what);
    await client.close();
    t.deepEqual(box.list('here'), ['target'], what);
  }
});

test('a server does not get past its own smaller record limit', async (t) => {
  for (const [length, isTaken] of [
    [MIN_RECORD_LIMIT, true],
    [MIN_RECORD_LIMIT + 1, false],
  ] as const) {
    const box = sandbox(t);
    const server = await NobleServer.start(t, {
      maxRecord: MIN_RECORD_LIMIT,
      serve: onGet(async (session, id) => {
        const first = length - 24;
        await announce(session, id);
        await raw(session, TYPE.data, CONTENT.slice(0, first), id);
        for (let at = first; at < CONTENT.length; at += 20_000) {
          await raw(session, TYPE.data, CONTENT.slice(at, at + 20_000), id);
        }
        await session.sendEnd(id, CONTENT.length, ROOT);
        await finish(session, id);
      }),
    });
    const client = await join(box, server);
    const got = client.get('file', box.path('target'));
    if (isTaken) {
      await got;
      t.true(box.bytes('target').equals(CONTENT));
    } else {
      await t.throwsAsync(got, { code: 'E2EEFTP_PROTOCOL' });
      t.false(existsSync(box.path('target')));
    }
    await client.close();
  }
  // A control message may be as long as the limit lets it be, too; a longer record is refused from its header.
  const server = await NobleServer.start(t, {
    maxRecord: MIN_RECORD_LIMIT,
    serve: async (session) => {
      await sayReady(session);
      await session.wire.send(Uint8Array.of(0x52, ...uint(MIN_RECORD_LIMIT + 1, 3)));
      await session.wire.ended();
    },
  });
  const client = await join(sandbox(t), server);
  await t.throwsAsync(client.stat('x'), { code: 'E2EEFTP_PROTOCOL' });
  await client.close();
});

test('an honest server of the same make is served by the same client', async (t) => {
  const box = sandbox(t);
  const server = await NobleServer.start(t, { serve: serveFiles });
  server.files.set('file', CONTENT);
  const client = await join(box, server);
  await client.get('file', box.path('target'));
  t.true(box.bytes('target').equals(CONTENT));
  await client.close();
});
