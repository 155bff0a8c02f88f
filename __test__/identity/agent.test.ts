import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { E2eeftpError } from '../../dist/errors.js';
import { parseAuthorizedClients } from '../../dist/identity/authorized-clients-text.js';
import { authorizeClient, AuthorizedClients, revokeClient } from '../../dist/identity/authorized-clients.js';
import { Identity } from '../../dist/identity/identity.js';
import { IdentitySequence } from '../../dist/identity/identity-sequence.js';
import { openIdentity } from '../../dist/identity/open-identity.js';
import { looksLikePublicKey, parsePublicKey } from '../../dist/identity/public-key.js';
import { SshAgent } from '../ssh-agent.js';
import { temporaryDirectory } from '../temporary-directory.js';

/** A security key's public line, made by OpenSSH. */
const SK_LINE =
  'sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIF/Jwj359Cmi3hDVeW09FY/8QyZh790yJh9/fW5MuUKPAAAABHNzaDo=';

test('identities are found in the agent: by name, by fingerprint, by public key', async (t) => {
  const agent = await SshAgent.start(t);
  agent.add('other', 'rsa');
  const first = parsePublicKey(agent.add('first', 'ed25519'));
  const touched = parsePublicKey(agent.add('touched', 'ed25519-sk'));
  t.is(touched.kind, 'sk-ssh-ed25519@openssh.com');
  const agentSocket = agent.socket;
  const open = async (source: string): Promise<string> => {
    const identity = await openIdentity(source, { agentSocket });
    t.true(identity.isInAgent);
    return identity.publicKey.fingerprint;
  };
  t.is(await open('agent'), first.fingerprint);
  t.is(await open('agent:first'), first.fingerprint);
  t.is(await open('agent:touched'), touched.fingerprint);
  t.is(await open(`agent:${touched.fingerprint}`), touched.fingerprint);
  t.is(await open(agent.path('first.pub')), first.fingerprint);
  t.is(await open(agent.path('touched.pub')), touched.fingerprint);
  // The private file of a security key only says which key it is.
  t.is(await open(agent.path('touched')), touched.fingerprint);
  // A private file without passphrase needs no agent.
  t.false((await openIdentity(agent.path('first'), { agentSocket })).isInAgent);
  agent.make('absent', 'ed25519');
  const gone = { message: /ssh-agent/ };
  for (const source of ['agent:nobody', 'agent:other', agent.path('absent.pub')]) {
    const error = await t.throwsAsync(() => openIdentity(source, { agentSocket }), gone, source);
    t.true(E2eeftpError.is(error, 'E2EEFTP_AGENT'), String(error));
  }
  agent.clear();
  t.true(E2eeftpError.is(await t.throwsAsync(() => openIdentity('agent', { agentSocket })), 'E2EEFTP_AGENT'));
});

test('a key with a passphrase is used through the agent that has it', async (t) => {
  const agent = await SshAgent.start(t);
  const key = parsePublicKey(agent.add('locked', 'ed25519'));
  const path = agent.path('locked');
  execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'secret', '-f', path]);
  const warnings: string[] = [];
  const options = {
    agentSocket: agent.socket,
    passphrase: () => Promise.reject(new Error('asked')),
    onWarning: (message: string) => void warnings.push(message),
  };
  const identity = await openIdentity(path, options);
  t.true(identity.isInAgent);
  t.is(identity.publicKey.fingerprint, key.fingerprint);
  agent.clear();
  t.is((await t.throwsAsync(() => openIdentity(path, options)))?.message, 'asked');
  t.deepEqual(warnings, []);
  await agent.stop();
  const opened = await openIdentity(path, { ...options, passphrase: 'secret' });
  t.false(opened.isInAgent);
  t.is(warnings.length, 1, 'an agent that is gone is no secret');
});

test('without an agent there is a clear error', async (t) => {
  const directory = await temporaryDirectory(t);
  const file = join(directory, 'key.pub');
  await writeFile(file, `${Identity.generate().publicKey.openssh} me\n`);
  for (const agentSocket of ['', join(directory, 'nothing')]) {
    for (const source of ['agent', 'agent:me', file]) {
      const error = await t.throwsAsync(() => openIdentity(source, { agentSocket }));
      t.true(E2eeftpError.is(error, 'E2EEFTP_AGENT'), String(error));
    }
  }
  await writeFile(file, 'neither\n');
  t.true(E2eeftpError.is(await t.throwsAsync(() => openIdentity(file)), 'E2EEFTP_KEY_FILE'));
});

test('what needs the private key itself is refused for one in an agent', async (t) => {
  const directory = await temporaryDirectory(t);
  const identity = Identity.fromAgent(join(directory, 'nothing'), Identity.generate().publicKey);
  for (const passphrase of [{}, { passphrase: 'secret' }]) {
    const error = await t.throwsAsync(() => identity.save(join(directory, 'key'), passphrase));
    t.true(E2eeftpError.is(error, 'E2EEFTP_UNSUPPORTED'), String(error));
  }
});

test('identities come one after another, each once, six at most, and are opened when needed', async (t) => {
  const agent = await SshAgent.start(t);
  const known = Array.from({ length: 4 }, (_, index) => parsePublicKey(agent.add(`key ${index}`, 'ed25519')));
  const own = Array.from({ length: 4 }, () => Identity.generate());
  const sources = [own[0] as Identity, 'agent:key 2', 'agent', own[1] as Identity, own[2] as Identity, 'missing'];
  const sequence = new IdentitySequence(sources, { agentSocket: agent.socket });
  const fingerprints: string[] = [];
  for (let next = await sequence.next(); next !== undefined; next = await sequence.next()) {
    fingerprints.push(next.publicKey.fingerprint);
  }
  const expected = [own[0]?.publicKey, known[2], known[0], known[1], known[3], own[1]?.publicKey];
  t.deepEqual(
    fingerprints,
    expected.map((key) => key?.fingerprint),
  );
  t.is(sequence.shown.length, 6);
  t.throws(() => new IdentitySequence([], {}), { message: /no identity/ });
});

test('a security key has its line, its fingerprint and no short form', (t) => {
  const key = parsePublicKey(`${SK_LINE} dummy`);
  t.is(key.kind, 'sk-ssh-ed25519@openssh.com');
  t.is(key.openssh, SK_LINE);
  t.is(key.pem, '');
  t.true(looksLikePublicKey(SK_LINE));
  t.true(key.base64.length > 44);
  t.is(key.raw.toString('base64'), key.base64);
  const shown = execFileSync('ssh-keygen', ['-l', '-f', '-'], { input: `${SK_LINE}\n`, encoding: 'utf8' });
  t.is(shown.split(' ')[1], key.fingerprint);
  t.throws(() => parsePublicKey(key.base64));
  t.throws(() => parsePublicKey(SK_LINE.replace('sk-ssh-ed25519@openssh.com', 'ssh-ed25519')));
});

test('authorized_clients.pub takes security keys, and tells them from plain ones', async (t) => {
  const path = join(await temporaryDirectory(t), 'authorized_clients.pub');
  const touched = parsePublicKey(SK_LINE);
  // The same point as a plain key: 32 bytes from offset 34 of the blob.
  const plain = parsePublicKey(touched.raw.subarray(34, 66).toString('base64'));
  t.not(plain.fingerprint, touched.fingerprint);
  await authorizeClient(path, touched, { options: ['read-only', 'path="/in"'], comment: 'yubi key' });
  const clients = new AuthorizedClients(path);
  t.false((await clients.lookup(touched))?.write);
  t.is(await clients.lookup(plain), null);
  t.is(clients.clients[0]?.comment, 'yubi key');
  t.is(await authorizeClient(path, plain), 'added');
  t.true((await clients.lookup(plain))?.write);
  t.false((await clients.lookup(touched))?.write);
  t.is(await authorizeClient(path, touched), 'replaced');
  t.is(await revokeClient(path, touched.fingerprint), 1);
  t.is(await clients.lookup(touched), null);
  t.true((await clients.lookup(plain))?.write);
  const { clients: none, warnings } = parseAuthorizedClients(`verify-required ${SK_LINE}\n${SK_LINE.slice(0, 90)}\n`);
  t.deepEqual([none.size, warnings.length], [0, 2]);
});
