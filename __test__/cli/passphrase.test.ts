import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, statSync } from 'node:fs';
import test from 'ava';
import { events, Sandbox } from './run.js';

const SECRET = 'correct horse';

/** A sandbox with a server that lets `locked.key` in, whose passphrase is {@link SECRET}. */
async function locked(): Promise<{ box: Sandbox; ls: string[]; stop: () => Promise<unknown> }> {
  const box = new Sandbox();
  box.write('secret', `${SECRET}\n`);
  chmodSync(box.path('secret'), 0o600);
  // One round, so that it opens fast.
  const words = ['-q', '-t', 'ed25519', '-a', '1', '-C', 'locked', '-N', SECRET, '-f', box.path('locked.key')];
  execFileSync('ssh-keygen', words);
  const added = await box.run(['authorize', 'locked.key.pub']);
  if (added.code !== 0) throw new Error(added.stderr);
  const server = await box.serve();
  return { box, ls: ['ls', '127.0.0.1:', '-i', 'locked.key', ...server.at], stop: () => server.stop() };
}

test('keygen writes a key with the passphrase of a file or the environment, and ssh-keygen opens it', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  box.write('secret', `${SECRET}\r\nsecond line\n`);
  chmodSync(box.path('secret'), 0o600);
  const made = await box.run(['keygen', 'a.key', '--comment', 'ann@laptop', '--passphrase-file', 'secret', '--json']);
  t.is(made.code, 0, made.stderr);
  const [event] = events(made.stdout);
  t.is(event?.type === 'result' ? event.result['encrypted'] : undefined, true);
  t.false(made.stdout.includes(SECRET) || made.stderr.includes(SECRET));
  t.is((await box.run(['keygen', 'b.key'], { env: { E2EEFTP_PASSPHRASE: SECRET } })).code, 0);
  t.is((await box.run(['keygen', 'c.key', '--no-passphrase'], { env: { E2EEFTP_PASSPHRASE: SECRET } })).code, 0);
  for (const [file, passphrase] of [
    ['b.key', SECRET],
    ['c.key', ''],
  ] as const) {
    t.is(statSync(box.path(file)).mode & 0o777, 0o600);
    const shown = execFileSync('ssh-keygen', ['-y', '-P', passphrase, '-f', box.path(file)], { encoding: 'utf8' });
    t.is(shown, box.read(file.replace('.key', '.pub')));
  }
  t.regex(
    box.read('a.key'),
    /^-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0/,
  );
  // The public half shows without the passphrase.
  const shown = await box.run(['fingerprint', 'a.key']);
  t.is(shown.stdout, (await box.run(['fingerprint', 'a.pub'])).stdout);
});

test('a key is opened by --passphrase-file, by the environment, and by nothing else without a terminal', async (t) => {
  const { box, ls, stop } = await locked();
  t.teardown(() => box.dispose());
  for (const [words, env] of [
    [['--passphrase-file', 'secret'], {}],
    [[], { E2EEFTP_PASSPHRASE_FILE: 'secret' }],
    [[], { E2EEFTP_PASSPHRASE: SECRET }],
    // The file wins.
    [['--passphrase-file', 'secret'], { E2EEFTP_PASSPHRASE: 'wrong' }],
  ] as const) {
    const done = await box.run([...ls, ...words], { env });
    t.is(done.code, 0, done.stderr);
    t.is(done.stderr, '');
  }
  const none = await box.run(ls);
  t.is(none.code, 4);
  t.regex(none.stderr, /error\[E2EEFTP_KEY_ENCRYPTED\]: locked\.key: .*\n {2}→ .*--passphrase-file/);
  const wrong = await box.run(ls, { env: { E2EEFTP_PASSPHRASE: 'Correct horse' } });
  t.is(wrong.code, 4);
  t.regex(wrong.stderr, /error\[E2EEFTP_WRONG_PASSPHRASE\]: locked\.key/);
  t.false(wrong.stderr.includes('Correct horse'));
  box.write('empty', '\n');
  for (const file of ['empty', 'missing']) {
    const refused = await box.run([...ls, '--passphrase-file', file]);
    t.is(refused.code, 4, refused.stderr);
    t.regex(refused.stderr, new RegExp(`error\\[E2EEFTP_KEY_FILE\\]: .*${file}`));
  }
  await stop();
});

test('files with secrets that others can read are told about', async (t) => {
  const { box, ls, stop } = await locked();
  t.teardown(() => box.dispose());
  chmodSync(box.path('secret'), 0o644);
  chmodSync(box.path('locked.key'), 0o640);
  const exposed = await box.run([...ls, '--passphrase-file', 'secret']);
  t.is(exposed.code, 0, exposed.stderr);
  t.regex(exposed.stderr, /warning: secret can be read by other users; run: chmod 600 secret/);
  t.regex(exposed.stderr, /warning: locked\.key can be read by other users; run: chmod 600 locked\.key/);
  await stop();
});

test('on a terminal the passphrase is asked for up to three times, and never shows', async (t) => {
  const { box, ls, stop } = await locked();
  t.teardown(() => box.dispose());
  const run = box.terminal(ls);
  await run.until(/Passphrase of locked\.key: $/);
  run.child.stdin?.write('wrong one\r');
  await run.until(/wrong\.\r?\nPassphrase of locked\.key: $/);
  // Typing errors are taken back, also of characters of several bytes.
  run.child.stdin?.write(`nonsense\u0015x\u00e9\u007f\u007f${SECRET}\r`);
  const done = await run.result;
  t.is(done.code, 0, done.stdout);
  t.false(/horse|wrong one|nonsense/.test(done.stdout), done.stdout);

  const fails = box.terminal(ls);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await fails.until(new RegExp(`(Passphrase of locked\\.key: [^]*){${attempt + 1}}$`));
    fails.child.stdin?.write('wrong\r');
  }
  const failed = await fails.result;
  t.is(failed.code, 4, failed.stdout);
  t.regex(failed.stdout, /error\[E2EEFTP_WRONG_PASSPHRASE\]|E2EEFTP_WRONG_PASSPHRASE/);

  const interrupted = box.terminal(ls);
  await interrupted.until(/Passphrase of locked\.key: $/);
  interrupted.child.stdin?.write('corr\u0003');
  t.is((await interrupted.result).code, 130);
  await stop();
});

test('keygen asks twice on a terminal; different answers are asked for again, an empty one is none', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const run = box.terminal(['keygen', 'a.key']);
  await run.until(/New passphrase \(empty for none\): $/);
  run.child.stdin?.write('one\r');
  await run.until(/once more: $/);
  run.child.stdin?.write('two\r');
  await run.until(/not the same\.\r?\nNew passphrase \(empty for none\): $/);
  // Both answers at once: what is typed ahead is not lost.
  run.child.stdin?.write(`${SECRET}\r${SECRET}\r`);
  const made = await run.result;
  t.is(made.code, 0, made.stdout);
  t.false(made.stdout.includes('horse'));
  execFileSync('ssh-keygen', ['-y', '-P', SECRET, '-f', box.path('a.key')]);
  const plain = box.terminal(['keygen', 'b.key']);
  await plain.until(/New passphrase \(empty for none\): $/);
  plain.child.stdin?.write('\r');
  t.is((await plain.result).code, 0);
  execFileSync('ssh-keygen', ['-y', '-P', '', '-f', box.path('b.key')]);
});

test('keygen -p sets a passphrase; key and comment stay', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  chmodSync(box.write('one', 'one\n'), 0o600);
  t.is((await box.run(['keygen', 'a.key', '--comment', 'ann'])).code, 0);
  const line = box.read('a.pub');
  const set = await box.run(['keygen', '-p', 'a.key', '--new-passphrase-file', 'one']);
  t.is(set.code, 0, set.stderr);
  t.is(set.stdout, line);
  t.is(execFileSync('ssh-keygen', ['-y', '-P', 'one', '-f', box.path('a.key')], { encoding: 'utf8' }), line);
  t.is(box.read('a.pub'), line);
  t.is(statSync(box.path('a.key')).mode & 0o777, 0o600);
});

test('keygen -p opens the key first, changes its passphrase or takes it off', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  for (const name of ['one', 'two']) chmodSync(box.write(name, `${name}\n`), 0o600);
  const key = box.path('a.key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-a', '1', '-C', 'ann', '-N', 'one', '-f', key]);
  const line = box.read('a.key.pub');
  const before = readFileSync(key);
  const change = ['keygen', '-p', 'a.key', '--new-passphrase-file', 'two'];
  const closed = await box.run(change);
  t.is(closed.code, 4, closed.stderr);
  t.regex(closed.stderr, /E2EEFTP_KEY_ENCRYPTED/);
  const wrong = await box.run([...change, '--passphrase-file', 'two']);
  t.is(wrong.code, 4, wrong.stderr);
  t.regex(wrong.stderr, /E2EEFTP_WRONG_PASSPHRASE/);
  const unsaid = await box.run(['keygen', '-p', 'a.key', '--passphrase-file', 'one']);
  t.is(unsaid.code, 2, unsaid.stderr);
  t.deepEqual(readFileSync(key), before);
  t.is((await box.run([...change, '--passphrase-file', 'one'])).code, 0);
  t.is((await box.run(['keygen', '-p', 'a.key', '--no-passphrase'], { env: { E2EEFTP_PASSPHRASE: 'two' } })).code, 0);
  t.is(execFileSync('ssh-keygen', ['-y', '-P', '', '-f', key], { encoding: 'utf8' }), line);
});

test('a server with a passphrase on its key starts with it, and not without', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  chmodSync(box.write('secret', `${SECRET}\n`), 0o600);
  await (await box.serve()).stop();
  const key = box.path('data/e2eeftp/server_id.key');
  execFileSync('ssh-keygen', ['-q', '-p', '-a', '1', '-P', '', '-N', SECRET, '-f', key]);
  const refused = await box.run(['serve', box.path('files'), '--listen', '127.0.0.1:0']);
  t.is(refused.code, 4, refused.stderr);
  t.regex(refused.stderr, /E2EEFTP_KEY_ENCRYPTED/);
  const server = await box.serve(['--passphrase-file', 'secret']);
  t.regex(server.fingerprint, /^SHA256:/);
  t.is((await server.stop()).code, 0);
});
