import { randomBytes } from 'node:crypto';
import { mkdirSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { toE2eeftpError } from '../../dist/cli/report-error.js';
import { hashLine } from '../../dist/cli/verbs/hash.js';
import { type CliEvent } from '../../dist/index.js';
import { events, type RunResult, Sandbox, until } from './run.js';

/** BLAKE3 of "abc", from the test vectors of its reference implementation. */
const ABC = '6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85';

async function prepare(t: ExecutionContext, options: string[] = []) {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready(options);
  const run = async (...words: string[]): Promise<RunResult> => box.run([...words, ...server.at]);
  const succeed = async (...words: string[]): Promise<RunResult> => {
    const result = await run(...words);
    t.is(result.code, 0, `${words.join(' ')}: ${result.stderr}`);
    return result;
  };
  const fail = async (code: number, name: string, ...words: string[]): Promise<RunResult> => {
    const result = await run(...words);
    t.is(result.code, code, `${words.join(' ')}: ${result.stderr}`);
    t.true(result.stderr.includes(`error[E2EEFTP_${name}]: `), `${words.join(' ')}: ${result.stderr}`);
    t.is(result.stdout, '');
    return result;
  };
  return { box, server, run, succeed, fail };
}

function resultOf(event: CliEvent | undefined): Record<string, unknown> {
  return event?.type === 'result' ? event.result : {};
}

test('mkdir', async (t) => {
  const { box, succeed, fail } = await prepare(t);
  const made = await succeed('mkdir', '127.0.0.1:a', '127.0.0.1:/b');
  t.deepEqual([made.stdout, made.stderr], ['', 'made 127.0.0.1:a\nmade 127.0.0.1:/b\n']);
  const taken = await fail(7, 'EXISTS', 'mkdir', '127.0.0.1:a');
  t.regex(taken.stderr, / → choose another name\n$/);
  await fail(6, 'NOT_FOUND', 'mkdir', '127.0.0.1:c/d');
  await fail(7, 'EXISTS', 'mkdir', '127.0.0.1:');
  t.is((await succeed('mkdir', '-p', '127.0.0.1:c/d/e')).stderr, 'made 127.0.0.1:c/d/e\n');
  t.is((await succeed('mkdir', '-p', '127.0.0.1:c/d/e')).stderr, '127.0.0.1:c/d/e is there already\n');
  const several = await succeed(
    'mkdir',
    '-p',
    '--json',
    '127.0.0.1:c/d',
    '127.0.0.1:c/f',
    '127.0.0.1:g/h',
    '127.0.0.1:',
  );
  t.deepEqual(
    events(several.stdout).map((event) => resultOf(event)['made']),
    [false, true, true, false],
  );
  box.write('files/file', '');
  await fail(7, 'EXISTS', 'mkdir', '-p', '127.0.0.1:file');
  t.deepEqual(box.list('files'), ['a', 'b', 'c', 'file', 'g']);
  t.true(statSync(box.path('files/c/d/e')).isDirectory());
});

test('mv: the final name, into a directory, several into one', async (t) => {
  const { box, run, succeed, fail } = await prepare(t);
  for (const name of ['a', 'b', 'c', 'd', 'tree/inside']) box.write(`files/${name}`, name);
  mkdirSync(box.path('files/dir'));
  const moved = await succeed('mv', '127.0.0.1:/a', '127.0.0.1:renamed');
  t.deepEqual([moved.stdout, moved.stderr], ['', 'moved 127.0.0.1:/a to renamed\n']);
  await succeed('mv', '127.0.0.1:renamed', '127.0.0.1:dir');
  await succeed('mv', '127.0.0.1:b', '127.0.0.1:dir/');
  await succeed('mv', '127.0.0.1:dir/b', '127.0.0.1:');
  await succeed('mv', '127.0.0.1:b', '127.0.0.1:tree/', '127.0.0.1:/dir');
  t.deepEqual(box.list('files'), ['c', 'd', 'dir']);
  t.deepEqual(box.list('files/dir'), ['b', 'renamed', 'tree']);
  const taken = await fail(7, 'EXISTS', 'mv', '--no-clobber', '127.0.0.1:c', '127.0.0.1:d');
  t.regex(taken.stderr, / → choose another name, or leave out --no-clobber\n$/);
  t.regex((await fail(7, 'EXISTS', 'mv', '127.0.0.1:c', '127.0.0.1:/c')).stderr, / → it is the source itself: /);
  t.is(box.read('files/d'), 'd');
  await succeed('mv', '127.0.0.1:c', '127.0.0.1:d');
  t.is(box.read('files/d'), 'c');
  await fail(2, 'BAD_PATH', 'mv', '127.0.0.1:dir', '127.0.0.1:dir/tree/');
  await fail(6, 'NOT_FOUND', 'mv', '127.0.0.1:gone', '127.0.0.1:x');
  await fail(6, 'NOT_FOUND', 'mv', '127.0.0.1:d', '127.0.0.1:gone/');
  await fail(2, 'INVALID_ARGUMENT', 'mv', '127.0.0.1:d', '127.0.0.1:dir/b', '127.0.0.1:nowhere');
  const partly = await run('mv', '127.0.0.1:gone', '127.0.0.1:d', '127.0.0.1:dir/');
  t.is(partly.code, 10);
  t.regex(partly.stderr, /error\[E2EEFTP_PARTIAL\]: 1 of 2 failed: 127\.0\.0\.1:gone\n/);
  t.deepEqual(box.list('files/dir'), ['b', 'd', 'renamed', 'tree']);
});

test('cp: files and trees, without the content on the wire', async (t) => {
  const { box, succeed, fail } = await prepare(t);
  const content = randomBytes(3_000_000);
  box.write('files/a', content);
  box.write('files/tree/sub/b', 'b');
  symlinkSync('sub/b', box.path('files/tree/link'));
  mkdirSync(box.path('files/dir'));
  const copied = await succeed('cp', '127.0.0.1:a', '127.0.0.1:dir');
  t.is(copied.stdout, '');
  t.regex(copied.stderr, /^copied 127\.0\.0\.1:a to dir\/a: 3\.00 MB in .+ s\n$/);
  t.true(box.bytes('files/dir/a').equals(content));
  const hint = await fail(1, 'IS_DIRECTORY', 'cp', '127.0.0.1:tree', '127.0.0.1:copy');
  t.regex(hint.stderr, / → .*-r/);
  await succeed('cp', '-r', '127.0.0.1:tree', '127.0.0.1:copy');
  for (const _ of [1, 2]) await succeed('cp', '-r', '127.0.0.1:tree', '127.0.0.1:copy/');
  t.deepEqual(box.list('files/copy'), ['link', 'sub', 'tree']);
  t.deepEqual(box.list('files/copy/tree'), ['link', 'sub']);
  await fail(7, 'EXISTS', 'cp', '--no-clobber', '127.0.0.1:tree/sub/b', '127.0.0.1:a');
  t.regex((await fail(7, 'EXISTS', 'cp', '127.0.0.1:a', '127.0.0.1:/a')).stderr, / → it is the source itself: /);
  await fail(2, 'BAD_PATH', 'cp', '-r', '127.0.0.1:tree', '127.0.0.1:tree/sub/x');
  await fail(6, 'NOT_FOUND', 'cp', '127.0.0.1:gone', '127.0.0.1:x');
  const json = await succeed('cp', '-r', '--json', '127.0.0.1:tree', '127.0.0.1:again');
  t.like(resultOf(events(json.stdout)[0]), {
    from: 'tree',
    to: 'again',
    files: 1,
    directories: 2,
    links: 1,
    bytes: 1,
  });
  t.is(json.stderr, '');
});

test('hash: the lines of b3sum, for files there and here', async (t) => {
  const { box, run, succeed, fail } = await prepare(t);
  for (const name of ['abc', 'files/there', String.raw`files/back\slash`]) box.write(name, 'abc');
  writeFileSync(box.path('files/line\nbreak'), 'abc');
  writeFileSync(box.path('files/\u001b[2J'), 'abc');
  t.is((await succeed('hash', '127.0.0.1:there', './abc')).stdout, `${ABC}  there\n${ABC}  ./abc\n`);
  const odd = await succeed('hash', String.raw`127.0.0.1:back\slash`, '127.0.0.1:line\nbreak', '127.0.0.1:\u001b[2J');
  t.is(
    odd.stdout,
    [
      String.raw`\${ABC}  back\\slash`.replace('${ABC}', ABC),
      String.raw`\${ABC}  line\nbreak`.replace('${ABC}', ABC),
      String.raw`${ABC}  \x1b[2J`.replace('${ABC}', ABC),
      '',
    ].join('\n'),
  );
  const json = await succeed('hash', '--json', '127.0.0.1:/there');
  t.deepEqual(resultOf(events(json.stdout)[0]), { path: '/there', bytes: 3, root: ABC });
  await fail(1, 'IS_DIRECTORY', 'hash', '127.0.0.1:');
  await fail(6, 'NOT_FOUND', 'hash', 'gone');
  t.is((await run('hash', '127.0.0.1:there', 'gone')).code, 10);
  // No server and no key are needed for one's own files.
  const alone = new Sandbox();
  t.teardown(() => alone.dispose());
  alone.write('abc', 'abc');
  t.is((await alone.run(['hash', 'abc', '--timeout', '1'])).stdout, `${ABC}  abc\n`);
});

test('hash: how a line escapes its name', (t) => {
  t.is(hashLine('00', 'plain'), '00  plain');
  t.is(hashLine('00', 'a\\b\nc'), String.raw`\00  a\\b\nc`);
  t.is(hashLine('00', '\u001b\r'), String.raw`00  \x1b\x0d`);
});

test('df: bytes into a pipe, units on a terminal or when asked for', async (t) => {
  const { box, server, succeed, fail } = await prepare(t);
  box.write('files/f', 'x');
  const plain = await succeed('df', '127.0.0.1', '127.0.0.1:f');
  t.regex(
    plain.stdout,
    /^Place +Size +Used +Available +Use\n127\.0\.0\.1 +\d+ +\d+ +\d+ +(\d+%|-)\n127\.0\.0\.1:f +\d+ .+\n$/,
  );
  const units = /^127\.0\.0\.1:? +[\d.]+ [kMGTP]?B +/m;
  t.regex((await succeed('df', '-h', '127.0.0.1:')).stdout, units);
  const terminal = await box.terminal(['df', '127.0.0.1:', ...server.at]).result;
  t.regex(terminal.stdout, units);
  t.notRegex((await box.terminal(['df', '-b', '127.0.0.1:', ...server.at]).result).stdout, units);
  const json = await succeed('df', '--json', '127.0.0.1');
  const { total, used, free, available } = resultOf(events(json.stdout)[0]) as Record<string, number>;
  t.is(Number(used) + Number(free), Number(total));
  t.true(Number(available) <= Number(free));
  await fail(6, 'NOT_FOUND', 'df', '127.0.0.1:gone');
});

test('grants hold: exit code 5', async (t) => {
  for (const [option, refused] of [
    ['read-only', ['mkdir', 'mv', 'cp']],
    ['upload-only', ['mv', 'cp', 'hash']],
    ['no-delete', ['mv']],
  ] as const) {
    const { box, run } = await prepare(t, [option]);
    box.write('files/a', 'a');
    const lines: Record<string, string[]> = {
      mkdir: ['127.0.0.1:new'],
      mv: ['127.0.0.1:a', '127.0.0.1:moved'],
      cp: ['127.0.0.1:a', '127.0.0.1:copied'],
      hash: ['127.0.0.1:a'],
      df: ['127.0.0.1:'],
    };
    for (const [verb, operands] of Object.entries(lines)) {
      const { code, stderr } = await run(verb, ...operands);
      t.is(code, (refused as readonly string[]).includes(verb) ? 5 : 0, `${option}: ${verb}: ${stderr}`);
    }
    t.true(box.list('files').includes('a'));
  }
});

test('ctrl-C ends the work of the server', async (t) => {
  const { box, server } = await prepare(t);
  // It takes no space, and longer to hash than a test waits.
  writeFileSync(box.path('files/huge'), '');
  truncateSync(box.path('files/huge'), 4 * 1024 ** 4);
  const running = box.start(['hash', '127.0.0.1:huge', ...server.at]);
  await until(() => server.run.stderr.includes('session opened'), 'the login');
  await delay(1_000);
  running.kill('SIGINT');
  const { code, stdout } = await running.result;
  t.deepEqual([code, stdout], [130, '']);
  await until(() => /session (closed|ended)/.test(server.run.stderr), 'the end of the session');
  t.is((await server.stop()).code, 0);
});

test('a key that may not replace is told so, with what the verb can do about it', async (t) => {
  const { box, fail } = await prepare(t, ['no-overwrite']);
  for (const name of ['a', 'b']) box.write(`files/${name}`, name);
  box.write('a', 'new');
  for (const verb of ['mv', 'cp']) {
    const { stderr } = await fail(7, 'EXISTS', verb, '127.0.0.1:a', '127.0.0.1:b');
    t.regex(stderr, / → choose another name: your key may not replace this one, or both are the same file\n$/);
  }
  t.regex((await fail(7, 'EXISTS', 'send', 'a', '127.0.0.1:a')).stderr, / → your key may not replace it: .*--rename\n/);
  const refused = await fail(7, 'EXISTS', 'send', '--no-clobber', 'a', '127.0.0.1:a');
  t.regex(refused.stderr, / → choose another name, or --overwrite or --rename\n/);
  t.is(box.read('files/a'), 'a');
});

test('what is not permitted may be for the key, or for the account of the server or of the caller', async (t) => {
  const { fail } = await prepare(t, ['read-only']);
  const { stderr } = await fail(5, 'NOT_PERMITTED', 'mkdir', '127.0.0.1:a');
  t.regex(stderr, / → your key does not allow this .*, or the server's own file permissions do not\n$/);
  const local = Object.assign(new Error("EACCES: permission denied, open '/a'"), { code: 'EACCES', path: '/a' });
  t.is(toE2eeftpError(local).hint, 'check its permissions on this machine');
});
