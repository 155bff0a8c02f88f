/**
 * A client that holds a key on the server's list, does everything right, and then leaves the page in one place: the
 * server turns it away with the one refusal, or ends the session, and serves the next client.
 */
import { randomBytes } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { until } from '../cli/run.js';
import { concat, fromHex, lv16, ProtocolFault, text, uint } from './byte-fields.js';
import type { Deviation, Message } from './flight.js';
import { dial, NobleClient } from './noble-client.js';
import { NobleServer } from './noble-server.js';
import { DirectionKeys, encodeInner, MAX_PAD, TYPE } from './record-layer.js';
import { encodeChain } from './rotation.js';
import type { NobleSession } from './session.js';
import { sshBlob } from './signing-identity.js';
import { assertServes, authorize, logged, newIdentity, type World, world } from './world.js';
import { Refused, StreamEnded } from './wire.js';

/** Connects with a deviation and expects the refusal that all causes share. */
async function assertRefused(
  t: ExecutionContext,
  { options }: World,
  what: string,
  deviation: Deviation,
): Promise<void> {
  const error = await t.throwsAsync(
    async () => {
      const session = await dial({ ...options, deviation });
      await session.receive();
    },
    { instanceOf: Refused },
    what,
  );
  t.is(error.code, 1, what);
}

/** Nothing of what was tried became a session. */
async function assertNobodyCameIn(t: ExecutionContext, all: World): Promise<void> {
  t.is(logged(all.server.run.stderr, /session opened/), 0, all.server.run.stderr);
  await assertServes(t, all);
}

/** The same bytes with those from `at` on replaced. */
function patched(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice();
  copy.set(values, at);
  return copy;
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array => patched(bytes, at, (bytes[at] ?? 0) ^ 1);

test('the deviations are what makes the difference: without one, the client comes in', async (t) => {
  const all = await world(t);
  const session = await dial({ ...all.options, deviation: {} });
  t.is((await session.control())['status'], 200);
  await session.close();
  await assertServes(t, all);
});

test('a hello of another version, with flags, suites or reserved bytes that are not there', async (t) => {
  const all = await world(t);
  const weakX25519 = fromHex('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800');
  const hellos: [what: string, at: number, ...values: number[]][] = [
    ['message 2', 0, 2],
    ['version 0', 1, 0],
    ['version 2', 1, 2],
    ['flag 0x01', 2, 1],
    ['flag 0x80', 2, 0x80],
    ['a join with a made-up id and binder', 2, 2],
    ['no ssh-ed25519', 3, 0xfe],
    ['no suite', 4, 0, 0],
    ['only unknown suites', 4, 0xff, 0xfc],
    ['no preference', 6, 0],
    ['an unknown preference', 6, 3],
    ['a preference that is not offered', 5, 1, 2],
    ['reserved byte 7', 7, 1],
    ['an ML-KEM coefficient of 3329', 40, 0x01, 0x1d, 0xd0],
    ['an X25519 share of small order', 1224, ...weakX25519],
    ['the same with the top bit', 1224, ...patched(weakX25519, 31, 0x80)],
    ['a retry cookie', 1336, 1],
    ['a puzzle answer', 1407, 1],
    ['an extension that reaches out of its area', 1408, 0x1a, 0x1a, 0, 109],
    ['bytes behind the last extension', 1408, 0, 0, 0, 1],
    ['a knock', 1535, 1],
  ];
  for (const [what, at, ...values] of hellos) {
    await assertRefused(t, all, what, { hello: (body) => patched(body, at, ...values) });
  }
  // Allowed: unknown bits in lists, and any well-formed list of unknown extensions.
  for (const [at, ...values] of [
    [3, 0xff],
    [4, 0xff, 0xff],
    [1408, 0x12, 0x34, 0, 104, ...new Uint8Array(104), 0, 0, 0, 0],
  ] as const) {
    const session = await dial({ ...all.options, deviation: { hello: (body) => patched(body, at, ...values) } });
    t.is((await session.control())['status'], 200);
    await session.close();
  }
  await assertServes(t, all);
});

test('a proof that is wrong in one place', async (t) => {
  const all = await world(t);
  const otherHash = new Uint8Array(randomBytes(48));
  const { publicKey } = all.identity;
  const without = (type: number) => (list: Message[]) => list.filter((message) => message.type !== type);
  const deviations: Record<string, Deviation> = {
    'one bit of Finished': { finished: (code) => flipped(code, 47) },
    'Finished of zeros': { finished: () => new Uint8Array(48) },
    'a shorter Finished': { finished: (code) => code.slice(1) },
    'a signature over another transcript': { signedHash: () => otherHash },
    'a signature made as the server': { signedAs: 'server' },
    'one bit of the signature': { signature: (value) => flipped(value, 60) },
    'a signature of zeros': { signature: () => lv16(sshBlob(new Uint8Array(64))) },
    'bytes behind the signature': { signature: (value) => concat(value, Uint8Array.of(0)) },
    'an identity of another kind': { id: (value) => patched(value, 0, 2) },
    'an identity with bytes behind it': { id: (value) => concat(value, Uint8Array.of(0)) },
    'an identity of 31 bytes': { id: () => concat(Uint8Array.of(1), lv16(sshBlob(publicKey.slice(1)))) },
    'no identity': { messages: without(8) },
    'no signature': { messages: without(9) },
    'no Finished': { messages: without(10) },
    'Finished alone, as in a join': { messages: (list) => list.slice(2) },
    'Finished in front': { messages: (list) => list.toReversed() },
    'a message twice': { messages: (list) => [...list, ...list.slice(2)] },
    'the server’s numbers': { messages: (list) => list.map(({ type, value }) => ({ type: type - 3, value })) },
    'an unknown message at the end': { messages: (list) => [...list, { type: 99, value: new Uint8Array() }] },
    'a statement about its key, as of a server': {
      before: (type) => (type === 10 ? [{ type: 11, value: encodeChain([newIdentity(), all.identity]) }] : []),
    },
    'another inner type': { inner: (inner) => patched(inner, 0, TYPE.control) },
    'a flag': { inner: (inner) => patched(inner, 1, 1) },
    'a stream': { inner: (inner) => patched(inner, 7, 1) },
    'padding that is not zero': { inner: (inner) => patched(inner, inner.length - 1, 1) },
    'more padding than there is room': { inner: (inner) => patched(inner, 2, 0x0f, 0xff) },
    'a shorter record': { inner: (inner) => patched(inner, 2, 0, 0).slice(0, 500) },
    'a longer record': { inner: (inner) => patched(concat(inner, new Uint8Array(8)), 2, 0, 0) },
  };
  for (const [what, deviation] of Object.entries(deviations)) await assertRefused(t, all, what, deviation);
  await assertNobodyCameIn(t, all);
});

test('a listed client can not come in as another one', async (t) => {
  const all = await world(t);
  const victim = newIdentity();
  await authorize(all.box, victim, 'victim');
  const asVictim = concat(Uint8Array.of(1), lv16(sshBlob(victim.publicKey)));
  // Names the victim and signs with its own key; everything after that fits.
  await assertRefused(t, all, 'own signature', { id: () => asVictim });
  // The key under which one signature fits every message.
  const neutral = concat(Uint8Array.of(1), lv16(sshBlob(concat(Uint8Array.of(1), new Uint8Array(31)))));
  const everywhere = concat(Uint8Array.of(1), new Uint8Array(63));
  await assertRefused(t, all, 'a key of small order', {
    id: () => neutral,
    signature: () => lv16(sshBlob(everywhere)),
  });
  await assertNobodyCameIn(t, all);
});

test('what a client proves to a false server is worth nothing at the true one', async (t) => {
  const all = await world(t);
  const { box, server } = all;
  const victim = newIdentity();
  await authorize(box, victim, 'victim');
  // The victim logs in at a server of the attacker's, which keeps what it proved.
  const stolen: { id?: Uint8Array; signature?: Uint8Array; finished?: Uint8Array } = {};
  const trap = await NobleServer.start(t);
  await dial({
    port: trap.port,
    serverKey: trap.fingerprint,
    identity: victim,
    deviation: {
      id: (value) => (stolen.id = value),
      signature: (value) => (stolen.signature = value),
      finished: (value) => (stolen.finished = value),
    },
  });
  await until(() => trap.sessions.length === 1, 'the victim in the trap');
  const { id, signature, finished } = stolen;
  if (id === undefined || signature === undefined || finished === undefined) throw new Error('nothing was stolen');
  await assertRefused(t, all, 'identity and signature', { id: () => id, signature: () => signature });
  await assertRefused(t, all, 'with its Finished', {
    id: () => id,
    signature: () => signature,
    finished: () => finished,
  });
  t.is(logged(server.run.stderr, /session opened/), 0);
  await assertServes(t, all);
});

/** What a client inside of its session sends, and whether the server ends it. */
type Offence = (session: NobleSession) => Promise<void>;

/** A record with an inner part that no honest side makes. */
const rawInner =
  (inner: Uint8Array): Offence =>
  (session) =>
    session.wire.send(session.sealer.keys.seal(inner));

const record = (type: number, content: Uint8Array, stream = 0, flags = 0, pad = new Uint8Array()): Offence =>
  rawInner(encodeInner({ type, flags, stream, content }, pad));

test('records that break a rule end the session, and nothing after them is done', async (t) => {
  const all = await world(t);
  const two = uint(0, 2);
  const offences: Record<string, Offence> = {
    'a handshake record': record(TYPE.handshake, text('x')),
    'type 0': record(0, text('x')),
    'a reserved type, Ping': record(8, text('x')),
    'a reserved type, Block': record(9, text('x'), 1),
    'a reserved type, Rekey': record(0x10, text('x')),
    'type 255': record(255, text('x')),
    'an empty control message': record(TYPE.control, new Uint8Array()),
    'a control message of 16385 bytes': record(TYPE.control, new Uint8Array(16_385)),
    'a control message on a stream': record(TYPE.control, text('x'), 1),
    'a control message with a flag': record(TYPE.control, text('x'), 0, 1),
    'Data where nobody waits for it': record(TYPE.data, text('x'), 1),
    'an End where nobody waits for it': record(TYPE.end, new Uint8Array(40), 1),
    'an End of 39 bytes': record(TYPE.end, new Uint8Array(39), 1),
    'a key update with content': record(TYPE.keyUpdate, text('x')),
    'a key update on a stream': record(TYPE.keyUpdate, new Uint8Array(), 1),
    'a Close without a reason': record(TYPE.close, new Uint8Array()),
    'padding that is not zero': record(TYPE.control, text('x'), 0, 0, Uint8Array.of(0, 1, 0)),
    'padding of 4097 bytes': record(TYPE.control, text('x'), 0, 0, new Uint8Array(MAX_PAD + 1)),
    'padding that reaches into the head': rawInner(Uint8Array.of(1, 0, 0, 9, 0, 0, 0, 0, 0)),
    'an inner part of 8 bytes': rawInner(new Uint8Array(8)),
    'a record of the old key': async (session) => {
      const { suite, secret } = session.sealer.keys;
      const old = new DirectionKeys(suite, secret);
      await session.updateKey();
      old.seq = 1;
      await session.wire.send(old.seal(encodeInner({ type: 1, flags: 0, stream: 0, content: text('x') }, two)));
    },
    'a sequence number that is left out': async (session) => {
      session.sealer.keys.seq += 1;
      await record(TYPE.control, text('x'))(session);
    },
    'a sequence number twice': async (session) => {
      await session.sendControl({ id: 1, verb: 'HLIST' });
      await session.control();
      session.sealer.keys.seq -= 1;
      await record(TYPE.control, text('x'))(session);
    },
    'a refusal in clear': (session) => session.wire.send(fromHex('5300000400000001')),
    'a hello in the middle': (session) => session.wire.send(concat(fromHex('51000600'), new Uint8Array(1536))),
    'a header of 16 MiB': (session) => session.wire.send(fromHex('52ffffff')),
    'a header of 266265 bytes': (session) => session.wire.send(fromHex('52041019')),
    'a header of 23 bytes': (session) => session.wire.send(concat(fromHex('52000017'), new Uint8Array(23))),
  };
  all.box.write('files/target', 'untouched');
  for (const [what, offence] of Object.entries(offences)) {
    const { session } = await NobleClient.connect(all.options);
    await offence(session);
    await session.sendControl({ id: 7, verb: 'DELETE', path: text('target') });
    await t.throwsAsync(session.receive(), undefined, what);
    await session.wire.ended();
    session.wire.close();
  }
  t.is(all.box.read('files/target'), 'untouched');
  await assertServes(t, all);
});

test('after Close nothing is heard', async (t) => {
  const all = await world(t);
  all.box.write('files/target', 'untouched');
  const { session } = await NobleClient.connect(all.options);
  await session.wire.send(
    session.seal({ type: TYPE.close, content: uint(0, 2) }),
    session.seal({ type: TYPE.keyUpdate }),
    session.seal({ type: TYPE.data, stream: 1, content: text('x') }),
  );
  await session.sendControl({ id: 1, verb: 'DELETE', path: text('target') });
  await t.throwsAsync(
    async () => {
      for (;;) {
        const inner = await session.receive();
        if (inner.type !== TYPE.close) throw new ProtocolFault('an answer after Close');
      }
    },
    { instanceOf: StreamEnded },
  );
  t.is(all.box.read('files/target'), 'untouched');
  await assertServes(t, all);
});

test('a body of another stream, of another length or with another root leaves nothing', async (t) => {
  const all = await world(t);
  const content = new Uint8Array(randomBytes(100_000));
  const root = new Uint8Array(32);
  const offences: [
    what: string,
    status: number | undefined,
    offence: (client: NobleClient, id: number) => Promise<void>,
  ][] = [
    ['another root', 422, ({ session }, id) => session.sendBody(id, content, root)],
    [
      'another total',
      422,
      async ({ session }, id) => {
        await session.send({ type: TYPE.data, stream: id, content });
        await session.sendEnd(id, content.length + 1, root);
      },
    ],
    ['another stream', undefined, ({ session }, id) => session.sendBody(id + 1, content, root)],
    [
      'a request in the middle',
      undefined,
      async ({ session }, id) => {
        await session.send({ type: TYPE.data, stream: id, content });
        await session.sendControl({ id: id + 1, verb: 'HLIST' });
      },
    ],
    [
      'Close in the middle',
      undefined,
      async ({ session }, id) => {
        await session.send({ type: TYPE.data, stream: id, content });
        await session.close();
      },
    ],
  ];
  for (const [what, status, offence] of offences) {
    const client = await NobleClient.connect(all.options);
    const id = await client.ask('SEND', { path: text('stored') });
    await client.reply(id, 100);
    await offence(client, id);
    const error = await t.throwsAsync(client.reply(id, 226), undefined, what);
    if (status !== undefined) t.regex(String(error), new RegExp(`RequestRefused: ${status} `), what);
    else t.notRegex(String(error), /RequestRefused/, what);
    client.session.wire.close();
  }
  await until(() => all.box.list('files').length === 0, 'the staged files to go away');
  t.deepEqual(all.box.list('files'), []);
  await assertServes(t, all);
});
