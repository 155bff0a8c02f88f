import { chmodSync, existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import test from 'ava';
import { events, Sandbox, until } from './run.js';

test('the port file is whole, says where the server listens, and goes away with it', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.serve();
  const content = JSON.parse(box.read('port-1.json')) as Record<string, unknown>;
  t.deepEqual(content, {
    pid: server.run.child.pid,
    fingerprint: server.fingerprint,
    e2eeftp: [{ host: '127.0.0.1', port: server.port }],
    sftp: [],
    ftps: [],
    classic: [],
  });
  t.regex(server.fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/);
  t.deepEqual(
    box.list('.').filter((name) => name.includes('port-')),
    ['port-1.json'],
  );
  const socket = connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
  const { code, stdout } = await server.stop();
  t.is(code, 0);
  t.is(stdout, '');
  t.false(existsSync(box.path('port-1.json')));
});

test('the start text tells address, fingerprint, root, key list and how to open it to the network', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.serve();
  await server.run.until(/--listen 0\.0\.0\.0/);
  const { stderr } = server.run;
  t.true(stderr.includes(`127.0.0.1:${server.port}\n`));
  t.true(stderr.includes(server.fingerprint));
  t.true(stderr.includes(`${box.path('files')}\n`));
  t.true(stderr.includes(`${box.path('data/e2eeftp/authorized_clients.pub')} (0 keys)`));
  t.regex(stderr, /Nobody may log in yet.*e2eeftp authorize KEY/);
  await server.stop();
});

test('the first start makes the key; the next one has the same', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const first = await box.serve(['--data', 'd']);
  await first.stop();
  t.is(statSync(box.path('d/server_id.key')).mode & 0o777, 0o600);
  t.is((await box.run(['fingerprint', 'd/known_server.pub'])).stdout.trim(), first.fingerprint);
  const second = await box.serve(['--data', 'd']);
  t.is(second.fingerprint, first.fingerprint);
  await second.stop();
});

test('--listen may be given several times; --json tells the addresses', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.serve(['--listen', 'localhost:0', '--json']);
  await until(() => server.run.stdout.includes('\n'), 'the result');
  const [event] = events(server.run.stdout);
  const result = (event?.type === 'result' ? event.result : {}) as { e2eeftp?: { port: number }[]; root?: string };
  t.is(result.e2eeftp?.length, 2);
  t.is(result.root, box.path('files'));
  t.not(result.e2eeftp?.[0]?.port, result.e2eeftp?.[1]?.port);
  await server.stop();
});

test('an address that is taken is an error, and nothing is left running', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.serve();
  const second = await box.run(['serve', 'files', '--listen', `127.0.0.1:${server.port}`, '--port-file', 'p2']);
  t.not(second.code, 0);
  t.regex(second.stderr, new RegExp(String.raw`error\[E2EEFTP_\w+\]: --listen 127\.0\.0\.1:${server.port}: .*in use`));
  t.false(existsSync(box.path('p2')));
  await server.stop();
});

test('SIGINT drains as SIGTERM does', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.serve();
  server.run.kill('SIGINT');
  t.is((await server.run.result).code, 0);
});

test('SIGHUP reads the key list anew and logs how many keys it holds', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.serve();
  await box.keygen();
  t.is((await box.run(['authorize', 'config/e2eeftp/client_id.pub'])).code, 0);
  server.run.kill('SIGHUP');
  await server.run.until(/authorized clients reloaded .*keys=1/);
  box.write('data/e2eeftp/authorized_clients.pub', 'omnipotent ssh-ed25519 AAAA\n');
  server.run.kill('SIGHUP');
  await server.run.until(/authorized clients reloaded .*keys=0/);
  await server.run.until(/WARN .*authorized_clients\.pub.*line=1/);
  t.is((await server.stop()).code, 0);
});

test('--log-format json logs objects, --log-level silent nothing', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const json = await box.serve(['--log-format', 'json', '-q']);
  await json.stop();
  const lines = (await json.run.result).stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.true(
    lines.some((line) => line['msg'] === 'listening' && line['level'] === 'info' && typeof line['time'] === 'string'),
  );
  const silent = await box.serve(['--log-level', 'silent', '-q']);
  await silent.stop();
  t.is((await silent.run.result).stderr, '');
});

test('systemd is told when the server is ready and when it ends', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  box.write('bin/systemd-notify', '#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> "$NOTIFY_LOG"\n');
  chmodSync(box.path('bin/systemd-notify'), 0o755);
  const env = {
    PATH: `${box.path('bin')}:${process.env['PATH'] ?? ''}`,
    NOTIFY_SOCKET: '/run/notify',
    NOTIFY_LOG: box.path('notify.log'),
  };
  const server = await box.serve([], { env });
  await until(() => existsSync(box.path('notify.log')), 'the notification');
  await server.stop();
  t.is(box.read('notify.log'), '/run/notify --ready\n/run/notify STOPPING=1\n');
});

test('a server that systemd-notify fails for still serves, and says so', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.serve([], { env: { NOTIFY_SOCKET: '/nowhere/notify', PATH: box.path('empty') } });
  await server.run.until(/WARN +systemd was not told/);
  t.is((await server.stop()).code, 0);
});

test('a root that holds the data directory or the key list is refused', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  for (const words of [
    ['.', '--data', 'keys'],
    ['files', '--authorized', 'files/keys.pub'],
  ]) {
    const { code, stderr } = await box.run(['serve', ...words, '--listen', '127.0.0.1:0']);
    t.is(code, 2, stderr);
    t.regex(stderr, /error\[E2EEFTP_CONFIG\]: .*inside the root.*\n {2}→ /);
  }
  t.false(existsSync(box.path('keys')));
});

test('a stale port file is removed at the start; that of a running process and other files are not', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  // A server that can't start shows what it did before.
  const attempt = async (content: string): Promise<boolean> => {
    box.write('p', content);
    const { code } = await box.run(['serve', '.', '--data', 'keys', '--port-file', 'p']);
    t.is(code, 2);
    return existsSync(box.path('p'));
  };
  const gone = box.start(['--version'], { input: '' });
  await gone.result;
  t.false(await attempt(JSON.stringify({ pid: gone.child.pid })));
  t.true(await attempt(JSON.stringify({ pid: process.pid })));
  t.true(await attempt('notes'));
});
