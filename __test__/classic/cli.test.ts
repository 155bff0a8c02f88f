/** `--classic` on the command line, both halves. */
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { CliEvent } from '../../dist/cli/events.js';
import { events, type RunningServer, type RunResult, Sandbox } from '../cli/run.js';

interface Classic {
  readonly box: Sandbox;
  readonly server: RunningServer;
  /** Options of a client. */
  readonly at: string[];
  readonly port: number;
}

async function start(t: ExecutionContext, words: string[] = [], options: string[] = []): Promise<Classic> {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready(options, ['--classic', '127.0.0.1:0', ...words]);
  const ready = JSON.parse(box.read('port-1.json')) as { classic: { host: string; port: number }[] };
  t.is(ready.classic.length, 1);
  t.is(ready.classic[0]?.host, '127.0.0.1');
  const port = ready.classic[0]?.port ?? 0;
  return { box, server, port, at: ['--classic', '-P', String(port), '--server-key', server.fingerprint] };
}

function fails(t: ExecutionContext, result: RunResult, exitCode: number, code: string): void {
  t.is(result.code, exitCode, result.stderr);
  t.true(result.stderr.includes(`error[E2EEFTP_${code}]: `), result.stderr);
}

function json(result: RunResult): CliEvent[] {
  return events(result.stdout);
}

test('send, get, ls, rm and commands', async (t) => {
  const { box, server, at, port } = await start(t, ['--classic-allow-delete']);
  await server.run.until(new RegExp(`classic +127\\.0\\.0\\.1:${port} \\(not protected\\)`));
  await server.run.until(/classic: the wire format of the original e2eeftp is served/);
  box.write('a.txt', 'hello');
  box.write('b.txt', 'other');
  const sent = await box.run(['send', 'a.txt', 'b.txt', '127.0.0.1:', ...at]);
  t.is(sent.code, 0, sent.stderr);
  t.regex(sent.stderr, /a\.txt → 127\.0\.0\.1:a\.txt: 5 B .*BLAKE3 [0-9a-f]{64}, accepted by the server, not verified/);
  t.is(box.read('files/a.txt'), 'hello');
  const named = await box.run(['send', 'a.txt', '127.0.0.1:/c.txt', '--json', ...at]);
  t.is(named.code, 0, named.stderr);
  const moved = json(named).find((event) => event.type === 'file');
  t.is(moved?.verified, false);
  t.is(json(named).find((event) => event.type === 'complete')?.verified, false);
  t.is((await box.run(['ls', '127.0.0.1:', ...at])).stdout, 'a.txt\nb.txt\nc.txt\n');
  const listed = json(await box.run(['ls', '127.0.0.1:', '--json', ...at]));
  t.deepEqual(
    listed.map((event) => event.type === 'result' && event.result),
    [{ names: ['a.txt', 'b.txt', 'c.txt'] }],
  );
  t.is((await box.run(['commands', '127.0.0.1', ...at])).stdout, 'SEND\nGET\nLIST\nDELETE\nHLIST\n');
  mkdirSync(box.path('into'));
  const got = await box.run(['get', '127.0.0.1:a.txt', '127.0.0.1:b.txt', 'into', ...at]);
  t.is(got.code, 0, got.stderr);
  t.regex(got.stderr, /authentic$/m);
  t.is(box.read('into/b.txt'), 'other');
  t.is((await box.run(['rm', '127.0.0.1:a.txt', ...at])).code, 0);
  fails(t, await box.run(['rm', '127.0.0.1:a.txt', ...at]), 6, 'NOT_FOUND');
  t.deepEqual(readdirSync(box.path('files')).toSorted(), ['b.txt', 'c.txt']);
  t.is((await server.stop()).code, 0);
});

test('refusals have their exit codes', async (t) => {
  const { box, at } = await start(t);
  box.write('files/a', 'a');
  box.write('b', 'b');
  fails(t, await box.run(['rm', '127.0.0.1:a', ...at]), 5, 'NOT_PERMITTED');
  fails(t, await box.run(['get', '127.0.0.1:nope', ...at]), 6, 'NOT_FOUND');
  fails(t, await box.run(['get', '127.0.0.1:../a', ...at]), 2, 'BAD_PATH');
  fails(t, await box.run(['send', 'b', '127.0.0.1:x/y', ...at]), 2, 'BAD_PATH');
  for (const words of [
    ['send', '--no-clobber', 'b', '127.0.0.1:'],
    ['send', '-p', 'b', '127.0.0.1:'],
    ['send', '-n', 'b', '127.0.0.1:'],
    ['send', '-', '127.0.0.1:b'],
    ['get', '127.0.0.1:a', '-'],
    ['ls', '-l', '127.0.0.1:'],
    ['ls', '-R', '127.0.0.1:'],
    ['ls', '127.0.0.1:sub'],
    ['rm', '-r', '127.0.0.1:a'],
    ['ls', '127.0.0.1:', '-i', 'agent'],
    ['ls', '127.0.0.1:', '-i', 'one.key', '-i', 'other.key'],
  ]) {
    fails(t, await box.run([...words, ...at]), 1, 'UNSUPPORTED');
  }
  fails(t, await box.run(['get', '127.0.0.1:a', 'other.example:b', '.', ...at]), 2, 'INVALID_ARGUMENT');
  fails(t, await box.run(['send', 'b', 'b', '127.0.0.1:x', ...at]), 2, 'INVALID_ARGUMENT');
  fails(t, await box.run(['serve', '--classic-allow-delete', '--listen', '127.0.0.1:0']), 2, 'INVALID_ARGUMENT');
  const unpinned = ['127.0.0.1:', ...at.slice(0, 3)];
  const unknown = await box.run(['ls', ...unpinned]);
  fails(t, unknown, 4, 'SERVER_KEY_UNKNOWN');
  // What the hint says works.
  const [, peer = '', key = ''] = /e2eeftp trust (\S+) '([^']+)'/.exec(unknown.stderr) ?? [];
  t.is((await box.run(['trust', peer, key])).code, 0);
  t.is((await box.run(['ls', ...unpinned])).stdout, 'a\n');
  t.deepEqual(readdirSync(box.path('files')), ['a']);
});

test('without a port it is the one of the original', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  await box.keygen();
  const words = [
    '-v',
    'ls',
    '127.0.0.1:',
    '--classic',
    '--server-key',
    'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU',
  ];
  t.regex((await box.run(words)).stderr, /connecting to 127\.0\.0\.1:2121 /);
  t.regex((await box.run([...words, '-P', '5001'])).stderr, /connecting to 127\.0\.0\.1:5001 /);
});

test('it is a setting, also of a peer in the file', async (t) => {
  const { box, server, port } = await start(t, [], []);
  box.write('files/a', 'a');
  box.write('config/e2eeftp/config.toml', `[peers.old]\nhost = "127.0.0.1"\nport = ${port}\nclassic = true\n`);
  const key = ['--server-key', server.fingerprint];
  const listed = await box.run(['ls', 'old:', ...key]);
  t.is(listed.stdout, 'a\n', listed.stderr);
  fails(t, await box.run(['ls', 'old:', '-l', ...key]), 1, 'UNSUPPORTED');
  fails(t, await box.run(['get', 'old:a', 'other.example:b', '.', ...key]), 2, 'INVALID_ARGUMENT');
  const asked = { env: { E2EEFTP_CLASSIC: '1', E2EEFTP_PORT: String(port) } };
  t.is((await box.run(['ls', '127.0.0.1:', ...key], asked)).stdout, 'a\n');
  const shown = await box.run(['config', 'show', '--peer', 'old', '--origin']);
  t.regex(shown.stdout, /^classic +true +\S+config\.toml:4$/m, shown.stderr);
  fails(t, await box.run(['config', 'show', '--classic', '127.0.0.1:1']), 2, 'INVALID_ARGUMENT');
  fails(t, await box.run(['config', 'show', '--server', '--classic']), 2, 'INVALID_ARGUMENT');
});

test('where old clients are served may stand in the server’s file and environment', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  box.write('data/server.toml', 'classic = ["127.0.0.1:0"]\nclassic-allow-delete = true\n');
  const portFile = box.path('port.json');
  const words = ['serve', '--data', box.path('data'), '--listen', '127.0.0.1:0', '--port-file', portFile];
  for (const [env, count] of [
    [{}, 1],
    [{ E2EEFTP_CLASSIC_LISTEN: '127.0.0.1:0 127.0.0.1:0' }, 2],
  ] as const) {
    const run = box.start([...words], { env });
    await run.until(/e2eeftp serves/);
    t.regex(run.stderr, /DELETE is allowed/);
    await run.until(/Add a client's public key|Only this machine/);
    const ready = JSON.parse(readFileSync(portFile, 'utf8')) as { classic: unknown[] };
    t.is(ready.classic.length, count);
    run.child.kill('SIGTERM');
    t.is((await run.result).code, 0);
  }
});

const LARGE = 200_000_000;
/** More than a server or a command line takes at rest, and much less than the file. */
const MOST_KIB = 150 * 1024;

test('200 MB there and back with memory that does not grow with the file', async (t) => {
  const { box, server, at } = await start(t);
  const source = box.path('large.bin');
  const hash = writeLarge(source);
  for (const words of [
    ['send', 'large.bin', '127.0.0.1:'],
    ['get', '127.0.0.1:large.bin', 'copy.bin'],
  ]) {
    const run = box.start([...words, ...at], { input: '' });
    let peak = 0;
    const watch = setInterval(() => (peak = Math.max(peak, highWater(run.child.pid))), 20);
    const { code, stderr } = await run.result;
    clearInterval(watch);
    t.is(code, 0, stderr);
    t.true(peak > 0 && peak < MOST_KIB, `the client took ${peak} KiB`);
  }
  t.is(hashOf(box.path('files/large.bin')), hash);
  t.is(hashOf(box.path('copy.bin')), hash);
  const peak = highWater(server.run.child.pid);
  t.true(peak > 0 && peak < MOST_KIB, `the server took ${peak} KiB`);
});

/** Most memory that a process has had so far, in KiB; 0 when it is gone. */
function highWater(pid: number | undefined): number {
  try {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Writes bytes that do not repeat within the file, piece by piece, and returns their hash. */
function writeLarge(path: string): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'w');
  const piece = Buffer.alloc(1_000_000, 'e2eeftp ');
  for (let written = 0; written < LARGE; written += piece.length) {
    piece.writeUInt32BE(written, 0);
    hash.update(piece);
    writeSync(file, piece);
  }
  closeSync(file);
  return hash.digest('hex');
}

function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

test('an installation of the original is served from where it is', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const old = box.path('old');
  mkdirSync(join(old, 'received'), { recursive: true });
  await box.keygen();
  const raw = (await box.run(['fingerprint', '--json', box.path('config/e2eeftp/client_id.pub')])).stdout;
  const [shown] = events(raw);
  const key = shown?.type === 'result' ? (shown.result as { base64: string }).base64 : '';
  writeFileSync(join(old, 'authorized_clients.pub'), `${key}\n`);
  writeFileSync(join(old, 'received/from-before'), 'x');
  const portFile = box.path('port.json');
  const words = ['serve', join(old, 'received'), '--data', old, '--listen', '127.0.0.1:0', '--classic', '127.0.0.1:0'];
  const run = box.start([...words, '--port-file', portFile]);
  await run.until(/e2eeftp serves/);
  const ready = JSON.parse(readFileSync(portFile, 'utf8')) as { fingerprint: string; classic: { port: number }[] };
  const at = ['--classic', '-P', String(ready.classic[0]?.port), '--server-key', join(old, 'known_server.pub')];
  t.is((await box.run(['ls', '127.0.0.1:', ...at])).stdout, 'from-before\n');
});
