/** Who is let in, and whom a client believes: every refusal is clear, and happens before anything is touched. */
import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import { Identity } from '../../dist/index.js';
import { assertClean, assertError, assertServes, authorizeNobody, logged, ready, sandbox } from './world.js';

test('a key that is not listed: 4, and nothing on the server moves', async (t) => {
  const { box, server } = await ready(t);
  box.write('files/old', 'old');
  box.write('new', 'new');
  const list = box.read('data/e2eeftp/authorized_clients.pub');
  authorizeNobody(box);
  for (const words of [
    ['send', 'new', '127.0.0.1:old'],
    ['get', '127.0.0.1:old', 'copy'],
    ['rm', '127.0.0.1:old'],
    ['ls', '127.0.0.1:'],
  ]) {
    const result = await box.run([...words, ...server.at]);
    assertError(t, result, 4, 'AUTH_REFUSED');
    t.regex(result.stderr, /→ .*e2eeftp authorize 'ssh-ed25519 /);
  }
  t.is(box.read('files/old'), 'old');
  t.deepEqual(box.list('files'), ['old']);
  t.false(existsSync(box.path('copy')));
  t.is(logged(server, /refused a client/).length, 4);
  t.is(logged(server, /session opened/).length, 0);
  box.write('data/e2eeftp/authorized_clients.pub', list);
  await assertServes(t, box, server);
});

test('a stranger who has the public key of a listed client has nothing', async (t) => {
  const { box, server } = await ready(t);
  const listed = await Identity.load(box.path('config/e2eeftp/client_id.key'));
  const stranger = Identity.generate();
  await stranger.save(box.path('stranger.key'));
  box.write('stranger.key.pub', `${listed.publicKey.openssh}\n`);
  box.write('files/old', 'old');
  assertError(t, await box.run(['rm', '127.0.0.1:old', '-i', 'stranger.key', ...server.at]), 4, 'AUTH_REFUSED');
  t.is(box.read('files/old'), 'old');
  t.true(logged(server, /refused a client/).every((line) => line.includes(stranger.publicKey.fingerprint)));
  await assertServes(t, box, server);
});

test('another key than the pinned one: 4, both fingerprints, and the server does not learn who asked', async (t) => {
  const { box, server } = await ready(t);
  const other = Identity.generate().publicKey.fingerprint;
  box.write('new', 'new');
  box.write('files/old', 'old');
  const result = await box.run(['send', 'new', '127.0.0.1:old', '-P', String(server.port), '--server-key', other]);
  assertError(t, result, 4, 'SERVER_KEY_CHANGED');
  t.true(result.stderr.includes(other) && result.stderr.includes(server.fingerprint), result.stderr);
  t.is(box.read('files/old'), 'old');
  const own = await Identity.load(box.path('config/e2eeftp/client_id.key'));
  t.false(server.run.stderr.includes(own.publicKey.fingerprint));
  await assertServes(t, box, server);
});

test('a key that changed since the last time: 4, no question even on a terminal, the record stays', async (t) => {
  const { box, server } = await ready(t);
  const before = Identity.generate().publicKey;
  const line = `127.0.0.1:${server.port} ${before.openssh}\n`;
  box.write('config/e2eeftp/known_servers', line);
  box.write('files/old', 'old');
  const words = ['rm', '127.0.0.1:old', '-P', String(server.port)];
  const result = await box.run(words);
  assertError(t, result, 4, 'SERVER_KEY_CHANGED');
  t.true(result.stderr.includes(before.fingerprint) && result.stderr.includes(server.fingerprint), result.stderr);
  const asked = box.terminal(words);
  asked.child.stdin?.write('yes\n');
  const onTerminal = await asked.result;
  t.is(onTerminal.code, 4, onTerminal.stdout);
  t.notRegex(onTerminal.stdout, /\(yes|yes\/no/i);
  t.is(readFileSync(box.path('config/e2eeftp/known_servers'), 'utf8'), line);
  t.is(box.read('files/old'), 'old');
  await assertServes(t, box, server);
});

test('first contact without a terminal: 4, nothing is put on record', async (t) => {
  const { box, server } = await ready(t);
  box.write('new', 'new');
  const result = await box.run(['send', 'new', '127.0.0.1:new', '-P', String(server.port)], { input: 'yes\n' });
  assertError(t, result, 4, 'SERVER_KEY_UNKNOWN');
  t.true(result.stderr.includes(server.fingerprint), result.stderr);
  t.regex(result.stderr, /→ .*e2eeftp trust/);
  t.false(existsSync(box.path('config/e2eeftp/known_servers')));
  t.deepEqual(box.list('files'), []);
  await assertClean(t, box);
  await assertServes(t, box, server);
});

test('a key list that cannot be read lets nobody in', async (t) => {
  const { box, server } = await ready(t);
  box.write(
    'data/e2eeftp/authorized_clients.pub',
    `unlimited=yes ${Identity.generate().publicKey.openssh}\n\0\0\x07 garbage\n`,
  );
  assertError(t, await box.run(['ls', '127.0.0.1:', ...server.at]), 4, 'AUTH_REFUSED');
  t.is(logged(server, /WARN .*line=/).length >= 2, true, server.run.stderr);
  t.false(server.run.stderr.includes('\x07'), 'the log shows no control characters of the list');
});

test('no key of one’s own: a clear error, and the server is not even asked', async (t) => {
  const box = sandbox(t);
  const server = await box.serve();
  assertError(t, await box.run(['ls', '127.0.0.1:', ...server.at]), 4, 'KEY_FILE');
  t.is(logged(server, /refused|session/).length, 0);
});
