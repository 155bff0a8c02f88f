import { execFileSync } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { E2eeftpError } from '../../dist/errors.js';
import { Identity, publicHalf } from '../../dist/identity/identity.js';
import { openIdentity } from '../../dist/identity/open-identity.js';
import type { PassphraseRequest } from '../../dist/identity/passphrase.js';
import { openServerData } from '../../dist/identity/server-data.js';
import { temporaryDirectory } from '../temporary-directory.js';

/** A key whose passphrase is `secret`, with one round of bcrypt-pbkdf so that it opens fast. */
function makeLocked(path: string, type = 'ed25519'): void {
  const words = ['-q', '-t', type, '-a', '1', '-C', 'me@here', '-N', 'secret', '-f', path];
  execFileSync('ssh-keygen', words);
}

test('a key with a passphrase survives its file, and ssh-keygen opens it', async (t) => {
  const path = join(await temporaryDirectory(t), 'id.key');
  const identity = Identity.generate();
  const bytes = Buffer.from('påss word');
  await identity.save(path, { comment: 'me@here', passphrase: bytes });
  t.is(bytes.toString(), 'påss word', 'the bytes are the caller’s');
  t.is(publicHalf(await readFile(path)).fingerprint, identity.publicKey.fingerprint);
  const loaded = await Identity.load(path, 'påss word');
  t.is(loaded.publicKey.fingerprint, identity.publicKey.fingerprint);
  t.is(loaded.comment, 'me@here');
  const shown = execFileSync('ssh-keygen', ['-y', '-P', 'påss word', '-f', path], { encoding: 'utf8' });
  t.is(shown.trim(), `${identity.publicKey.openssh} me@here`);
  const empty = await t.throwsAsync(() => identity.save(path, { overwrite: true, passphrase: '' }));
  t.true(E2eeftpError.is(empty, 'E2EEFTP_INVALID_ARGUMENT'), String(empty));
});

test('no passphrase, a wrong one, and a function that is asked three times', async (t) => {
  const path = join(await temporaryDirectory(t), 'locked');
  makeLocked(path);
  const failing = async (code: string, open: () => Promise<unknown>): Promise<void> => {
    const error = await t.throwsAsync(open);
    t.true(E2eeftpError.is(error) && error.code === code, String(error));
    t.true(error?.message.includes(path), String(error));
  };
  await failing('E2EEFTP_KEY_ENCRYPTED', () => Identity.load(path));
  await failing('E2EEFTP_KEY_ENCRYPTED', () => Identity.load(path, () => null));
  for (const wrong of ['', 'Secret', Buffer.alloc(0)]) {
    await failing('E2EEFTP_WRONG_PASSPHRASE', () => Identity.load(path, wrong));
  }
  const asked: PassphraseRequest[] = [];
  const answers = (...given: (string | null)[]) => {
    asked.length = 0;
    return (request: PassphraseRequest) => {
      asked.push(request);
      return given[request.attempt - 1] ?? null;
    };
  };
  await failing('E2EEFTP_WRONG_PASSPHRASE', () => openIdentity(path, { passphrase: answers('a', 'b', 'c', 'secret') }));
  t.deepEqual(
    asked,
    [1, 2, 3].map((attempt) => ({ file: path, attempt })),
  );
  await failing('E2EEFTP_WRONG_PASSPHRASE', () => openIdentity(path, { passphrase: answers('a', null) }));
  t.is(asked.length, 2);
  await t.notThrowsAsync(() => openIdentity(path, { passphrase: answers('a', 'b', 'secret') }));
  t.is(asked.length, 3);
  for (const passphrase of ['secret', Buffer.from('secret'), () => 'secret']) {
    t.is((await openIdentity(path, { passphrase })).comment, 'me@here');
  }
  const bytes = Buffer.from('secret');
  await openIdentity(path, { passphrase: () => bytes });
  t.true(bytes.equals(Buffer.alloc(6)), 'what a function gave is overwritten');
  // What fails in the function is not taken for a wrong passphrase.
  const failure = new Error('no keyring');
  t.is(await t.throwsAsync(() => openIdentity(path, { passphrase: () => Promise.reject(failure) })), failure);
});

test('a function is not asked for a key that needs no passphrase', async (t) => {
  const path = join(await temporaryDirectory(t), 'plain');
  await Identity.generate().save(path);
  await t.notThrowsAsync(() => openIdentity(path, { passphrase: () => Promise.reject(new Error('asked')) }));
});

test('the event loop goes on while a passphrase is tried', async (t) => {
  const path = join(await temporaryDirectory(t), 'id.key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-a', '30', '-N', 'secret', '-f', path]);
  let ticks = 0;
  const timer = setInterval(() => (ticks += 1), 1);
  await Identity.load(path, 'secret');
  clearInterval(timer);
  t.true(ticks > 0);
});

test('a private key that others can read is told about', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'id.key');
  await Identity.generate().save(path);
  const warnings: string[] = [];
  const onWarning = (message: string): void => void warnings.push(message);
  await openIdentity(path, { onWarning });
  t.deepEqual(warnings, []);
  for (const mode of [0o640, 0o604, 0o620]) {
    await chmod(path, mode);
    warnings.length = 0;
    await openIdentity(path, { onWarning });
    t.is(warnings.length, 1, mode.toString(8));
    t.true(warnings[0]?.includes(path) && warnings[0].includes('chmod 600'));
  }
});

test('a damaged or unknown encrypted key is told apart', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'locked');
  makeLocked(path, 'rsa');
  const rsa = await t.throwsAsync(() => openIdentity(path, { passphrase: 'secret' }));
  t.true(E2eeftpError.is(rsa, 'E2EEFTP_KEY_FILE'), String(rsa));
  const pkcs8 = join(directory, 'pkcs8');
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-aes256', '-pass', 'pass:secret', '-out', pkcs8]);
  const other = await t.throwsAsync(() => openIdentity(pkcs8, { passphrase: 'secret' }));
  t.true(E2eeftpError.is(other, 'E2EEFTP_UNSUPPORTED'), String(other));
  await writeFile(path, '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n');
  const broken = await t.throwsAsync(() => openIdentity(path, { passphrase: 'secret' }));
  t.true(E2eeftpError.is(broken, 'E2EEFTP_KEY_FILE'), String(broken));
});

test('a server’s key may have a passphrase', async (t) => {
  const directory = join(await temporaryDirectory(t), 'data');
  const { identity } = await openServerData(directory);
  const key = join(directory, 'server_id.key');
  execFileSync('ssh-keygen', ['-q', '-p', '-a', '1', '-P', '', '-N', 'secret', '-f', key]);
  t.is((await openServerData(directory, 'secret')).identity.publicKey.fingerprint, identity.publicKey.fingerprint);
  for (const passphrase of [undefined, 'wrong']) {
    const error = await t.throwsAsync(() => openServerData(directory, passphrase));
    const code = passphrase === undefined ? 'E2EEFTP_KEY_ENCRYPTED' : 'E2EEFTP_WRONG_PASSPHRASE';
    t.true(E2eeftpError.is(error, code), String(error));
  }
});
