/** `--stats`, `--limit-rate`, `--durability`, `bench` and `doctor`, as they are typed. */
import { chmodSync } from 'node:fs';
import test from 'ava';
import type { CliEvent } from '../../dist/cli/events.js';
import { doctor } from './doctor-lines.js';
import { events, Sandbox } from './run.js';

const MIB = 1024 * 1024;

/** The first event of a type. */
function eventOf<T extends CliEvent['type']>(output: string, type: T): Extract<CliEvent, { type: T }> {
  const found = events(output).find((event) => event.type === type);
  if (found === undefined) throw new Error(`no ${type} in ${output}`);
  return found as Extract<CliEvent, { type: T }>;
}

function sandbox(t: { teardown(end: () => Promise<void>): void }): Sandbox {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  return box;
}

test('--stats of both directions, for people and as JSON', async (t) => {
  const box = sandbox(t);
  const server = await box.ready();
  box.write('big', Buffer.alloc(8 * MIB, 7));
  const sent = await box.run(['send', '--stats', 'big', '127.0.0.1:big', ...server.at]);
  t.is(sent.code, 0, sent.stderr);
  t.regex(sent.stderr, /\n {2}here: .*source file \d+ %.*processor \d+ %/);
  t.regex(sent.stderr, /\n {2}peer: .*target file \d+ %/);
  if (process.platform === 'linux') t.regex(sent.stderr, /here, connection: round trip .* ms, window .*B/);
  const got = await box.run(['get', '--stats', '--json', '127.0.0.1:big', 'copy', ...server.at]);
  t.is(got.code, 0, got.stderr);
  const stats = eventOf(got.stdout, 'stats');
  t.is(stats.direction, 'down');
  t.is(stats.bytes, 8 * MIB);
  t.true(stats.local.stages.open > 0 && stats.local.stages.fileWrite > 0 && stats.local.stages.seal === 0);
  t.true((stats.peer?.stages.seal ?? 0) > 0 && stats.peer?.stages.open === 0);
  t.true(stats.limitedBy.length > 0 && stats.advice.endsWith('.'));
  const plain = await box.run(['get', '--json', '127.0.0.1:big', 'copy', ...server.at]);
  t.false(plain.stdout.includes('"type":"stats"'), 'only when asked for');
});

test('--limit-rate holds in both directions, for pipes and at the server', async (t) => {
  const box = sandbox(t);
  const server = await box.ready();
  box.write('big', Buffer.alloc(MIB, 7));
  const limit = ['--limit-rate', '700K', ...server.at];
  const runs: [string[], Buffer | string][] = [
    [['send', 'big', '127.0.0.1:big', ...limit], ''],
    [['get', '127.0.0.1:big', 'copy', ...limit], ''],
    [['send', '-', '127.0.0.1:piped', ...limit], box.bytes('big')],
    [['get', '127.0.0.1:big', '-', ...limit], ''],
  ];
  for (const [words, input] of runs) {
    const started = performance.now();
    const { code, stderr } = await box.run(words, { input });
    t.is(code, 0, stderr);
    // A lower bound: a MiB at 700 KiB a second, less the tenth of a second that may be made up for.
    t.true(performance.now() - started > 1200, words.join(' '));
  }
  await server.stop();
  const slow = await box.serve(['--limit-rate', '700K']);
  const started = performance.now();
  t.is((await box.run(['send', 'big', '127.0.0.1:other', ...slow.at])).code, 0);
  t.true(performance.now() - started > 1200);
  const wrong = await box.run(['send', 'big', '127.0.0.1:big', '--limit-rate', '10', ...slow.at]);
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /from 1024 on/);
});

test('--limit-rate and --stats of a peer in the configuration file', async (t) => {
  const box = sandbox(t);
  const server = await box.ready();
  box.write('big', Buffer.alloc(MIB, 7));
  const file = `[defaults]\nstats = true\n[peers.slow]\nhost = "127.0.0.1"\nlimit-rate = "700K"\n`;
  box.write('config/e2eeftp/config.toml', file);
  for (const [words, floor] of [
    [['send', 'big', 'slow:big'], 1200],
    [['get', 'slow:big', 'copy'], 1200],
    [['send', 'big', '127.0.0.1:other'], 0],
  ] as const) {
    const started = performance.now();
    const { code, stderr } = await box.run([...words, ...server.at]);
    t.is(code, 0, stderr);
    t.true(performance.now() - started > floor, words.join(' '));
    t.regex(stderr, /\n {2}here: /);
  }
});

test('bench touches no disk and tells both directions', async (t) => {
  const box = sandbox(t);
  const server = await box.ready();
  const shown = await box.run(['bench', '127.0.0.1', '--seconds', '0.2', ...server.at]);
  t.is(shown.code, 0, shown.stderr);
  t.regex(
    shown.stdout,
    /^round trip .* ms \(.* 20 times\)\nconnecting .* ms with login, 5 times\nupload .*MB\/s|^round/,
  );
  t.regex(shown.stdout, /\ndownload {3}\d/);
  t.deepEqual(box.list('files'), []);
  const json = await box.run(['bench', '127.0.0.1', '--seconds', '0.2', '--json', ...server.at]);
  const { roundTrips, handshakes, upload, download } = eventOf(json.stdout, 'result').result;
  t.is((roundTrips as number[]).length, 20);
  t.is((handshakes as number[]).length, 5);
  for (const run of [upload, download] as { rate: number; bytes: number; advice: string }[]) {
    t.true(run.rate > 0 && run.bytes >= 4 * MIB && run.advice.length > 0);
  }
});

test('bench needs the permissions that files would need', async (t) => {
  const box = sandbox(t);
  const server = await box.ready(['read-only']);
  const { code, stdout } = await box.run(['bench', '127.0.0.1', '--seconds', '0.2', ...server.at]);
  t.is(code, 0);
  t.regex(stdout, /\nupload {5}not permitted to this key\n/);
  t.regex(stdout, /\ndownload {3}\d/);
  const large = ['call', '127.0.0.1', 'BENCH', 'direction=down', `bytes=${2 ** 40}`, ...server.at];
  const refused = await box.run(large);
  t.not(refused.code, 0);
  t.regex(refused.stderr, /bytes is missing or of the wrong type/);
});

test('doctor: all is well', async (t) => {
  const box = sandbox(t);
  const server = await box.ready();
  const alone = await box.run(['doctor']);
  t.is(alone.code, 0, alone.stdout);
  const lines = doctor(alone.stdout);
  for (const name of ['node', 'addon', 'config', 'key', 'known servers']) t.is(lines.get(name), 'ok', name);
  const peer = await box.run(['doctor', '127.0.0.1', ...server.at]);
  t.is(peer.code, 0, peer.stdout);
  for (const name of ['connection', 'server key', 'server', 'clock', 'round trip']) {
    t.is(doctor(peer.stdout).get(name), 'ok', name);
  }
  const json = await box.run(['doctor', '--json']);
  const results = events(json.stdout).map((event) => (event.type === 'result' ? event.result : {}));
  t.true(results.length >= 8 && results.every(({ name, status }) => name !== undefined && status !== undefined));
});

test('doctor: what is wrong, what to do, and the exit code', async (t) => {
  const box = sandbox(t);
  const missing = await box.run(['doctor']);
  t.is(missing.code, 0, 'no key yet is no failure');
  t.regex(missing.stdout, /warn {2}key .*no private key\n {6}→ make one: e2eeftp keygen/);
  const server = await box.ready();
  await server.stop();
  const down = await box.run(['doctor', '127.0.0.1', ...server.at]);
  t.is(down.code, 3, down.stdout);
  t.regex(down.stdout, /fail {2}connection .*E2EEFTP_CONNECT.*\n {6}→ /);
  t.true(doctor(down.stdout).has('tcp receive') || process.platform !== 'linux', 'the rest is looked at all the same');
  chmodSync(box.path('config/e2eeftp/client_id.key'), 0o644);
  const exposed = await box.run(['doctor']);
  t.is(exposed.code, 4);
  t.regex(exposed.stdout, /fail {2}key .*\n {6}→ chmod 600 /);
  box.write('config/e2eeftp/known_servers', 'not a line\n');
  const broken = await box.run(['doctor']);
  t.regex(broken.stdout, /fail {2}known servers/);
});
