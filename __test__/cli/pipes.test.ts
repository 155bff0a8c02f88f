import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, createWriteStream, existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { events, Sandbox, until } from './run.js';

function withPipe(t: ExecutionContext): Sandbox {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  execFileSync('mkfifo', ['-m', '644', box.path('pipe')]);
  return box;
}

test('a pipe where a file is wanted is refused, and waits for nobody', async (t) => {
  const box = withPipe(t);
  await box.keygen();
  const serve = ['serve', 'files', '--listen', '127.0.0.1:0'];
  for (const [code, name, words] of [
    [2, 'CONFIG', ['config', 'check', 'pipe']],
    [2, 'CONFIG', ['fingerprint', '--config', 'pipe']],
    [4, 'KEY_FILE', ['fingerprint', 'pipe']],
    [4, 'KEY_FILE', ['authorize', 'pipe']],
    [1, 'IO', ['authorize', 'config/e2eeftp/client_id.pub', '--authorized', 'pipe']],
    [4, 'KEY_FILE', ['ls', '127.0.0.1:', '-i', 'pipe']],
    [4, 'KEY_FILE', ['ls', '127.0.0.1:', '-P', '1', '--server-key', 'pipe']],
    [1, 'IO', [...serve, '--authorized', 'pipe']],
  ] as const) {
    const { code: ended, stderr } = await box.run([...words]);
    t.is(ended, code, `${words.join(' ')}: ${stderr}`);
    t.true(stderr.includes(`error[E2EEFTP_${name}]`), stderr);
    t.regex(stderr, /not a regular file/);
  }
});

test('a server whose list becomes a pipe still ends when it is told to', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  execFileSync('rm', [box.path('data/e2eeftp/authorized_clients.pub')]);
  execFileSync('mkfifo', [box.path('data/e2eeftp/authorized_clients.pub')]);
  const refused = await box.run(['ls', '127.0.0.1:', ...server.at]);
  t.not(refused.code, 0);
  const { code, stderr } = await server.stop();
  t.is(code, 0, stderr);
});

test('a passphrase may come out of a pipe, of which no mode is warned of', async (t) => {
  const box = withPipe(t);
  const run = box.start(['keygen', 'a.key', '--passphrase-file', 'pipe'], { input: '' });
  createWriteStream(box.path('pipe')).end('correct horse\nsecond line\n');
  const { code, stderr } = await run.result;
  t.is(code, 0, stderr);
  t.notRegex(stderr, /chmod/);
  execFileSync('ssh-keygen', ['-y', '-P', 'correct horse', '-f', box.path('a.key')]);
  // What a shell does for <(printf …), and for <(false).
  const shell = ['bash', '-c', 'exec "$@" --passphrase-file <(printf "correct horse")', 'bash'];
  t.is((await box.run(['keygen', 'b.key'], { under: shell })).code, 0);
  execFileSync('ssh-keygen', ['-y', '-P', 'correct horse', '-f', box.path('b.key')]);
  const nothing = ['bash', '-c', 'exec "$@" --passphrase-file <(exit 1)', 'bash'];
  const empty = await box.run(['keygen', 'c.key'], { under: nothing });
  t.is(empty.code, 4);
  t.regex(empty.stderr, /its first line is empty/);
  // A file is still warned of.
  box.write('file', 'correct horse\n');
  chmodSync(box.path('file'), 0o644);
  t.regex((await box.run(['keygen', 'd.key', '--passphrase-file', 'file'])).stderr, /chmod 600 file/);
});

test('ctrl-C and SIGTERM end the wait for a passphrase that nobody writes', async (t) => {
  const box = withPipe(t);
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const run = box.start(['keygen', 'a.key', '--passphrase-file', 'pipe']);
    await waiting(run.child.pid ?? 0, box.path('pipe'));
    run.kill(signal);
    const result = await run.result;
    t.is(result.code, code, result.stderr);
    t.false(existsSync(box.path('a.key')));
  }
});

test('standard input and output carry a file whole, compressed or not', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const content = Buffer.concat([randomBytes(2_000_000), Buffer.alloc(3_000_000, 'text ')]);
  const file = box.write('source', content);
  for (const compress of ['none', 'zstd', 'auto']) {
    const more = ['--compress', compress, ...server.at];
    const sent = await box.run(['send', '-', '127.0.0.1:piped', '--json', ...more], { input: content });
    t.is(sent.code, 0, sent.stderr);
    t.true(content.equals(readFileSync(box.path('files/piped'))));
    const complete = events(sent.stdout).at(-1);
    t.like(complete, { type: 'complete', bytes: content.length, verified: true });
    if (compress === 'zstd') t.true(complete?.type === 'complete' && complete.sentBytes < 2_100_000);
    if (compress === 'none') t.true(complete?.type === 'complete' && complete.sentBytes === content.length);
    const got = await box.run(['get', '127.0.0.1:piped', '-', '--receipt', 'r', ...more]);
    t.is(got.code, 0, got.stderr);
    t.true(content.equals(got.stdoutBytes));
    const checked = await box.run(['receipt', 'verify', 'r', '--file', 'source', '--server-key', server.fingerprint]);
    t.is(checked.code, 0, checked.stderr);
    // Plain files on both ends of the redirection, and one that is appended to.
    const shell = ['sh', '-c', `exec "$@" < '${file}'`, 'sh'];
    t.is((await box.run(['send', '-', '127.0.0.1:file', ...more], { under: shell })).code, 0);
    box.write('out', 'before ');
    const append = ['sh', '-c', 'exec "$@" >> out', 'sh'];
    t.is((await box.run(['get', '127.0.0.1:file', '-', ...more], { under: append })).code, 0);
    t.true(Buffer.concat([Buffer.from('before '), content]).equals(readFileSync(box.path('out'))));
  }
  const nothing = await box.run(['send', '-', '127.0.0.1:empty', ...server.at], { input: '' });
  t.is(nothing.code, 0, nothing.stderr);
  t.is(box.read('files/empty'), '');
  await server.stop();
});

test('a pipe that is interrupted leaves nothing on the server, whoever is silent', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGKILL', null],
  ] as const) {
    const run = box.start(['send', '-', '127.0.0.1:piped', ...server.at]);
    run.child.stdin?.write('the first bytes, and no more');
    await until(() => readdirSync(box.path('files')).length > 0, 'the staged file');
    run.kill(signal);
    t.is((await run.result).code, code);
    await until(() => readdirSync(box.path('files')).length === 0, 'nothing to be left');
  }
  // Nobody reads what comes out.
  box.write('files/large', Buffer.alloc(30_000_000, 'large'));
  const run = box.start(['get', '127.0.0.1:large', '-', ...server.at], { input: '' });
  run.child.stdout?.pause();
  await until(() => (run.child.stdout?.readableLength ?? 0) > 0, 'the first bytes');
  run.kill('SIGINT');
  run.child.stdout?.resume();
  t.is((await run.result).code, 130);
  await server.stop();
});

/** Until a process has the pipe open. */
async function waiting(pid: number, path: string): Promise<void> {
  if (process.platform !== 'linux') return delay(2_000);
  const isOpen = (number: string): boolean => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${number}`) === path;
    } catch {
      // Closed since it was listed.
      return false;
    }
  };
  await until(() => readdirSync(`/proc/${pid}/fd`).some(isOpen), 'the process to open the pipe');
}
