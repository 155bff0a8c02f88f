/**
 * A server whose key has changed (`docs/PROTOCOL.md` §4.1): each implementation as the server of the other, and statements
 * that do not hold, which the clients of both refuse.
 */
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { type Client, connect, type RotatedServer } from '../../dist/index.js';
import { Sandbox } from '../cli/run.js';
import { concat, isEqual, ProtocolFault } from './byte-fields.js';
import { type Message, MESSAGES } from './flight.js';
import { ClientHandshake, type Established, ServerHandshake } from './handshake.js';
import { NobleClient } from './noble-client.js';
import { NobleServer, type NobleServerOptions } from './noble-server.js';
import {
  encodeChain,
  encodeStatement,
  KnownServer,
  readRotation,
  rotationData,
  rotationLines,
  rotationMessage,
} from './rotation.js';
import { fingerprint, openSshLine, type SigningIdentity, sshsigData } from './signing-identity.js';
import { newIdentity, world } from './world.js';

const { id: ID, signature: SIG, rotation: ROT, finished: FIN } = MESSAGES.server;
const HIGHEST = 2n ** 53n - 1n;

test('a client that knows an older key follows a daemon that has rotated its key, twice', async (t) => {
  const { box, server, options, identity } = await world(t);
  const first = await NobleClient.connect(options);
  const { peer: firstKey = new Uint8Array(), rotation: none } = first.session.established;
  t.deepEqual(none, []);
  await first.close();
  await server.stop();

  const rotate = async (): Promise<{ fingerprint: string; replaced: string }> => {
    const run = await box.run(['keygen', '--rotate', '--data', box.path('data/e2eeftp'), '--json']);
    t.is(run.code, 0, run.stderr);
    return (JSON.parse(run.stdout) as { result: { fingerprint: string; replaced: string } }).result;
  };
  const made = [await rotate(), await rotate()];
  t.is(made[0]?.replaced, fingerprint(firstKey));
  const daemon = await box.serve();
  t.is(daemon.fingerprint, made[1]?.fingerprint ?? '');
  const at = { port: daemon.port, identity, serverKey: '' };

  // As it was written down: both steps, in order, to the key that the daemon has proved.
  const known = new KnownServer(firstKey);
  const client = await NobleClient.connect({ ...at, known });
  const { peer: key = new Uint8Array(), rotation } = client.session.established;
  t.is(fingerprint(key), daemon.fingerprint);
  t.deepEqual(
    rotation.map(({ newKey }) => fingerprint(newKey)),
    made.map((each) => each.fingerprint),
  );
  const file = box.read('data/e2eeftp/server_id.rotation');
  t.deepEqual(
    rotationLines(rotation),
    file.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
  );
  const [one, two] = rotation.map(({ sequence }) => sequence);
  if (one === undefined || two === undefined) throw new Error('two statements');
  t.true(isEqual(known.key, key));
  t.is(known.sequence, two);
  await client.send('over-the-new-key', new Uint8Array(1000));
  t.is(box.bytes('files/over-the-new-key').length, 1000);
  await client.close();

  // From each of the keys, below the number of its statement; not at that number, and not from another key.
  const secondKey = rotation[1]?.oldKey ?? new Uint8Array();
  for (const [old, sequence, isFollowed] of [
    [firstKey, one - 1, true],
    [firstKey, one, false],
    [secondKey, one, true],
    [secondKey, two, false],
    [newIdentity().publicKey, 0, false],
    [key, two, true],
  ] as const) {
    const before = new KnownServer(old, sequence);
    const connected = NobleClient.connect({ ...at, known: before });
    if (isFollowed) {
      await (await connected).close();
      t.true(isEqual(before.key, key));
    } else {
      await t.throwsAsync(connected, { instanceOf: ProtocolFault, message: /^the server has the key/ });
      t.true(isEqual(before.key, old));
    }
  }
  // A pin is not moved, and one of the new key needs no statement.
  await t.throwsAsync(NobleClient.connect({ ...at, serverKey: server.fingerprint }), { instanceOf: ProtocolFault });
  await (await NobleClient.connect({ ...at, serverKey: daemon.fingerprint })).close();
  t.is((await daemon.stop()).code, 0);
});

/** A sandbox with a client key, and a connection from it to a server of ours. */
class Visitor {
  readonly box: Sandbox = new Sandbox();
  readonly told: RotatedServer[] = [];
  readonly #identity: string;

  constructor(t: ExecutionContext) {
    t.teardown(() => this.box.dispose());
    this.#identity = this.box.write('client.key', newIdentity().pem);
  }

  /** Writes down that the server has this key. */
  know({ port }: NobleServer, { publicKey }: SigningIdentity, comment: string = ''): string {
    const line = `127.0.0.1:${port} ${openSshLine(publicKey)}${comment}\n`;
    this.box.write('known_servers', line);
    return line;
  }

  get known(): string {
    return this.box.read('known_servers');
  }

  async connect({ port }: NobleServer, serverKey?: string): Promise<Client> {
    return connect({
      reconnectMs: 0,
      host: '127.0.0.1',
      port,
      identity: this.#identity,
      knownServers: this.box.path('known_servers'),
      onRotatedServer: (server) => this.told.push(server),
      ...(serverKey === undefined ? {} : { serverKey }),
    });
  }
}

test('the library follows a noble server from each of four older keys, once', async (t) => {
  const [identity, olderKeys] = [newIdentity(), Array.from({ length: 4 }, newIdentity)];
  const server = await NobleServer.start(t, { identity, rotation: encodeChain([...olderKeys, identity]) });
  const visitor = new Visitor(t);
  for (const [index, old] of olderKeys.entries()) {
    visitor.know(server, old, ` rotation=${index}`);
    await (await visitor.connect(server)).close();
    t.like(visitor.told.at(-1), { port: server.port, sequence: 4 });
    t.is(visitor.told.at(-1)?.oldKey.fingerprint, fingerprint(old.publicKey));
    t.is(visitor.told.at(-1)?.key.fingerprint, server.fingerprint);
    t.is(visitor.known, `127.0.0.1:${server.port} ${openSshLine(server.identity.publicKey)} rotation=4\n`);
    await (await visitor.connect(server)).close();
    t.is(visitor.told.length, index + 1);

    const noted = visitor.know(server, old, ` rotation=${index + 1}`);
    await t.throwsAsync(visitor.connect(server), { code: 'E2EEFTP_SERVER_KEY_CHANGED' });
    t.is(visitor.known, noted);
  }
  // To who trusts the key already, and to who was told which key to expect, they say nothing.
  const trusted = visitor.know(server, server.identity);
  await (await visitor.connect(server)).close();
  t.is(visitor.known, trusted);
  await (await visitor.connect(server, server.fingerprint)).close();
  const [oldest = newIdentity()] = olderKeys;
  const pin = visitor.connect(server, fingerprint(oldest.publicKey));
  await t.throwsAsync(pin, { code: 'E2EEFTP_SERVER_KEY_CHANGED' });
  t.is(visitor.told.length, 4);
  await server.idle();
  t.deepEqual(server.faults, []);
});

/** Neither a client that needs the statements nor one that does not goes on; nobody has said who he is. */
async function assertNobodyFollows(
  t: ExecutionContext,
  what: string,
  old: SigningIdentity,
  options: NobleServerOptions,
): Promise<void> {
  const server = await NobleServer.start(t, options);
  const visitor = new Visitor(t);
  for (const serverKey of [undefined, server.fingerprint]) {
    const line = visitor.know(server, old);
    const error = await t.throwsAsync(visitor.connect(server, serverKey), undefined, what);
    const { code } = error as Error & { code: string };
    t.regex(code, /^E2EEFTP_(PROTOCOL|INTEGRITY|WEAK_KEY)$/, `${what}: ${String(error)}`);
    t.is(visitor.known, line, what);
  }
  await server.idle();
  t.is(server.sessions.length, 0, what);
  t.is(visitor.told.length, 0, what);

  const client = new ClientHandshake({ identity: newIdentity() });
  const { m3, m4 } = new ServerHandshake({ ...options, identity: server.identity }, client.m1);
  t.throws(() => client.finish(m3, m4), { instanceOf: ProtocolFault }, what);
}

test('statements that do not hold', async (t) => {
  const [old, middle, other, identity] = [newIdentity(), newIdentity(), newIdentity(), newIdentity()];
  const here = identity.publicKey;
  const message = rotationMessage(old.publicKey, here, 5);
  const signed = (by: SigningIdentity, data: Uint8Array): Uint8Array => encodeStatement(old, here, 5, by.sign(data));
  const right = encodeStatement(old, here, 5);
  const toMiddle = encodeStatement(old, middle.publicKey, 5);
  const neutral = concat(Uint8Array.of(1), new Uint8Array(31));
  const six = [old, middle, other, newIdentity(), newIdentity(), identity];
  const values: Record<string, Uint8Array> = {
    'signed by another key': signed(other, rotationData(message)),
    'signed by the new key': signed(identity, rotationData(message)),
    'for another new key': encodeStatement(old, other.publicKey, 5),
    'for the old key itself': encodeStatement(old, old.publicKey, 5),
    'signed with another number': encodeStatement(old, here, 6, right.slice(40)),
    'signed in another namespace': signed(old, sshsigData('server-auth@e2eeftp', message)),
    'signed without SSHSIG': signed(old, message),
    'one bit of the signature': concat(right.slice(0, 103), Uint8Array.of((right[103] ?? 0) ^ 1)),
    'the number 0': encodeStatement(old, here, 0),
    'the number 2^53': encodeStatement(old, here, HIGHEST + 1n),
    'the number 2^64 - 1': encodeStatement(old, here, 2n ** 64n - 1n),
    'the same number twice': concat(toMiddle, encodeStatement(middle, here, 5)),
    'a number that falls': concat(toMiddle, encodeStatement(middle, here, 4)),
    'a hole in the chain': concat(toMiddle, encodeStatement(other, here, 6)),
    'a hole at the end': toMiddle,
    'the newest first': concat(encodeStatement(middle, here, 5), encodeStatement(old, middle.publicKey, 6)),
    'a forged step before a genuine one': concat(
      encodeStatement(old, middle.publicKey, 5, right.slice(40)),
      encodeStatement(middle, here, 6),
    ),
    'a genuine step before a forged one': concat(toMiddle, encodeStatement(middle, here, 6, right.slice(40))),
    'a key that follows itself': concat(right, encodeStatement(identity, here, 6)),
    // With the neutral element as a key, this signature fits whatever is signed.
    'an old key of small order': concat(neutral, right.slice(32, 40), neutral, new Uint8Array(32)),
    'no statement': new Uint8Array(),
    'a byte too few': right.slice(0, -1),
    'a byte too many': concat(right, Uint8Array.of(0)),
    'five statements': encodeChain(six),
  };
  for (const [what, rotation] of Object.entries(values)) {
    await assertNobodyFollows(t, what, old, { identity, rotation });
    t.throws(() => readRotation(rotation, here), { instanceOf: ProtocolFault }, what);
  }
  const weak = values['an old key of small order'] ?? new Uint8Array();
  t.throws(() => readRotation(weak, here), { message: 'a point of small order' });
  // The same forger is believed when it does it right.
  const genuine = [right, encodeStatement(old, here, HIGHEST), concat(toMiddle, encodeStatement(middle, here, 6))];
  for (const rotation of genuine) {
    const server = await NobleServer.start(t, { identity, rotation });
    const visitor = new Visitor(t);
    visitor.know(server, old);
    await (await visitor.connect(server)).close();
    t.is(visitor.told.length, 1);
  }
});

test('ROT has one place', async (t) => {
  const [old, identity] = [newIdentity(), newIdentity()];
  const rotation = encodeChain([old, identity]);
  const rot: Message = { type: ROT, value: rotation };
  const before = (place: number) => ({ deviation: { before: (type: number) => (type === place ? [rot] : []) } });
  const places: Record<string, NobleServerOptions> = {
    'in front of ID': before(ID),
    'in front of SIG': before(SIG),
    twice: { rotation, ...before(FIN) },
    'behind FIN': { deviation: { messages: (list) => [...list, rot] } },
    'in front of EE': { deviation: { messages: (list) => [rot, ...list] } },
    'not in the transcript': { deviation: { messages: (list) => [...list.slice(0, 3), rot, ...list.slice(3)] } },
    'in the transcript only': { rotation, deviation: { messages: (list) => list.filter(({ type }) => type !== ROT) } },
  };
  for (const [what, options] of Object.entries(places)) {
    await assertNobodyFollows(t, what, old, { identity, ...options });
  }
  // In its one place, put there in the same way, it is right.
  const server = await NobleServer.start(t, { identity, ...before(FIN) });
  const visitor = new Visitor(t);
  visitor.know(server, old);
  await (await visitor.connect(server)).close();
  t.is(visitor.told.length, 1);
});

test('in a join there is no ROT', (t) => {
  const [old, identity] = [newIdentity(), newIdentity()];
  const rotation = encodeChain([old, identity]);
  const secret = new Uint8Array(48).fill(7);
  const meet = (options: NobleServerOptions): Established => {
    const client = new ClientHandshake({ identity: newIdentity(), join: { id: new Uint8Array(32), secret } });
    const { m3, m4 } = new ServerHandshake({ identity, joinSecret: () => secret, ...options }, client.m1);
    return client.finish(m3, m4).established;
  };
  t.deepEqual(meet({ rotation }).rotation, []);
  const before = (type: number): Message[] => (type === FIN ? [{ type: ROT, value: rotation }] : []);
  t.throws(() => meet({ deviation: { before } }), { instanceOf: ProtocolFault, message: 'messages out of order' });
});
