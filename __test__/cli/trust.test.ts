import { existsSync, statSync } from 'node:fs';
import test from 'ava';
import { events, Sandbox } from './run.js';

const KNOWN = 'config/e2eeftp/known_servers';

test('an unknown server is refused without a terminal; trust makes it known', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const peer = `127.0.0.1:${server.port}`;
  const refused = await box.run(['ls', '127.0.0.1:', '-P', String(server.port)]);
  t.is(refused.code, 4);
  t.regex(refused.stderr, /error\[E2EEFTP_SERVER_KEY_UNKNOWN\]: .*\n {2}→ .*e2eeftp trust/);
  t.true(refused.stderr.includes(server.fingerprint));
  t.false(existsSync(box.path(KNOWN)));
  const asked = await box.run(['trust', peer]);
  t.is(asked.code, 4);
  t.true(asked.stderr.includes(`e2eeftp trust ${peer} ${server.fingerprint}`), asked.stderr);
  const trusted = await box.run(['trust', peer, server.fingerprint]);
  t.is(trusted.code, 0, trusted.stderr);
  t.is(statSync(box.path(KNOWN)).mode & 0o777, 0o600);
  t.regex(box.read(KNOWN), new RegExp(`^127\\.0\\.0\\.1:${server.port} ssh-ed25519 \\S+\\n$`));
  const listed = await box.run(['ls', '127.0.0.1:', '-P', String(server.port)]);
  t.is(listed.code, 0, listed.stderr);
  const [again] = events((await box.run(['trust', peer, '--json'])).stdout);
  t.is(again?.type === 'result' ? again.result['action'] : '', 'known');
  await server.stop();
});

test('trust with a wrong fingerprint saves nothing and shows both', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const wrong = 'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU';
  const refused = await box.run(['trust', `127.0.0.1:${server.port}`, wrong]);
  t.is(refused.code, 4);
  t.true(refused.stderr.includes(wrong) && refused.stderr.includes(server.fingerprint));
  t.false(existsSync(box.path(KNOWN)));
  await server.stop();
});

test('trust with a key needs no server', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  await server.stop();
  const file = box.path('data/e2eeftp/known_server.pub');
  t.is((await box.run(['trust', 'files.example.org', file])).code, 0);
  t.regex(box.read(KNOWN), /^files\.example\.org:5001 ssh-ed25519 /);
});

test('a changed key is an error that shows both, until the new one is named', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const first = await box.ready();
  const peer = `127.0.0.1:${first.port}`;
  t.is((await box.run(['trust', peer, first.fingerprint])).code, 0);
  await first.stop();
  await box.run(['authorize', box.path('config/e2eeftp/client_id.pub'), '--data', 'other']);
  const second = await box.serve(['--data', 'other', '--listen', peer]);
  t.not(second.fingerprint, first.fingerprint);
  const before = box.read(KNOWN);
  const at = ['-P', String(first.port)];
  for (const words of [
    ['ls', '127.0.0.1:', ...at],
    ['trust', peer],
  ]) {
    const changed = await box.run(words);
    t.is(changed.code, 4, changed.stderr);
    t.regex(changed.stderr, /error\[E2EEFTP_SERVER_KEY_CHANGED\]/);
    t.true(changed.stderr.includes(first.fingerprint) && changed.stderr.includes(second.fingerprint), changed.stderr);
  }
  const onTerminal = box.terminal(['ls', '127.0.0.1:', ...at]);
  onTerminal.child.stdin?.write('yes\n');
  t.is((await onTerminal.result).code, 4);
  t.is(box.read(KNOWN), before);
  const replaced = await box.run(['trust', peer, second.fingerprint]);
  t.is(replaced.code, 0, replaced.stderr);
  t.true(replaced.stderr.includes(first.fingerprint));
  t.is(box.read(KNOWN).trim().split('\n').length, 1);
  t.is((await box.run(['ls', '127.0.0.1:', ...at])).code, 0);
  await second.stop();
});

test('--server-key pins, by fingerprint or by file, and saves nothing', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const at = ['ls', '127.0.0.1:', '-P', String(server.port)];
  t.is((await box.run([...at, '--server-key', server.fingerprint])).code, 0);
  t.is((await box.run([...at, '--server-key', 'data/e2eeftp/known_server.pub'])).code, 0);
  t.is((await box.run(at, { env: { E2EEFTP_SERVER_KEY: server.fingerprint } })).code, 0);
  const wrong = await box.run([...at, '--server-key', 'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU']);
  t.is(wrong.code, 4, wrong.stderr);
  t.true(wrong.stderr.includes(server.fingerprint));
  t.false(existsSync(box.path(KNOWN)));
  await server.stop();
});

test('a key that is not authorized is refused, with the next step', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.serve();
  await box.keygen();
  const refused = await box.run(['ls', '127.0.0.1:', ...server.at]);
  t.is(refused.code, 4);
  t.regex(refused.stderr, /error\[E2EEFTP_AUTH_REFUSED\]: .*\n {2}→ .*authorize/);
  await box.run(['authorize', 'config/e2eeftp/client_id.pub']);
  t.is((await box.run(['ls', '127.0.0.1:', ...server.at])).code, 0);
  await box.run(['revoke', 'config/e2eeftp/client_id.pub']);
  t.is((await box.run(['ls', '127.0.0.1:', ...server.at])).code, 4);
  await server.stop();
});

test('first contact on a terminal: no, a wrong fingerprint, nonsense and yes', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const words = ['ls', '127.0.0.1:', '-P', String(server.port)];
  const answer = async (lines: string[]): Promise<{ code: number | null; stdout: string }> => {
    const run = box.terminal(words);
    await run.until(/Trust this server/);
    t.true(run.stdout.includes(server.fingerprint));
    for (const [index, line] of lines.entries()) {
      if (index > 0) await run.until(/Please answer/);
      run.child.stdin?.write(`${line}\n`);
    }
    return run.result;
  };
  t.is((await answer(['no'])).code, 4);
  t.is((await answer(['SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU'])).code, 4);
  t.false(existsSync(box.path(KNOWN)));
  const yes = await answer(['what?', 'yes']);
  t.is(yes.code, 0, yes.stdout);
  t.true(box.read(KNOWN).startsWith(`127.0.0.1:${server.port} ssh-ed25519 `));
  t.is(statSync(box.path(KNOWN)).mode & 0o777, 0o600);
  const known = box.terminal(words);
  const second = await known.result;
  t.is(second.code, 0);
  t.false(second.stdout.includes('Trust this server'));
  await server.stop();
});

test('first contact: the fingerprint is an answer, also for trust and with standard input in use', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const run = box.terminal(['trust', `127.0.0.1:${server.port}`]);
  await run.until(/Trust this server/);
  run.child.stdin?.write(`${server.fingerprint}\n`);
  t.is((await run.result).code, 0);
  t.true(existsSync(box.path(KNOWN)));
  await server.stop();
});

test('ctrl-C at the question ends with 130 and saves nothing', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const run = box.terminal(['ls', '127.0.0.1:', '-P', String(server.port)]);
  await run.until(/Trust this server/);
  run.child.stdin?.write('\u0003');
  t.is((await run.result).code, 130);
  t.false(existsSync(box.path(KNOWN)));
  await server.stop();
});

test('what is remembered can be shown, hashed and forgotten', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  await box.keygen();
  const key = box.path('config/e2eeftp/client_id.pub');
  t.is((await box.run(['trust', 'files.example.org', key])).code, 0);
  t.is((await box.run(['trust', 'backup.example.org:6001', key, '--hash-known-servers'])).code, 0);
  t.regex(box.read(KNOWN), /^files\.example\.org:5001 \S+ \S+\n\|1\|\S+ ssh-ed25519 \S+\n$/);
  const listed = await box.run(['trust', '--list']);
  t.regex(listed.stdout, /^files\.example\.org:5001 SHA256:\S+\n\|1\|\S+ SHA256:\S+\n$/);
  const [entry] = events((await box.run(['trust', '--list', 'backup.example.org:6001', '--json'])).stdout);
  t.like(entry, { type: 'result', verb: 'trust', result: { action: 'listed', host: null, port: null, line: 2 } });
  const hashed = await box.run(['trust', '--hash-all']);
  t.is(hashed.code, 0, hashed.stderr);
  t.false(box.read(KNOWN).includes('example'));
  t.is((await box.run(['trust', 'files.example.org', '--remove'])).code, 0);
  t.is((await box.run(['trust', 'files.example.org', '--remove'])).code, 6);
  t.is(box.read(KNOWN).split('\n').length, 2);
  const environment = { E2EEFTP_HASH_KNOWN_SERVERS: '1' };
  t.is((await box.run(['trust', 'third.example.org', key], { env: environment })).code, 0);
  t.false(box.read(KNOWN).includes('third'));
  for (const words of [['--list', '--remove', 'h'], ['--hash-all', 'h'], ['--remove', 'h', key], []]) {
    t.is((await box.run(['trust', ...words])).code, 2, words.join(' '));
  }
});

test('fingerprint shows words and the picture, and reads a key from standard input', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  await box.keygen();
  const input = box.read('config/e2eeftp/client_id.pub');
  const plain = await box.run(['fingerprint', '-'], { input });
  t.regex(plain.stdout, /^SHA256:\S{43}\n$/);
  t.is((await box.run(['fingerprint'])).stdout, plain.stdout);
  const all = (await box.run(['fingerprint', '--words', '--art'])).stdout.split('\n');
  t.is(`${all[0]}\n`, plain.stdout);
  t.regex(all[1] ?? '', /^([a-z]+ ){11}[a-z]+$/);
  t.is(all[2], '+--[ED25519 256]--+');
  const [result] = events((await box.run(['fingerprint', '--json'])).stdout);
  t.is(result?.type === 'result' ? (result.result['words'] as string[]).length : 0, 12);
});

test('with -v the question about an unknown server has all forms of the fingerprint', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const asked = box.terminal(['ls', '127.0.0.1:', '-v', '-P', String(server.port)]);
  await asked.until(/Trust this server/);
  t.regex(asked.stdout, /\r\n {2}([a-z]+ ){5}[a-z]+\r\n {2}([a-z]+ ){5}[a-z]+\r\n {2}\+--\[ED25519 256\]--\+/);
  asked.child.stdin?.write('no\n');
  t.is((await asked.result).code, 4);
  await server.stop();
});
