import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { E2eeftpError } from '../../dist/errors.js';
import { clientDirectory, serverDirectory } from '../../dist/identity/default-directories.js';
import { Identity, isKeyFileExposed } from '../../dist/identity/identity.js';
import { parsePublicKey } from '../../dist/identity/public-key.js';
import { openServerData } from '../../dist/identity/server-data.js';
import { temporaryDirectory } from '../temporary-directory.js';

test('an identity survives its file, which only the owner can read', async (t) => {
  const path = join(await temporaryDirectory(t), 'deep', 'client_id.key');
  const identity = Identity.generate();
  await identity.save(path, { comment: 'me@here' });
  t.is((await stat(path)).mode & 0o777, 0o600);
  t.false(await isKeyFileExposed(path));
  const loaded = await Identity.load(path);
  t.is(loaded.publicKey.base64, identity.publicKey.base64);
  t.deepEqual(await readdir(join(path, '..')), ['client_id.key'], 'no temporary file is left');
});

test('a key that is there is not replaced unless asked for', async (t) => {
  const path = join(await temporaryDirectory(t), 'id.key');
  const first = Identity.generate();
  await first.save(path);
  const error = await t.throwsAsync(() => Identity.generate().save(path));
  t.true(E2eeftpError.is(error, 'E2EEFTP_EXISTS'));
  t.is((await Identity.load(path)).publicKey.base64, first.publicKey.base64);
  const second = Identity.generate();
  await second.save(path, { overwrite: true });
  t.is((await Identity.load(path)).publicKey.base64, second.publicKey.base64);
  t.deepEqual(await readdir(join(path, '..')), ['id.key']);
});

test('ssh-keygen reads what is written, and shows the same fingerprint', async (t) => {
  const path = join(await temporaryDirectory(t), 'id.key');
  const { publicKey } = Identity.generate();
  const identity = Identity.generate();
  await identity.save(path, { comment: 'a comment' });
  t.is(
    execFileSync('ssh-keygen', ['-y', '-f', path], { encoding: 'utf8' }).trim(),
    `${identity.publicKey.openssh} a comment`,
  );
  t.regex(
    execFileSync('ssh-keygen', ['-l', '-f', path], { encoding: 'utf8' }),
    new RegExp(escape(identity.publicKey.fingerprint)),
  );
  t.not(publicKey.fingerprint, identity.publicKey.fingerprint);
});

test('the original’s PKCS#8 PEM is read', async (t) => {
  const path = join(await temporaryDirectory(t), 'server_id.key');
  const pair = generateKeyPairSync('ed25519');
  await writeFile(path, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const identity = await Identity.load(path);
  const pem = pair.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  t.is(identity.publicKey.pem.trim(), pem.trim());
  await chmod(path, 0o644);
  t.true(await isKeyFileExposed(path));
});

test('what is no usable private key is told apart', async (t) => {
  const directory = await temporaryDirectory(t);
  const missing = await t.throwsAsync(() => Identity.load(join(directory, 'none')));
  t.true(E2eeftpError.is(missing, 'E2EEFTP_KEY_FILE') && /keygen/.test(missing.hint ?? ''));
  const junk = join(directory, 'junk');
  for (const text of ['', 'junk', Identity.generate().publicKey.openssh, 'x'.repeat(100_000)]) {
    await writeFile(junk, text);
    const error = await t.throwsAsync(() => Identity.load(junk));
    t.true(E2eeftpError.is(error, 'E2EEFTP_KEY_FILE'), String(error));
    t.true(error?.message.includes(junk));
  }
  t.true(E2eeftpError.is(await t.throwsAsync(() => Identity.load(directory)), 'E2EEFTP_KEY_FILE'));
});

test('public keys are read in three forms; weak ones are refused', (t) => {
  const key = Identity.generate().publicKey;
  for (const text of [key.base64, key.openssh, `${key.openssh} comment`, key.pem, ` ${key.base64}\n`]) {
    t.is(parsePublicKey(text).fingerprint, key.fingerprint);
  }
  t.is(key.raw.length, 32);
  t.is(key.raw.toString('base64'), key.base64);
  const zero = Buffer.alloc(32).toString('base64');
  t.true(
    E2eeftpError.is(
      t.throws(() => parsePublicKey(zero)),
      'E2EEFTP_WEAK_KEY',
    ),
  );
  for (const text of ['', 'x', 'x'.repeat(100_000)]) {
    t.true(
      E2eeftpError.is(
        t.throws(() => parsePublicKey(text)),
        'E2EEFTP_KEY_FILE',
      ),
    );
  }
  t.true(
    E2eeftpError.is(
      t.throws(() => parsePublicKey(5 as unknown as string)),
      'E2EEFTP_INVALID_ARGUMENT',
    ),
  );
});

test('a data directory gets its identity once', async (t) => {
  const directory = join(await temporaryDirectory(t), 'data');
  const [first, ...others] = await Promise.all(Array.from({ length: 4 }, () => openServerData(directory)));
  const fingerprint = first?.identity.publicKey.fingerprint ?? '';
  for (const other of others) t.is(other.identity.publicKey.fingerprint, fingerprint);
  t.is([first, ...others].filter((data) => data?.created).length, 1);
  t.is((await stat(directory)).mode & 0o777, 0o700);
  t.is((await stat(join(directory, 'server_id.key'))).mode & 0o777, 0o600);
  t.is(parsePublicKey(await readFile(join(directory, 'known_server.pub'), 'utf8')).fingerprint, fingerprint);
  const again = await openServerData(directory);
  t.false(again.created);
  t.deepEqual(again.warnings, []);
});

test('what an operator should look at is told', async (t) => {
  const directory = join(await temporaryDirectory(t), 'data');
  await openServerData(directory);
  await chmod(join(directory, 'server_id.key'), 0o644);
  await writeFile(join(directory, 'known_server.pub'), Identity.generate().publicKey.pem);
  const { warnings } = await openServerData(directory);
  t.is(warnings.length, 2);
  await writeFile(join(directory, 'server_id.key'), 'broken');
  t.true(E2eeftpError.is(await t.throwsAsync(() => openServerData(directory)), 'E2EEFTP_KEY_FILE'));
  t.is(await readFile(join(directory, 'server_id.key'), 'utf8'), 'broken', 'a broken identity is never replaced');
});

test('directories follow the XDG variables', (t) => {
  t.is(clientDirectory({ HOME: '/h/x' }), '/h/x/.config/e2eeftp');
  t.is(clientDirectory({ HOME: '/h/x', XDG_CONFIG_HOME: '/c' }), '/c/e2eeftp');
  t.is(clientDirectory({ HOME: '/h/x', XDG_CONFIG_HOME: 'relative' }), '/h/x/.config/e2eeftp');
  t.is(serverDirectory({ HOME: '/h/x', XDG_DATA_HOME: '/d' }), '/d/e2eeftp');
  const fallback = process.getuid?.() === 0 ? '/var/lib/e2eeftp' : '/h/x/.local/share/e2eeftp';
  t.is(serverDirectory({ HOME: '/h/x' }), fallback);
});

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
