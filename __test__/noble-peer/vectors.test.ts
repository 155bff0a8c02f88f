/** The committed vectors, recomputed by an implementation that shares nothing with the one that made them. */
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js';
import test from 'ava';
import { readProjectFile } from '../house/project-files.js';
import { fromHex, hex, ProtocolFault } from './byte-fields.js';
import { encodeMessage, openFlight } from './flight.js';
import { ClientHandshake, type Draw, type Established, type Join, ServerHandshake } from './handshake.js';
import {
  binderKey,
  exported,
  finishedKey,
  joinSecret,
  Transcript,
  trafficIv,
  trafficKey,
  updatedSecret,
} from './key-schedule.js';
import { bucket, INNER_HEAD, Opener, Sealer, type Suite } from './record-layer.js';
import { readRotation, rotationData, rotationLines, rotationMessage } from './rotation.js';
import {
  checkPublicKey,
  fingerprint,
  openSshLine,
  SigningIdentity,
  sshBlob,
  sshsigData,
  verifies,
} from './signing-identity.js';
import { combine, encapsulate, keyPair } from './x-wing.js';

interface SideVector {
  identity_seed: string;
  prefers_aes: boolean;
  random: string;
  suites: number;
  unix_time: number;
  rotation?: string;
}

interface HandshakeVector {
  name: string;
  client: SideVector;
  server: SideVector;
  join: { id: string; secret: string } | null;
  client_hello: string;
  server_hello: string;
  server_auth: string;
  client_auth: string;
  session_id: string;
  suite: number;
}

interface RotationVector extends HandshakeVector {
  file: string;
  statements: { message: string; new: string; old: string; sequence: number; signature: string }[];
}

interface TrafficVector {
  secret: string;
  key: string;
  iv: string;
  finished_key: string;
  updated_secret: string;
}

interface ScheduleVector {
  name: string;
  suite: number;
  psk: string;
  early_secret: string;
  binder_key: string;
  shared_secret: string;
  hellos_transcript_hash: string;
  handshake_secret: string;
  master_secret: string;
  exporter_master: string;
  resume_master: string;
  client_handshake: TrafficVector;
  server_handshake: TrafficVector;
  client_application: TrafficVector;
  server_application: TrafficVector;
  sealed_messages: { message: string; transcript_hash_after: string }[];
  exports: { label: string; context: string; out: string }[];
  join: { id: string; secret: string };
}

interface RecordVector {
  name: string;
  content: string;
  flags: number;
  record: string;
  stream: number;
}

interface IdentityVector {
  seed: string;
  public: string;
  ssh_blob: string;
  openssh_line: string;
  fingerprint: string;
  pkcs8_pem: string;
  signatures: { namespace: string; message: string; signed_data: string; signature: string }[];
}

function load(name: string): { cases: unknown[] } {
  return JSON.parse(readProjectFile(`testdata/vectors/${name}.json`)) as { cases: unknown[] };
}

/** Draws from a list until it is used up. */
function drawFrom(bytes: string): Draw & { left: () => number } {
  let rest = fromHex(bytes);
  const draw = (length: number): Uint8Array => {
    if (length > rest.length) throw new RangeError('the vector has no more random bytes');
    const [drawn, left] = [rest.slice(0, length), rest.slice(length)];
    rest = left;
    return drawn;
  };
  return Object.assign(draw, { left: () => rest.length });
}

function sideOptions(
  side: SideVector,
  draw: Draw,
): { identity: SigningIdentity; offer: { suites: number; preferred: Suite }; draw: Draw } {
  const preferred: Suite = side.prefers_aes && (side.suites & 1) !== 0 ? 1 : (side.suites & 2) !== 0 ? 2 : 1;
  return {
    identity: new SigningIdentity(fromHex(side.identity_seed)),
    offer: { suites: side.suites, preferred },
    draw,
  };
}

/** Both ends of one case, out of its seeds and randomness alone. */
function replay(vector: HandshakeVector): {
  client: ClientHandshake;
  server: ServerHandshake;
  m5: string;
  ends: [Established, Established];
} {
  const [clientDraw, serverDraw] = [drawFrom(vector.client.random), drawFrom(vector.server.random)];
  const join: Join | undefined =
    vector.join === null ? undefined : { id: fromHex(vector.join.id), secret: fromHex(vector.join.secret) };
  const client = new ClientHandshake({
    ...sideOptions(vector.client, clientDraw),
    ...(join === undefined ? {} : { join }),
  });
  const server = new ServerHandshake(
    {
      ...sideOptions(vector.server, serverDraw),
      unixTime: vector.server.unix_time,
      ...(vector.server.rotation === undefined ? {} : { rotation: fromHex(vector.server.rotation) }),
      joinSecret: (id) => (join !== undefined && hex(id) === hex(join.id) ? join.secret : undefined),
    },
    client.m1,
  );
  const { m5, established } = client.finish(server.m3, server.m4);
  if (clientDraw.left() + serverDraw.left() !== 0) throw new Error('randomness was left over');
  return { client, server, m5: hex(m5), ends: [established, server.finish(m5)] };
}

const handshakes = load('handshake').cases as HandshakeVector[];
const schedules = load('schedule').cases as ScheduleVector[];

test('there are full and joined handshakes with both suites', (t) => {
  t.deepEqual(
    handshakes.map(({ join, suite }) => `${join === null ? 'full' : 'join'} ${suite}`),
    ['full 1', 'full 2', 'join 1', 'join 2'],
  );
  t.deepEqual(
    schedules.map(({ name }) => name),
    handshakes.map(({ name }) => name),
  );
});

for (const [index, vector] of handshakes.entries()) {
  test(`handshake ${vector.name}: the four messages`, (t) => {
    const { client, server, m5, ends } = replay(vector);
    t.is(hex(client.m1), vector.client_hello);
    t.is(hex(server.m3), vector.server_hello);
    t.is(hex(server.m4), vector.server_auth);
    t.is(m5, vector.client_auth);
    for (const end of ends) {
      t.is(end.suite, vector.suite as Suite);
      t.is(hex(end.parameters.sessionId), vector.session_id);
    }
    t.is(hex(ends[0].application.client), hex(ends[1].application.client));
  });

  test(`schedule ${vector.name}: every value`, (t) => {
    const expected = schedules[index];
    if (expected === undefined) throw new Error('no such case');
    const { client, server, ends } = replay(vector);
    for (const end of ends) {
      const traffic = (secret: Uint8Array): TrafficVector => ({
        finished_key: hex(finishedKey(secret)),
        iv: hex(trafficIv(secret)),
        key: hex(trafficKey(secret)),
        secret: hex(secret),
        updated_secret: hex(updatedSecret(secret)),
      });
      const joinId = fromHex(expected.join.id);
      const transcript = new Transcript();
      transcript.add(client.m1);
      transcript.add(server.m3);
      const sealed = [
        ...openFlight(end.suite, end.handshake.server, server.m4),
        ...openFlight(end.suite, end.handshake.client, fromHex(vector.client_auth)),
      ].map((message) => {
        transcript.add(encodeMessage(message));
        return { message: hex(encodeMessage(message)), transcript_hash_after: hex(transcript.hash) };
      });
      const made: ScheduleVector = {
        name: vector.name,
        suite: end.suite,
        psk: vector.join?.secret ?? '00'.repeat(48),
        early_secret: hex(end.early),
        binder_key: hex(binderKey(end.early)),
        shared_secret: hex(end.shared),
        hellos_transcript_hash: hex(end.hellosHash),
        handshake_secret: hex(end.handshake.handshake),
        master_secret: hex(end.handshake.master),
        exporter_master: hex(end.application.exporter),
        resume_master: hex(end.application.resumption),
        client_handshake: traffic(end.handshake.client),
        server_handshake: traffic(end.handshake.server),
        client_application: traffic(end.application.client),
        server_application: traffic(end.application.server),
        sealed_messages: sealed,
        exports: expected.exports.map(({ label, context, out }) => ({
          label,
          context,
          out: hex(exported(end.application.exporter, label, fromHex(context), out.length / 2)),
        })),
        join: { id: expected.join.id, secret: hex(joinSecret(end.application.resumption, joinId)) },
      };
      t.deepEqual(made, expected);
    }
  });
}

test('a handshake of a server whose key has changed, its statements and its file', (t) => {
  const cases = load('rotation').cases as RotationVector[];
  t.true(cases.length > 0);
  for (const vector of cases) {
    const { client, server, m5, ends } = replay(vector);
    t.is(hex(client.m1), vector.client_hello);
    t.is(hex(server.m3), vector.server_hello);
    t.is(hex(server.m4), vector.server_auth);
    t.is(m5, vector.client_auth);
    const [{ peer = new Uint8Array(), rotation }, { rotation: ofClient }] = ends;
    t.deepEqual(ofClient, []);
    t.true(vector.statements.length > 1);
    const made = rotation.map(({ oldKey, newKey, sequence, signature }) => {
      const message = rotationMessage(oldKey, newKey, sequence);
      t.true(verifies(oldKey, rotationData(message), signature));
      return { message: hex(message), new: hex(newKey), old: hex(oldKey), sequence, signature: hex(signature) };
    });
    t.deepEqual(made, vector.statements);
    t.is(made.at(-1)?.new, hex(peer));
    const lines = vector.file.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    t.deepEqual(rotationLines(rotation), lines);
    const value = fromHex(vector.server.rotation ?? '');
    t.deepEqual(readRotation(value, peer), rotation);
    // Every byte of the statements counts.
    for (let at = 0; at < value.length; at += 1) {
      const changed = value.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      t.throws(() => readRotation(changed, peer), { instanceOf: ProtocolFault }, `byte ${at}`);
    }
  }
});

test('records, across a key update, to Close', (t) => {
  const cases = load('records').cases as { name: string; records: RecordVector[] }[];
  t.deepEqual(
    cases.map(({ name }) => name),
    ['aes-256-gcm', 'chacha20-poly1305'],
  );
  const types = { control: 1, data: 2, end: 3, abort: 4, stop: 5, 'key update': 6, close: 7 };
  for (const { name, records } of cases) {
    const schedule = schedules.find((one) => one.name === name);
    if (schedule === undefined) throw new Error(name);
    const secret = fromHex(schedule.client_application.secret);
    const sealer = new Sealer(schedule.suite as Suite, secret);
    const keys = new Opener(schedule.suite as Suite, secret);
    t.deepEqual(records.map((record) => record.name).toSorted(), [...Object.keys(types), 'data with flags'].toSorted());
    for (const vector of records) {
      const type = types[vector.name.replace(' with flags', '') as keyof typeof types];
      const inner = { type, flags: vector.flags, stream: vector.stream, content: fromHex(vector.content) };
      // Data carries 9 bytes of padding here, the others go up to their bucket.
      t.is(hex(sealer.seal(inner, type === 2 ? 9 : undefined)), vector.record, `${name}, ${vector.name}`);
      if (vector.flags !== 0) {
        // Authentic, and yet refused by a receiver of version 1.
        t.throws(() => keys.open(fromHex(vector.record)), { instanceOf: ProtocolFault, message: 'flags or stream' });
        continue;
      }
      const opened = keys.open(fromHex(vector.record));
      t.is(hex(opened.content), vector.content);
      t.is(opened.stream, vector.stream);
    }
    t.true(keys.isClosed);
    t.throws(() => keys.open(fromHex(records[0]?.record ?? '')), { message: 'a record after Close' });
  }
});

test('identities, their forms, signatures, and keys that are refused', (t) => {
  const { cases, weak } = load('identity') as {
    cases: IdentityVector[];
    weak: { public: string; why: string }[];
  };
  t.true(cases.length >= 2 && weak.length >= 12);
  for (const vector of cases) {
    const identity = new SigningIdentity(fromHex(vector.seed));
    t.is(hex(identity.publicKey), vector.public);
    t.is(hex(sshBlob(identity.publicKey)), vector.ssh_blob);
    t.true(vector.openssh_line.startsWith(openSshLine(identity.publicKey)));
    t.is(fingerprint(identity.publicKey), vector.fingerprint);
    t.is(identity.pem, vector.pkcs8_pem);
    t.notThrows(() => checkPublicKey(identity.publicKey));
    t.true(vector.signatures.length > 0);
    for (const { namespace, message, signed_data, signature } of vector.signatures) {
      const data = sshsigData(namespace, fromHex(message));
      t.is(hex(data), signed_data);
      t.is(hex(identity.sign(data)), signature);
    }
  }
  for (const { public: key, why } of weak) {
    t.throws(() => checkPublicKey(fromHex(key)), { instanceOf: ProtocolFault }, why);
  }
});

test('X-Wing out of its halves is X-Wing', (t) => {
  for (let number = 0; number < 5; number += 1) {
    const [seed, coins] = [new Uint8Array(32).fill(number), new Uint8Array(64).fill(number + 100)];
    const pair = keyPair(seed);
    const theirs = ml_kem768_x25519.keygen(seed);
    t.is(hex(pair.encapsulationKey), hex(theirs.publicKey));
    const { ciphertext, halves, shared } = encapsulate(pair.encapsulationKey, coins);
    t.is(hex(ml_kem768_x25519.decapsulate(ciphertext, theirs.secretKey)), hex(shared));
    t.is(hex(combine(halves, ciphertext, pair.encapsulationKey)), hex(shared));
  }
});

test('buckets of the page', (t) => {
  // At least 64; then E and S as in §6, at most 12 % more.
  for (const [length, padded] of [
    [8, 64],
    [64, 64],
    [65, 72],
    [72, 72],
    [129, 144],
    [1000, 1024],
    [16_392, 17_408],
  ] as const) {
    t.is(bucket(length), padded, `${length}`);
  }
  for (let length = INNER_HEAD; length < 300_000; length += 7) {
    const padded = bucket(length);
    t.true(padded >= length && (length <= 64 || padded <= length * 1.125), `${length}`);
  }
});
