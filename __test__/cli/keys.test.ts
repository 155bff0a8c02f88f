import { statSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import test from 'ava';
import { events, Sandbox } from './run.js';

interface KeyResult {
  publicKey: string;
  fingerprint: string;
  base64: string;
}

test('keygen writes a private key for its owner only, and prints the public line', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const made = await box.run(['keygen', '--comment', 'ann@laptop']);
  t.is(made.code, 0, made.stderr);
  t.regex(made.stdout, /^ssh-ed25519 [A-Za-z0-9+/=]{68} ann@laptop\n$/);
  t.is(box.read('config/e2eeftp/client_id.pub'), made.stdout);
  t.is(statSync(box.path('config/e2eeftp/client_id.key')).mode & 0o777, 0o600);
  t.regex(box.read('config/e2eeftp/client_id.key'), /^-----BEGIN OPENSSH PRIVATE KEY-----\n/);
  t.regex(made.stderr, /SHA256:[A-Za-z0-9+/]{43}/);
});

test('keygen does not replace a key unless told to', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  t.is((await box.run(['keygen', 'a.key'])).code, 0);
  const before = box.read('a.key');
  const again = await box.run(['keygen', 'a.key']);
  t.is(again.code, 7);
  t.regex(again.stderr, /error\[E2EEFTP_EXISTS\]: .*a\.key.*\n {2}→ .*--force/);
  t.is(again.stdout, '');
  t.is(box.read('a.key'), before);
  t.is((await box.run(['keygen', 'a.key', '--force', '--no-passphrase'])).code, 0);
  t.not(box.read('a.key'), before);
  t.deepEqual(
    box.list('.').filter((name) => name.startsWith('a.')),
    ['a.key', 'a.pub'],
  );
});

test('keygen refuses what contradicts itself', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  box.write('secret', 'words\n');
  for (const words of [
    ['--comment', 'two\nlines'],
    ['--passphrase-file', 'secret', '--no-passphrase'],
    ['--new-passphrase-file', 'secret'],
  ]) {
    const refused = await box.run(['keygen', 'a.key', ...words]);
    t.is(refused.code, 2, refused.stderr);
    t.regex(refused.stderr, /E2EEFTP_INVALID_ARGUMENT/);
  }
  t.deepEqual(box.list('home'), []);
  t.false(box.list('.').some((name) => name.startsWith('a.')));
});

test('ssh-keygen reads the key and agrees about the fingerprint', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const [made] = events((await box.run(['keygen', 'a.key', '--json'])).stdout);
  const { publicKey, fingerprint } = (made?.type === 'result' ? made.result : {}) as unknown as KeyResult;
  const shown = execFileSync('ssh-keygen', ['-l', '-f', box.path('a.pub')], { encoding: 'utf8' });
  t.true(shown.includes(` ${fingerprint} `), shown);
  t.true(execFileSync('ssh-keygen', ['-y', '-f', box.path('a.key')], { encoding: 'utf8' }).startsWith(publicKey));
});

test('fingerprint reads keys, public files and private files', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  await box.keygen();
  const json = await box.run(['fingerprint', '--json']);
  const [event] = events(json.stdout);
  const { fingerprint, publicKey, base64 } = (event?.type === 'result' ? event.result : {}) as unknown as KeyResult;
  for (const words of [[], [publicKey], [base64], ['config/e2eeftp/client_id.pub'], ['config/e2eeftp/client_id.key']]) {
    const shown = await box.run(['fingerprint', ...words]);
    t.is(shown.stdout, `${fingerprint}\n`, words.join());
    t.is(shown.stderr, '');
  }
  const missing = await box.run(['fingerprint', 'nothing-there']);
  t.is(missing.code, 4);
  t.regex(missing.stderr, /error\[E2EEFTP_KEY_FILE\]: nothing-there/);
  box.write('garbage', 'hello');
  t.is((await box.run(['fingerprint', 'garbage'])).code, 4);
});

test('authorize adds and replaces a line, revoke takes it out; other lines stay', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  await box.keygen();
  const list = box.write('list.pub', '# our clients\n\n');
  const key = box.read('config/e2eeftp/client_id.pub').trim();
  const added = await box.run(['authorize', key, '--authorized', list]);
  t.is(added.code, 0, added.stderr);
  t.is(added.stdout, '');
  t.is(box.read('list.pub'), `# our clients\n\n${key}\n`);
  const words = [
    'authorize',
    'config/e2eeftp/client_id.pub',
    '--authorized',
    list,
    '--option',
    'upload-only',
    '--option',
    'path="/in"',
  ];
  t.is((await box.run(words)).code, 0);
  t.is(box.read('list.pub'), `# our clients\n\nupload-only,path="/in" ${key}\n`);
  const { stdout: fingerprint } = await box.run(['fingerprint']);
  t.is((await box.run(['revoke', fingerprint.trim(), '--authorized', list])).code, 0);
  t.is(box.read('list.pub'), '# our clients\n\n');
  const again = await box.run(['revoke', fingerprint.trim(), '--authorized', list]);
  t.is(again.code, 6);
  t.regex(again.stderr, /E2EEFTP_NOT_FOUND/);
});

test('authorize writes to the data directory unless told otherwise, and refuses bad options', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  await box.keygen();
  const key = 'config/e2eeftp/client_id.key';
  t.is((await box.run(['authorize', key])).code, 0);
  t.true(box.read('data/e2eeftp/authorized_clients.pub').startsWith('ssh-ed25519 '));
  t.is((await box.run(['authorize', key, '--data', 'd2'])).code, 0);
  t.true(box.read('d2/authorized_clients.pub').startsWith('ssh-ed25519 '));
  const bad = await box.run(['authorize', key, '--option', 'all-powerful']);
  t.is(bad.code, 2);
  t.regex(bad.stderr, /all-powerful/);
  t.is((await box.run(['authorize', key, '--data', 'x', '--authorized', 'y'])).code, 2);
});

test('authorize refuses control characters in options and key lines, and writes nothing', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  await box.keygen();
  const key = box.read('config/e2eeftp/client_id.pub').trim();
  box.write('two.pub', `${key}\n${key}\n`);
  for (const words of [
    [key, '--option', `user="a\n${key}"`],
    [key, '--option', 'path="/in\r"'],
    [key, '--option', 'user="a\u0085b"'],
    [`${key}\n${key}`],
    [`${key}\u001b[31m`],
    ['two.pub'],
  ]) {
    const { code, stderr } = await box.run(['authorize', '--authorized', 'list', ...words]);
    t.is(code, 2, stderr);
    t.regex(stderr, /error\[E2EEFTP_INVALID_ARGUMENT\]/, JSON.stringify(words));
  }
  t.false(box.list('.').includes('list'));
  const fine = await box.run(['authorize', '--authorized', 'list', `${key}\n`]);
  t.is(fine.code, 0, fine.stderr);
});
