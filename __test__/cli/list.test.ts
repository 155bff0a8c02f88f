/** Listings by the command line: what can't be read, and readers that take their time. */
import { spawnSync } from 'node:child_process';
import test from 'ava';
import { events, Sandbox } from './run.js';

/** Directories under a name of 200 bytes, deeper than a path can name: nobody can list the last one. */
const MAKE_CHAIN = `
  const { mkdirSync } = require('node:fs');
  for (let depth = 0; depth < 25; depth += 1) {
    mkdirSync('c'.repeat(200));
    process.chdir('c'.repeat(200));
  }
`;

test('ls -R tells what can’t be listed, lists the rest, and ends with 10', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  const made = spawnSync(process.execPath, ['-e', MAKE_CHAIN], { cwd: box.path('files'), encoding: 'utf8' });
  t.is(made.status, 0, made.stderr);
  t.teardown(() => spawnSync('rm', ['-rf', box.path('files')]));
  box.write('files/z', 'x');
  const deepest = `/${Array.from({ length: 20 }, () => 'c'.repeat(200)).join('/')}`;

  const text = await box.run(['ls', '-R', '127.0.0.1:', ...server.at]);
  t.is(text.code, 10, text.stderr);
  const rows = text.stdout.trimEnd().split('\n');
  t.deepEqual([rows.length, rows.at(-2), rows.at(-1)], [21, `${deepest}/`, '/z']);
  t.true(text.stderr.startsWith(`error[E2EEFTP_BAD_PATH]: ${deepest}: bad path\n`), text.stderr);
  t.regex(text.stderr, /\nerror\[E2EEFTP_PARTIAL\]: one directory could not be listed; the rest is complete\n$/);

  const json = await box.run(['ls', '-R', '-l', '--json', '127.0.0.1:', ...server.at]);
  t.is(json.code, 10);
  t.is(json.stderr, '');
  const all = events(json.stdout);
  t.is(all.filter(({ type }) => type === 'entry').length, 21);
  const errors = all.flatMap((event) => (event.type === 'error' ? [[event.code, event.file]] : []));
  t.deepEqual(errors, [
    ['E2EEFTP_BAD_PATH', deepest],
    ['E2EEFTP_PARTIAL', null],
  ]);
  t.is(all.at(-1)?.type, 'error');

  const top = await box.run(['ls', '-R', '127.0.0.1:missing', ...server.at]);
  t.deepEqual([top.code, top.stdout], [6, '']);
  await server.stop();
});

test('a reader that goes away ends ls -R as it ends ls', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  for (let index = 0; index < 3000; index += 1) box.write(`files/${'n'.repeat(100)}${index}`, '');
  const listing = box.start(['ls', '-R', '127.0.0.1:', ...server.at], { input: '' });
  listing.child.stdout?.once('data', () => listing.child.stdout?.destroy());
  t.is((await listing.result).code, 141);
  await server.stop();
});
