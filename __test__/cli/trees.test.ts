import { mkdirSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { events, Sandbox } from './run.js';

function furnish(box: Sandbox): void {
  mkdirSync(box.path('tree/d'), { recursive: true });
  for (const name of ['a', 'b.o', 'd/c', 'd/e.o']) writeFileSync(box.path(`tree/${name}`), name);
}

test('send, get and sync of directories give the same tree twice', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  furnish(box);
  for (const _ of [1, 2]) {
    const final = await box.run(['send', 'tree', '127.0.0.1:/copy', ...server.at]);
    t.is(final.code, 0, final.stderr);
    t.regex(final.stderr, /^tree → 127\.0\.0\.1:\/copy: \d files, .+, verified\n$/);
    t.is((await box.run(['send', 'tree', '-r', '127.0.0.1:/into/', ...server.at])).code, 0);
    t.is((await box.run(['get', '127.0.0.1:/copy', 'back', ...server.at])).code, 0);
    t.is((await box.run(['get', '127.0.0.1:/copy/', 'inside/', ...server.at])).code, 0);
    t.is((await box.run(['sync', 'tree/', '127.0.0.1:/synced/', ...server.at])).code, 0);
    t.deepEqual(box.list('files'), ['copy', 'into', 'synced']);
    t.deepEqual(box.list('files/into'), ['tree']);
    for (const folder of ['files/copy', 'files/into/tree', 'files/synced', 'back', 'inside/copy']) {
      t.deepEqual(box.list(folder), ['a', 'b.o', 'd'], folder);
    }
  }
  await server.stop();
});

test('sync with rules, a dry run, and deletion', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  furnish(box);
  const rules = ['--include', '/b.o', '--exclude', '*.o'];
  const first = await box.run(['sync', 'tree', '127.0.0.1:/t', ...rules, ...server.at]);
  t.is(first.code, 0, first.stderr);
  t.deepEqual(box.list('files/t/d'), ['c']);
  writeFileSync(box.path('files/t/d/extra'), 'x');
  const dry = await box.run(['sync', 'tree', '127.0.0.1:/t', '--delete', '-n', ...server.at]);
  t.is(dry.code, 0, dry.stderr);
  t.true(dry.stderr.includes('would move d/e.o (5 B)\n'), dry.stderr);
  t.true(dry.stderr.includes('would delete 127.0.0.1:/t/d/extra\n'), dry.stderr);
  t.deepEqual(box.list('files/t/d'), ['c', 'extra']);
  const done = await box.run(['sync', 'tree', '127.0.0.1:/t', '--delete', '--json', ...server.at]);
  t.is(done.code, 0, done.stderr);
  const complete = events(done.stdout).find(({ type }) => type === 'complete');
  t.like(complete, { files: 1, skippedFiles: 3, deletedFiles: 1, failedFiles: 0, verified: true });
  t.like(
    events(done.stdout).find(({ type }) => type === 'file'),
    { action: 'deleted' },
  );
  t.deepEqual(box.list('files/t/d'), ['c', 'e.o']);
  box.write('list', 'd/c\0missing\0');
  const some = await box.run(['get', '127.0.0.1:/t', 'some', '--files-from', 'list', '-0', ...server.at]);
  t.is(some.code, 10, some.stderr);
  t.true(some.stderr.includes('error[E2EEFTP_NOT_FOUND]: /t/missing: '), some.stderr);
  t.deepEqual(box.list('some'), ['d']);
  await server.stop();
});

test('one file that fails is named, and the exit code is 10', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await box.ready();
  furnish(box);
  mkdirSync(box.path('files/t/a'), { recursive: true });
  const sent = await box.run(['send', 'tree', '127.0.0.1:/t', ...server.at]);
  t.is(sent.code, 10, sent.stderr);
  t.true(sent.stderr.includes('error[E2EEFTP_IS_DIRECTORY]: tree/a: store: is a directory'), sent.stderr);
  t.true(sent.stderr.includes('error[E2EEFTP_PARTIAL]: 1 names failed'), sent.stderr);
  t.deepEqual(box.list('files/t'), ['a', 'b.o', 'd']);
  await server.stop();
});

test('mistakes are told before anything is connected', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  furnish(box);
  for (const [args, text] of [
    [['sync', 'tree', 'other'], 'one of source and target'],
    [['sync', 'tree'], "missing required argument 'target'"],
    [['sync', 'tree', '127.0.0.1:x', '--delete', '--files-from', 'tree/a'], '--files-from does not tell'],
    [['send', 'tree', '127.0.0.1:x', '-0'], '-0 is for --files-from'],
    [['send', 'tree', '127.0.0.1:x', '--exclude', ''], 'empty'],
  ] as const) {
    const { code, stderr } = await box.run([...args]);
    t.is(code, 2, stderr);
    t.true(stderr.includes(text), stderr);
  }
});
