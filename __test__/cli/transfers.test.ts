import { createHash, randomBytes } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { events, Sandbox } from './run.js';

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

test('send, ls, stat, get and rm', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const content = randomBytes(3_000_001);
  box.write('big.bin', content);
  utimesSync(box.path('big.bin'), 1_700_000_000, 1_700_000_000);
  const sent = await box.run(['send', 'big.bin', '127.0.0.1:/copy.bin', ...server.at]);
  t.is(sent.code, 0, sent.stderr);
  t.is(sent.stdout, '');
  t.regex(
    sent.stderr,
    /^big\.bin → 127\.0\.0\.1:\/copy\.bin: 3\.00 MB in .+ s, .+\/s, BLAKE3 [0-9a-f]{64}, verified\n$/,
  );
  t.is(sha(box.bytes('files/copy.bin')), sha(content));
  t.is(statSync(box.path('files/copy.bin')).mtimeMs, 1_700_000_000_000);

  const listed = await box.run(['ls', '127.0.0.1:', ...server.at]);
  t.is(listed.stdout, 'copy.bin\n', listed.stderr);
  const long = await box.run(['list', '-l', '127.0.0.1:/', ...server.at]);
  t.regex(long.stdout, /^-rw-r--r-- {2}3\.00 MB 2023-11-1\d \d\d:\d\d copy\.bin\n$/);
  const stat = await box.run(['stat', '127.0.0.1:copy.bin', ...server.at]);
  t.regex(
    stat.stdout,
    /^Path: \/copy\.bin\nType: file\nSize: 3000001 \(3\.00 MB\)\nModified: 2023-11-14T22:13:20\.000Z\nMode: 0644 \(-rw-r--r--\)\n$/,
  );

  const got = await box.run(['get', '127.0.0.1:/copy.bin', 'back.bin', ...server.at]);
  t.is(got.code, 0, got.stderr);
  t.is(sha(box.bytes('back.bin')), sha(content));
  t.is(statSync(box.path('back.bin')).mtimeMs, 1_700_000_000_000);
  t.is((await box.run(['get', '127.0.0.1:/copy.bin', '--no-preserve', 'fresh.bin', ...server.at])).code, 0);
  t.true(statSync(box.path('fresh.bin')).mtimeMs > 1_700_000_000_000);

  const removed = await box.run(['delete', '127.0.0.1:/copy.bin', ...server.at]);
  t.is(removed.code, 0, removed.stderr);
  t.deepEqual(box.list('files'), []);
  await server.stop();
});

test('targets: into a directory, an existing directory, a final name, the present directory', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  box.write('a', 'A');
  mkdirSync(box.path('files/dir'));
  for (const target of ['127.0.0.1:dir/', '127.0.0.1:/dir', '127.0.0.1:']) {
    for (const _ of [1, 2]) {
      const { code, stderr } = await box.run(['put', 'a', target, ...server.at]);
      t.is(code, 0, stderr);
    }
  }
  t.deepEqual(box.list('files'), ['a', 'dir']);
  t.deepEqual(box.list('files/dir'), ['a']);
  mkdirSync(box.path('here'));
  t.is((await box.run(['get', '127.0.0.1:a', ...server.at], { cwd: box.path('here') })).code, 0);
  t.deepEqual(box.list('here'), ['a']);
  mkdirSync(box.path('into'));
  t.is((await box.run(['get', '127.0.0.1:a', 'into', ...server.at])).code, 0);
  t.is((await box.run(['get', '127.0.0.1:a', 'into/', ...server.at])).code, 0);
  t.deepEqual(box.list('into'), ['a']);
  const { code } = await box.run([
    'send',
    'a',
    `e2eeftp://127.0.0.1:${server.port}/100%25`,
    '--server-key',
    server.fingerprint,
  ]);
  t.is(code, 0);
  t.deepEqual(box.list('files'), ['100%', 'a', 'dir']);
  await server.stop();
});

test('several sources go over one session', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  for (const name of ['a', 'b', 'c']) box.write(name, name.repeat(1000));
  mkdirSync(box.path('files/in'));
  const sent = await box.run(['send', 'a', 'b', 'c', '127.0.0.1:in/', ...server.at]);
  t.is(sent.code, 0, sent.stderr);
  t.deepEqual(box.list('files/in'), ['a', 'b', 'c']);
  t.regex(sent.stderr, /3 files, 3\.00 kB in .* s, all verified/);
  mkdirSync(box.path('out'));
  const got = await box.run(['get', '127.0.0.1:in/a', '127.0.0.1:in/c', 'out', ...server.at]);
  t.is(got.code, 0, got.stderr);
  t.deepEqual(box.list('out'), ['a', 'c']);
  const nowhere = await box.run(['send', 'a', 'b', '127.0.0.1:nothing', ...server.at]);
  t.is(nowhere.code, 2);
  await server.stop();
});

test('one source that fails does not stop the others: exit code 10 and a list', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  box.write('a', 'A');
  box.write('c', 'C');
  mkdirSync(box.path('dir'));
  const sent = await box.run(['send', 'a', 'missing', 'dir', 'c', '127.0.0.1:./', ...server.at]);
  t.is(sent.code, 10, sent.stderr);
  t.deepEqual(box.list('files'), ['a', 'c', 'dir']);
  t.regex(sent.stderr, /error\[E2EEFTP_NOT_FOUND\]: .*missing/);
  t.regex(sent.stderr, /error\[E2EEFTP_PARTIAL\]: 1 of 4 files failed: missing\n/);
  const got = await box.run(['get', '127.0.0.1:a', '127.0.0.1:missing', 'dir', '--json', ...server.at]);
  t.is(got.code, 10);
  const last = events(got.stdout).at(-1);
  t.is(last?.type === 'error' ? last.code : '', 'E2EEFTP_PARTIAL');
  const none = await box.run(['get', '127.0.0.1:x', '127.0.0.1:y', 'dir', ...server.at]);
  t.is(none.code, 6, none.stderr);
  t.is((await box.run(['rm', '127.0.0.1:a', '127.0.0.1:x', ...server.at])).code, 10);
  t.is((await box.run(['stat', '127.0.0.1:c', '127.0.0.1:x', ...server.at])).code, 10);
  await server.stop();
});

test('standard input and output', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const content = randomBytes(1_500_007);
  const sent = await box.run(['send', '-', '127.0.0.1:piped', ...server.at], { input: content });
  t.is(sent.code, 0, sent.stderr);
  t.regex(sent.stderr, /^- → 127\.0\.0\.1:\/?piped: 1\.50 MB .*BLAKE3 [0-9a-f]{64}, verified\n$/);
  t.is(sha(box.bytes('files/piped')), sha(content));
  mkdirSync(box.path('files/dir'));
  t.is((await box.run(['send', '-', '127.0.0.1:dir/', '--name', 'n', ...server.at], { input: 'hello' })).code, 0);
  t.is((await box.run(['send', '-', '127.0.0.1:empty', ...server.at], { input: '' })).code, 0);
  t.is(box.read('files/dir/n'), 'hello');
  t.is(box.read('files/empty'), '');
  const got = await box.run(['get', '127.0.0.1:piped', '-', ...server.at]);
  t.is(got.code, 0, got.stderr);
  t.is(sha(got.stdoutBytes), sha(content));
  t.regex(got.stderr, /BLAKE3 [0-9a-f]{64}, verified\n$/);
  const json = await box.run(['get', '127.0.0.1:dir/n', '-', '--json', ...server.at]);
  t.is(json.stdout, 'hello');
  t.is(events(json.stderr).at(-1)?.type, 'complete');
  const missing = await box.run(['get', '127.0.0.1:missing', '-', ...server.at]);
  t.is(missing.code, 6, missing.stderr);
  t.is(missing.stdout, '');
  await server.stop();
});

test('--no-clobber, --rename, --overwrite', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  box.write('a.txt', 'new');
  box.write('files/a.txt', 'older');
  const kept = await box.run(['send', 'a.txt', '127.0.0.1:a.txt', '--no-clobber', ...server.at]);
  t.is(kept.code, 7, kept.stderr);
  t.is(box.read('files/a.txt'), 'older');
  const renamed = await box.run(['send', 'a.txt', '127.0.0.1:a.txt', '--rename', ...server.at]);
  t.is(renamed.code, 0, renamed.stderr);
  t.is(box.read('files/a (1).txt'), 'new');
  t.true(renamed.stderr.includes('a (1).txt'));
  t.is((await box.run(['send', 'a.txt', '127.0.0.1:a.txt', '--overwrite', ...server.at])).code, 0);
  t.is(box.read('files/a.txt'), 'new');
  box.write('a.txt', 'mine');
  t.is((await box.run(['get', '127.0.0.1:a.txt', 'a.txt', '--no-clobber', ...server.at])).code, 7);
  t.is(box.read('a.txt'), 'mine');
  t.is((await box.run(['get', '127.0.0.1:a.txt', 'a.txt', '--rename', ...server.at])).code, 0);
  t.is(box.read('a (1).txt'), 'new');
  await server.stop();
});

test('--dry-run says what would be done and changes nothing', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  box.write('a', 'new');
  box.write('files/a', 'old!');
  const send = await box.run(['send', '-n', 'a', '127.0.0.1:', ...server.at]);
  t.is(send.code, 0, send.stderr);
  t.is(send.stderr, 'would move a (3 B) to 127.0.0.1:./a, replacing what is there\n');
  const get = await box.run(['get', '--dry-run', '127.0.0.1:a', 'fresh', ...server.at]);
  t.is(get.stderr, 'would move 127.0.0.1:a (4 B) to fresh\n');
  t.is((await box.run(['send', '-n', 'a', '127.0.0.1:', '--no-clobber', ...server.at])).code, 7);
  t.is((await box.run(['get', '-n', '127.0.0.1:missing', ...server.at])).code, 6);
  t.is((await box.run(['send', '-n', 'missing', '127.0.0.1:', ...server.at])).code, 6);
  t.is(box.read('files/a'), 'old!');
  t.is(box.read('a'), 'new');
  t.false(box.list('.').includes('fresh'));
  await server.stop();
});

test('names are escaped for people and whole in JSON', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const names = ['a\nb', 'c\u001b[31md', 'e|f', 'ü', 'g\u202eh'];
  for (const name of names) box.write(`files/${name}`, 'x');
  const listed = await box.run(['ls', '127.0.0.1:', ...server.at]);
  t.is(listed.stdout, 'a\\x0ab\nc\\x1b[31md\ne|f\ng\\u{202e}h\nü\n', listed.stderr);
  const json = events((await box.run(['ls', '--json', '127.0.0.1:', ...server.at])).stdout);
  t.deepEqual(
    json.map((event) => (event.type === 'entry' ? event.path : '')),
    ['/a\nb', '/c\u001b[31md', '/e|f', '/g\u202eh', '/ü'],
  );
  const got = await box.run(['get', '127.0.0.1:a\nb', 'x', ...server.at]);
  t.is(got.code, 0, got.stderr);
  t.true(got.stderr.startsWith('127.0.0.1:a\\x0ab → x: '));
  const missing = await box.run(['get', '127.0.0.1:no\u001b[2Jsuch', ...server.at]);
  t.is(missing.code, 6);
  t.false(missing.stderr.includes('\u001b'));
  const bytes = Buffer.from([0xff, 0x41]);
  t.is(
    (
      await box.run(['send', '-', `e2eeftp://127.0.0.1:${server.port}/%ffA`, '--server-key', server.fingerprint], {
        input: 'z',
      })
    ).code,
    0,
  );
  t.true(readdirSync(box.path('files'), { encoding: 'buffer' }).some((name) => bytes.equals(name)));
  t.true((await box.run(['ls', '127.0.0.1:', ...server.at])).stdout.endsWith('\\xffA\n'));
  await server.stop();
});

test('rm -r, and what is not removed without it', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  box.write('files/dir/sub/a', 'x');
  const refused = await box.run(['rm', '127.0.0.1:dir', ...server.at]);
  t.is(refused.code, 1, refused.stderr);
  t.deepEqual(box.list('files'), ['dir']);
  const missing = await box.run(['rm', '127.0.0.1:none', ...server.at]);
  t.is(missing.code, 6);
  t.regex(missing.stderr, /error\[E2EEFTP_NOT_FOUND\]: 127\.0\.0\.1:none: File not found/);
  const done = await box.run(['rm', '-r', '127.0.0.1:dir', '--json', ...server.at]);
  t.is(done.code, 0, done.stdout);
  t.deepEqual(box.list('files'), []);
  await server.stop();
});

test('commands and call', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready(['read-only']);
  const listed = await box.run(['commands', `127.0.0.1:${server.port}`, '--server-key', server.fingerprint]);
  t.is(listed.code, 0, listed.stderr);
  t.regex(listed.stdout, /^GET {2,}\S.*$/m);
  t.notRegex(listed.stdout, /^SEND/m);
  const called = await box.run(['call', '127.0.0.1', 'hlist', ...server.at]);
  t.is(called.code, 0, called.stderr);
  t.regex(called.stdout, /^commands: \[\{/);
  const unknown = await box.run(['call', '127.0.0.1', 'FROB', 'a=1', 'b:=[1,true]', ...server.at]);
  t.is(unknown.code, 2, unknown.stderr);
  t.regex(unknown.stderr, /error\[E2EEFTP_UNKNOWN_COMMAND\]: Invalid Command/);
  await server.stop();
});

test('grants: read-only, upload-only, a directory of its own, expired', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready(['read-only']);
  box.write('a', 'A');
  box.write('files/b', 'B');
  const pub = box.path('config/e2eeftp/client_id.pub');
  t.is((await box.run(['send', 'a', '127.0.0.1:a', ...server.at])).code, 5);
  t.is((await box.run(['get', '127.0.0.1:b', 'b1', ...server.at])).code, 0);
  await box.run(['authorize', pub, '--option', 'upload-only', '--option', 'path="/in"']);
  const sent = await box.run(['send', 'a', '127.0.0.1:a', ...server.at]);
  t.is(sent.code, 0, sent.stderr);
  t.is(box.read('files/in/a'), 'A');
  t.is((await box.run(['get', '127.0.0.1:a', 'b2', ...server.at])).code, 5);
  t.is((await box.run(['ls', '127.0.0.1:', ...server.at])).code, 5);
  t.is((await box.run(['send', 'a', '127.0.0.1:../a', ...server.at])).code, 2);
  await box.run(['authorize', pub, '--option', 'expires=2020-01-01']);
  const expired = await box.run(['ls', '127.0.0.1:', ...server.at]);
  t.is(expired.code, 4, expired.stderr);
  await server.stop();
});

test('a local name that is not UTF-8 can be sent', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const name = Buffer.concat([Buffer.from(`${box.dir}/`), Buffer.from([0x62, 0xff])]);
  writeFileSync(name, 'odd');
  // Only a shell can name it here: Node's own arguments are text.
  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  const script = `'${process.execPath}' '${main}' send b* 127.0.0.1: ${server.at.join(' ')}`;
  const run = spawnSync('sh', ['-c', script], { cwd: box.dir, env: box.env(), encoding: 'utf8' });
  t.is(run.status, 0, run.stderr);
  t.true(run.stderr.startsWith(String.raw`b\xff → 127.0.0.1:./b\xff: 3 B in `), run.stderr);
  const names = readdirSync(box.path('files'), { encoding: 'buffer' });
  t.deepEqual(names, [Buffer.from([0x62, 0xff])]);
  await server.stop();
});

test('ls -R goes into directories and shows whole paths', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  for (const name of ['b', 'in/c', 'in/deep/d']) box.write(`files/${name}`, 'x');
  const all = await box.run(['ls', '-R', '127.0.0.1:', ...server.at]);
  t.is(all.stdout, '/b\n/in/\n/in/c\n/in/deep/\n/in/deep/d\n', all.stderr);
  const long = await box.run(['ls', '-l', '--recursive', '127.0.0.1:/in/deep', ...server.at]);
  t.regex(long.stdout, /^-rw\S+ +1 B \S+ \S+ \/in\/deep\/d\n$/);
  const json = await box.run(['ls', '-R', '--json', '127.0.0.1:in', ...server.at]);
  t.deepEqual(
    events(json.stdout).map((event) => (event.type === 'entry' ? event.path : event.type)),
    ['/in/c', '/in/deep', '/in/deep/d'],
  );
  await server.stop();
});
