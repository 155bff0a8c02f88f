import { truncateSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import test from 'ava';
import { litter } from '../leftovers.js';
import { Sandbox, until } from './run.js';

const PIN = ['--server-key', 'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU'];

/** Accepts connections and never says a word. */
async function silentPeer(): Promise<{ server: Server; port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    port: (server.address() as AddressInfo).port,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test('ctrl-C while the peer is silent: 130', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const peer = await silentPeer();
  await box.keygen();
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const connected = once(peer.server, 'connection');
    const run = box.start(['ls', '127.0.0.1:', '-P', String(peer.port), ...PIN]);
    await connected;
    run.kill(signal);
    const result = await run.result;
    t.is(result.code, code, result.stderr);
    t.regex(result.stderr, /error\[E2EEFTP_ABORTED\]/);
  }
  peer.close();
});

test('--timeout: 124', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const peer = await silentPeer();
  await box.keygen();
  const run = await box.run(['ls', '127.0.0.1:', '-P', String(peer.port), ...PIN, '--timeout', '0.7']);
  t.is(run.code, 124, run.stderr);
  t.regex(run.stderr, /error\[E2EEFTP_TIMEOUT\]/);
  peer.close();
});

test('nobody there: 3', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  await box.keygen();
  const peer = await silentPeer();
  peer.close();
  const refused = await box.run(['ls', '127.0.0.1:', '-P', String(peer.port), ...PIN]);
  t.is(refused.code, 3, refused.stderr);
  t.regex(refused.stderr, /error\[E2EEFTP_CONNECT\]: .*\n {2}→ /);
  const unknown = await box.run(['ls', 'nowhere.invalid:', ...PIN]);
  t.is(unknown.code, 3, unknown.stderr);
});

test('ctrl-C in a send from standard input leaves nothing on the server', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const run = box.start(['send', '-', '127.0.0.1:piped', '--progress', 'json', ...server.at]);
  run.child.stdin?.write(Buffer.alloc(2_000_000));
  await until(() => box.list('files').length > 0, 'the staged file');
  run.kill('SIGINT');
  const { code, stderr } = await run.result;
  t.is(code, 130, stderr);
  await until(() => box.list('files').length === 0, 'the staged file to go away');
  await server.stop();
});

test('ctrl-C in a get from a server that hangs: 130, nothing left', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  truncateSync(box.write('files/huge', ''), 4 * 1024 ** 3);
  box.write('here/.keep', '');
  const run = box.start(['get', '127.0.0.1:huge', 'here/huge', '--progress', 'json', ...server.at]);
  await run.until(/"phase":"moving"/);
  server.run.kill('SIGSTOP');
  run.kill('SIGINT');
  const { code, stderr } = await run.result;
  t.is(code, 130, stderr.slice(-500));
  t.deepEqual(litter(box.list('here')), []);
  t.false(box.list('here').includes('huge'));
  server.run.kill('SIGCONT');
  await server.stop();
});

test('a server that goes away in the middle: 3, nothing left', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  truncateSync(box.write('files/huge', ''), 4 * 1024 ** 3);
  box.write('here/huge', 'old');
  const run = box.start(['get', '127.0.0.1:huge', 'here/huge', '--progress', 'json', ...server.at]);
  await run.until(/"phase":"moving"/);
  server.run.kill('SIGKILL');
  const { code, stderr } = await run.result;
  t.is(code, 3, stderr.slice(-500));
  t.deepEqual(litter(box.list('here')), []);
  t.is(box.read('here/huge'), 'old');
});

test('SIGTERM lets a running transfer finish and lets nobody in; a second one ends at once', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const run = box.start(['send', '-', '127.0.0.1:piped', ...server.at]);
  run.child.stdin?.write(Buffer.alloc(300_000));
  await until(() => box.list('files').length > 0, 'the staged file');
  server.run.kill('SIGTERM');
  await server.run.until(/draining/);
  const late = await box.run(['ls', '127.0.0.1:', ...server.at]);
  t.is(late.code, 3, late.stderr);
  run.child.stdin?.end(Buffer.alloc(100));
  const sent = await run.result;
  t.is(sent.code, 0, sent.stderr);
  t.is((await server.run.result).code, 0);
  t.is(box.bytes('files/piped').length, 300_100);

  const second = await box.serve();
  const stuck = box.start(['send', '-', '127.0.0.1:stuck', ...second.at]);
  stuck.child.stdin?.write(Buffer.alloc(300_000));
  await until(() => box.list('files').length > 1, 'the staged file');
  second.run.kill('SIGTERM');
  await second.run.until(/draining/);
  second.run.kill('SIGTERM');
  t.is((await second.run.result).code, 143);
  stuck.child.stdin?.end(Buffer.alloc(100));
  t.is((await stuck.result).code, 3);
});

test('a reader that goes away ends the program quietly', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  truncateSync(box.write('files/huge', ''), 64 * 1024 ** 2);
  const run = box.start(['get', '127.0.0.1:huge', '-', '--progress', 'none', ...server.at]);
  run.child.stdout?.destroy();
  const { code, stderr } = await run.result;
  t.is(code, 141, stderr);
  t.is(stderr, '');
  await server.stop();
});
