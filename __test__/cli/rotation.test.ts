/** `keygen --rotate`, a server with the new key, and clients that know the old one. */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { events, type RunningServer, Sandbox } from './run.js';

const KNOWN = 'config/e2eeftp/known_servers';
const DATA = 'data/e2eeftp';

/** A client that has the server's key on record; the server is stopped. */
async function known(t: ExecutionContext): Promise<{ box: Sandbox; server: RunningServer; peer: string }> {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const peer = `127.0.0.1:${server.port}`;
  t.is((await box.run(['trust', peer, server.fingerprint])).code, 0);
  await server.stop();
  return { box, server, peer };
}

async function rotate(t: ExecutionContext, box: Sandbox, words: string[] = []): Promise<void> {
  const run = await box.run(['keygen', '--rotate', ...words]);
  t.is(run.code, 0, run.stderr);
}

test('a client that knows the old key follows the statement, once, and says so', async (t) => {
  const { box, server, peer } = await known(t);
  writeFileSync(box.path(KNOWN), `# mine\n${box.read(KNOWN).trim()} my server\n`);
  const old = box.read(`${DATA}/server_id.key`);
  const made = await box.run(['keygen', '--rotate', '--json']);
  t.is(made.code, 0, made.stderr);
  const [event] = events(made.stdout);
  const result = event?.type === 'result' ? event.result : {};
  t.is(result['replaced'], server.fingerprint);
  t.is(box.read(`${DATA}/server_id.old.key`), old);
  t.is(statSync(box.path(`${DATA}/server_id.old.key`)).mode & 0o777, 0o600);
  t.is(statSync(box.path(`${DATA}/server_id.key`)).mode & 0o777, 0o600);
  t.false(made.stdout.includes('PRIVATE') || box.read(`${DATA}/server_id.rotation`).includes('PRIVATE'));

  const next = await box.serve(['--listen', peer]);
  t.is(next.fingerprint, String(result['fingerprint']));
  t.false(next.run.stderr.includes('clients that pinned it'), next.run.stderr);
  const ls = ['ls', '127.0.0.1:', '-P', String(server.port)];
  const first = await box.run([...ls, '--json']);
  t.is(first.code, 0, first.stderr);
  t.true(first.stderr.includes(server.fingerprint) && first.stderr.includes(next.fingerprint), first.stderr);
  const told = events(first.stdout).find(({ type }) => type === 'server-key');
  t.like(told, { port: server.port, fingerprint: next.fingerprint, replaced: server.fingerprint });
  const lines = box.read(KNOWN).split('\n');
  t.is(lines[0], '# mine');
  t.regex(lines[1] ?? '', /^127\.0\.0\.1:\d+ ssh-ed25519 \S+ my server rotation=\d+$/);
  t.is(lines.length, 3);
  const second = await box.run(ls);
  t.is(second.code, 0);
  t.is(second.stderr.includes('new key'), false, second.stderr);
  await next.stop();
});

test('a chain of rotations is followed, also through a hashed name; one that is too long is not', async (t) => {
  const { box, server, peer } = await known(t);
  t.is((await box.run(['trust', '--hash-all'])).code, 0);
  for (let round = 0; round < 4; round += 1) await rotate(t, box);
  const ls = ['ls', '127.0.0.1:', '-P', String(server.port)];
  const before = box.read(KNOWN);
  const fourth = await box.serve(['--listen', peer]);
  const followed = await box.run(ls);
  t.is(followed.code, 0, followed.stderr);
  t.regex(box.read(KNOWN), /^\|1\|\S+ ssh-ed25519 \S+ rotation=\d+\n$/);
  await fourth.stop();
  await rotate(t, box);
  writeFileSync(box.path(KNOWN), before);
  const fifth = await box.serve(['--listen', peer]);
  const refused = await box.run(ls);
  t.is(refused.code, 4);
  t.regex(refused.stderr, /E2EEFTP_SERVER_KEY_CHANGED/);
  t.is(box.read(KNOWN), before);
  await fifth.stop();
});

test('a replayed statement leads nowhere', async (t) => {
  const { box, server, peer } = await known(t);
  await rotate(t, box);
  // This client has followed a later statement about this server already.
  const number = /^(\d+) /m.exec(box.read(`${DATA}/server_id.rotation`))?.[1] ?? '';
  const line = box.read(KNOWN).trim();
  const next = await box.serve(['--listen', peer]);
  const ls = ['ls', '127.0.0.1:', '-P', String(server.port)];
  for (const noted of [number, '9007199254740991', '9'.repeat(400)]) {
    writeFileSync(box.path(KNOWN), `${line} rotation=${noted}\n`);
    const refused = await box.run(ls);
    t.is(refused.code, 4, refused.stderr);
    t.regex(refused.stderr, /E2EEFTP_SERVER_KEY_CHANGED/);
    t.is(box.read(KNOWN), `${line} rotation=${noted}\n`);
  }
  writeFileSync(box.path(KNOWN), `${line} rotation=${Number(number) - 1}\n`);
  t.is((await box.run(ls)).code, 0);
  await next.stop();
});

test('a pin is not moved, and first contact is asked about as ever', async (t) => {
  const { box, server, peer } = await known(t);
  await rotate(t, box);
  const next = await box.serve(['--listen', peer]);
  const before = box.read(KNOWN);
  const ls = ['ls', '127.0.0.1:', '-P', String(server.port)];
  const pinned = await box.run([...ls, '--server-key', server.fingerprint]);
  t.is(pinned.code, 4, pinned.stderr);
  t.regex(pinned.stderr, /E2EEFTP_SERVER_KEY_CHANGED[^]*→ the pinned key has signed/);
  t.is(box.read(KNOWN), before);
  writeFileSync(box.path(KNOWN), '');
  const unknown = await box.run(ls);
  t.is(unknown.code, 4);
  t.regex(unknown.stderr, /E2EEFTP_SERVER_KEY_UNKNOWN/);
  t.is(box.read(KNOWN), '');
  await next.stop();
});

test('a rotation that was broken off leaves a server that works, and is made good', async (t) => {
  const { box, server, peer } = await known(t);
  const old = box.read(`${DATA}/server_id.key`);
  await rotate(t, box);
  // As after a crash between the statement and the key.
  writeFileSync(box.path(`${DATA}/server_id.key`), old);
  const again = await box.serve(['--listen', peer]);
  t.is(again.fingerprint, server.fingerprint);
  await again.run.until(/server_id\.rotation does not lead to/);
  const ls = ['ls', '127.0.0.1:', '-P', String(server.port)];
  t.is((await box.run(ls)).code, 0);
  await again.stop();
  await rotate(t, box);
  const next = await box.serve(['--listen', peer]);
  t.is((await box.run(ls)).code, 0);
  t.not(next.fingerprint, server.fingerprint);
  await next.stop();
});

test('a statement that does not hold keeps the server from starting', async (t) => {
  const { box } = await known(t);
  await rotate(t, box);
  const path = `${DATA}/server_id.rotation`;
  const text = box.read(path);
  for (const bad of [text.slice(0, -10), text.replace(/^\d+/m, '7'), 'nonsense\n', `${text}${text}`]) {
    writeFileSync(box.path(path), bad);
    const run = await box.run(['serve', '--listen', '127.0.0.1:0']);
    t.is(run.code === 0, false, bad);
    t.regex(run.stderr, /E2EEFTP_KEY_FILE[^]*server_id\.rotation/);
  }
});

test('keygen --rotate: a passphrase, no key, and options that do not belong to it', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const none = await box.run(['keygen', '--rotate', '--data', 'nowhere']);
  t.not(none.code, 0);
  t.regex(none.stderr, /E2EEFTP_KEY_FILE/);
  t.false(existsSync(box.path('nowhere/server_id.rotation')));
  t.is((await box.run(['keygen', 'dir/server_id.key'], { env: { E2EEFTP_PASSPHRASE: 'words' } })).code, 0);
  const locked = await box.run(['keygen', '--rotate', '--data', 'dir', '--json'], {
    env: { E2EEFTP_PASSPHRASE: 'words' },
  });
  t.is(locked.code, 0, locked.stderr);
  const [event] = events(locked.stdout);
  t.is(event?.type === 'result' ? event.result['encrypted'] : '', true);
  const wrong = await box.run(['keygen', '--rotate', '--data', 'dir'], { env: { E2EEFTP_PASSPHRASE: 'other' } });
  t.regex(wrong.stderr, /E2EEFTP_WRONG_PASSPHRASE/);
  for (const words of [
    ['--rotate', 'file'],
    ['--rotate', '--force'],
    ['--rotate', '-p'],
    ['--data', 'dir'],
  ]) {
    const refused = await box.run(['keygen', ...words]);
    t.is(refused.code, 2, refused.stderr);
  }
});
