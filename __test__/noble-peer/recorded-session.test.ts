/**
 * What a recording of the real server is worth later: to whoever has stolen both long-term keys (forward secrecy), and
 * to whoever has broken one half of the key exchange (record now, decrypt later).
 *
 * These tests show what enters the keys, and that the obvious attacks fail. That nobody finds the missing half of the
 * exchange is not shown here: it is what ML-KEM-768 and X25519 are trusted with.
 */
import { randomBytes } from 'node:crypto';
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { Identity } from '../../dist/index.js';
import { Proxy, records } from '../hostile/proxy.js';
import { concat, hex, isEqual, ProtocolFault } from './byte-fields.js';
import { ClientHandshake, type Draw, ServerHandshake } from './handshake.js';
import { handshakeSecrets } from './key-schedule.js';
import { NobleClient } from './noble-client.js';
import { TYPE } from './record-layer.js';
import { type Recording, shares, unlock } from './recording.js';
import type { NobleSession } from './session.js';
import { SigningIdentity } from './signing-identity.js';
import { newIdentity, SUITES, world } from './world.js';
import { combine, type Halves } from './x-wing.js';

const CONTENT = new Uint8Array(randomBytes(50_000));

interface Recorded {
  recording: Recording;
  /** The client's end, with all that it knew. */
  session: NobleSession;
  /** The long-term keys, stolen afterwards. */
  stolen: { client: SigningIdentity; server: SigningIdentity };
}

/** A session in which a file is stored and fetched, recorded on its way to the real server. */
async function record(t: ExecutionContext, suites: 1 | 2): Promise<Recorded> {
  const { box, options, identity } = await world(t);
  const proxy = await Proxy.start(t, options.port);
  const client = await NobleClient.connect({ ...options, port: proxy.port, offer: { suites, preferred: suites } });
  await client.send('secret-name', CONTENT);
  await client.get('secret-name');
  await client.close();
  await client.session.wire.ended();
  const { link } = proxy;
  const recording = { fromClient: records(link.toServer.bytes), fromServer: records(link.toClient.bytes) };
  t.true(recording.fromClient.length > 4 && recording.fromServer.length > 4);
  return {
    recording,
    session: client.session,
    stolen: { client: identity, server: new SigningIdentity(serverSeed(box.read('data/e2eeftp/server_id.key'))) },
  };
}

/** The seed in an OpenSSH private key file: the last 64 bytes before comment and padding are seed and public key. */
function serverSeed(text: string): Uint8Array {
  const bytes = Buffer.from(text.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  const publicKey = bytes.subarray(bytes.indexOf('ssh-ed25519') + 15).subarray(0, 32);
  const at = bytes.lastIndexOf(publicKey);
  return new Uint8Array(bytes.subarray(at - 32, at));
}

/** Everything of one direction's bodies. */
const bodies = (inner: readonly { type: number; content: Uint8Array }[]): Uint8Array =>
  concat(...inner.filter(({ type }) => type === TYPE.data).map(({ content }) => content));

const assertClosed = (t: ExecutionContext, recording: Recording, shared: Uint8Array, what: string): void => {
  t.throws(() => unlock(recording, shared), { instanceOf: ProtocolFault, message: /does not authenticate/ }, what);
};

for (const [name, { preferred }] of SUITES) {
  test(`${name}: a recording and both long-term keys are not enough (forward secrecy)`, async (t) => {
    const { recording, session, stolen } = await record(t, preferred);
    // The keys are those of this session: the signatures in it are theirs.
    const truth = unlock(recording, session.established.shared);
    t.true(isEqual(session.established.peer ?? new Uint8Array(), stolen.server.publicKey));
    t.true(
      concat(...truth.login.map(({ value }) => value))
        .join()
        .includes(stolen.client.publicKey.join()),
    );

    // With the secret of the exchange the recording is an open book, without any long-term key.
    t.true(isEqual(bodies(truth.fromClient), CONTENT));
    t.true(isEqual(bodies(truth.fromServer), CONTENT));
    t.true(truth.fromClient.some(({ content }) => Buffer.from(content).includes('secret-name')));
    t.false(Buffer.concat([...recording.fromClient, ...recording.fromServer]).includes('secret-name'));

    // With the long-term keys and without that secret it stays shut, whatever is made of them.
    for (const [what, guess] of guesses(recording, stolen)) assertClosed(t, recording, guess, what);
  });

  test(`${name}: either half of the exchange alone is not enough (record now, decrypt later)`, async (t) => {
    const { recording, session } = await record(t, preferred);
    const { halves, shared } = session.established;
    const { encapsulationKey, ciphertext } = shares(recording);
    const combined = (some: Partial<Halves>): Uint8Array =>
      combine({ ...halves, ...some }, ciphertext, encapsulationKey);
    // Both halves together are the secret, out of public values otherwise.
    t.is(hex(combined({})), hex(shared));
    t.true(isEqual(bodies(unlock(recording, combined({})).fromClient), CONTENT));

    const unknown: [what: string, half: Uint8Array][] = [
      ['zeros', new Uint8Array(32)],
      ['random', new Uint8Array(randomBytes(32))],
      ['one bit off', Uint8Array.from(halves.mlKem, (byte, at) => (at === 31 ? byte ^ 1 : byte))],
      ['the other half', halves.x25519],
      ['a hash of the ciphertext', sha256(ciphertext)],
    ];
    // X25519 is broken: its secret is known, the one of ML-KEM is not.
    for (const [what, mlKem] of unknown) assertClosed(t, recording, combined({ mlKem }), `ML-KEM half ${what}`);
    assertClosed(t, recording, halves.x25519, 'the X25519 half itself');
    // ML-KEM is broken: the reverse.
    for (const [what, half] of unknown) {
      const x25519Half = what === 'the other half' ? halves.mlKem : half;
      if (what !== 'one bit off') assertClosed(t, recording, combined({ x25519: x25519Half }), `X25519 half ${what}`);
    }
    assertClosed(t, recording, halves.mlKem, 'the ML-KEM half itself');
  });
}

/** What an attacker could think of doing with both seeds: as they are, hashed, and turned into X25519 keys. */
function guesses(recording: Recording, { client, server }: Recorded['stolen']): [what: string, shared: Uint8Array][] {
  const { encapsulationKey, ciphertext } = shares(recording);
  const [clientShare, serverShare] = [encapsulationKey.slice(-32), ciphertext.slice(-32)];
  const secretOf = ({ seed }: SigningIdentity): Uint8Array => ed25519.utils.toMontgomerySecret(seed);
  const publicOf = ({ publicKey }: SigningIdentity): Uint8Array => ed25519.utils.toMontgomery(publicKey);
  const agreed: [what: string, value: Uint8Array][] = [
    ['client key, server share', x25519.getSharedSecret(secretOf(client), serverShare)],
    ['client key, own share', x25519.getSharedSecret(secretOf(client), clientShare)],
    ['server key, client share', x25519.getSharedSecret(secretOf(server), clientShare)],
    ['server key, own share', x25519.getSharedSecret(secretOf(server), serverShare)],
    ['both keys', x25519.getSharedSecret(secretOf(client), publicOf(server))],
  ];
  const seeds: [what: string, value: Uint8Array][] = [client, server].flatMap(({ seed }, index) => [
    [`seed ${index}`, seed],
    [`hashed seed ${index}`, sha256(seed)],
    [`long hashed seed ${index}`, sha512(seed).slice(0, 32)],
    [`short hashed seed ${index}`, sha384(seed).slice(0, 32)],
  ]);
  const alone = [...agreed, ...seeds];
  return [
    ...alone,
    ...alone.flatMap(([what, value]) =>
      alone.map(([other, half]): [string, Uint8Array] => [
        `${what} as ML-KEM half, ${other} as X25519 half`,
        combine({ mlKem: value, x25519: half }, ciphertext, encapsulationKey),
      ]),
    ),
  ];
}

/** The same stream of random bytes for each call with the same seed. */
function drawsOf(seed: number): Draw {
  let count = 0;
  return (length) => {
    count += 1;
    const blocks = Array.from({ length: Math.ceil(length / 64) }, (_, block) =>
      sha512(Uint8Array.of(seed, count, block)),
    );
    return concat(...blocks).slice(0, length);
  };
}

test('long-term keys do not enter the key schedule: other keys, same secrets', (t) => {
  const ends = Array.from({ length: 2 }, () => {
    const client = new ClientHandshake({ identity: newIdentity(), draw: drawsOf(1) });
    const server = new ServerHandshake({ identity: newIdentity(), draw: drawsOf(2), unixTime: 0 }, client.m1);
    const { m5, established } = client.finish(server.m3, server.m4);
    return { m4: server.m4, established, other: server.finish(m5) };
  });
  const [one, other] = ends;
  if (one === undefined || other === undefined) throw new Error('two handshakes');
  // Two pairs of identities, one randomness: the secrets under which the identities travel are the same ...
  t.not(hex(one.established.peer ?? new Uint8Array()), hex(other.established.peer ?? new Uint8Array()));
  t.not(hex(one.m4), hex(other.m4));
  for (const name of ['handshake', 'client', 'server', 'master'] as const) {
    t.is(hex(one.established.handshake[name]), hex(other.established.handshake[name]), name);
  }
  // ... and the later ones differ by the public transcript alone, as the recording shows above.
  t.not(hex(one.established.application.client), hex(other.established.application.client));
  const { early, shared, hellosHash, handshake } = one.other;
  t.is(hex(handshakeSecrets(early, shared, hellosHash).master), hex(handshake.master));
});

test('the server key that the test calls stolen is the server’s', async (t) => {
  const { box, server } = await world(t);
  const text = box.read('data/e2eeftp/server_id.key');
  const seed = serverSeed(text);
  const identity = await Identity.load(box.path('data/e2eeftp/server_id.key'));
  t.is(identity.publicKey.fingerprint, server.fingerprint);
  const again = await Identity.load(box.write('again.key', new SigningIdentity(seed).pem));
  t.is(again.publicKey.fingerprint, server.fingerprint);
});
