import { truncateSync } from 'node:fs';
import test from 'ava';
import { Sandbox } from './run.js';

test('a bar on a terminal: figures move, and the line is gone at the end', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  truncateSync(box.write('big', ''), 600 * 1024 ** 2);
  const run = box.terminal(['send', 'big', '127.0.0.1:big', ...server.at]);
  const { code, stdout } = await run.result;
  t.is(code, 0, stdout);
  t.regex(stdout, /big \[#*-*\] \d+ % /);
  t.regex(stdout, / of 629 MB/);
  const last =
    stdout
      .trimEnd()
      .split(/[\r\n]+/)
      .at(-1) ?? '';
  t.regex(last, /big → 127\.0\.0\.1:big: 629 MB in .*verified/);
  t.true(stdout.includes('\u001b[32m'));
  await server.stop();
});

test('no colours with NO_COLOR, --no-color and TERM=dumb; no bar on a dumb terminal', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  box.write('a', 'A');
  const plain = async (words: string[], env: Record<string, string>): Promise<string> => {
    const run = box.terminal(['send', 'a', '127.0.0.1:a', '--progress', 'none', ...words, ...server.at], { env });
    return (await run.result).stdout;
  };
  t.true((await plain([], {})).includes('\u001b[32m'));
  t.false((await plain([], { NO_COLOR: '1' })).includes('\u001b['));
  t.false((await plain(['--no-color'], {})).includes('\u001b['));
  t.false((await plain([], { TERM: 'dumb' })).includes('\u001b['));
  const dumb = await box.terminal(['send', 'a', '127.0.0.1:a', ...server.at], { env: { TERM: 'dumb' } }).result;
  t.false(dumb.stdout.includes('\u001b'));
  await server.stop();
});

test('the content of a file is not written to a terminal unless forced', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  box.write('files/a', 'content!');
  const refused = await box.terminal(['get', '127.0.0.1:a', '-', ...server.at]).result;
  t.is(refused.code, 2, refused.stdout);
  t.false(refused.stdout.includes('content!'));
  t.true(refused.stdout.includes('--force'));
  const forced = await box.terminal(['get', '127.0.0.1:a', '-', '--force', ...server.at]).result;
  t.is(forced.code, 0, forced.stdout);
  t.true(forced.stdout.includes('content!'));
  await server.stop();
});
