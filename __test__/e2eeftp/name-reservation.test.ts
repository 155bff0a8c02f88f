import test from 'ava';
import { NameReservations, numbered, requireNothingAt } from '../../dist/e2eeftp/name-reservation.js';
import { E2eeftpError } from '../../dist/errors.js';

const bytes = (text: string): Buffer => Buffer.from(text);
const onDisk =
  (entries: Record<string, string>) =>
  async (path: Buffer): Promise<string | null> =>
    entries[path.toString()] ?? null;

test('a number goes before the extension', (t) => {
  const cases: Record<string, string> = {
    '/a/b.txt': '/a/b (1).txt',
    '/a/b': '/a/b (1)',
    '/a/.profile': '/a/.profile (1)',
    '/a.d/b': '/a.d/b (1)',
    'b.tar.gz': 'b.tar (1).gz',
    'b.': 'b (1).',
  };
  for (const [path, expected] of Object.entries(cases)) t.is(numbered(bytes(path), 1).toString(), expected);
  t.deepEqual(
    numbered(Buffer.of(0xff, 0x2e, 0xfe), 2),
    Buffer.concat([Buffer.of(0xff), bytes(' (2).'), Buffer.of(0xfe)]),
  );
});

test('the first name that is free on disk is chosen', async (t) => {
  const reservations = new NameReservations();
  const kindAt = onDisk({ '/f.txt': 'file', '/f (1).txt': 'symlink', '/d': 'directory' });
  t.is((await reservations.choose('/', bytes('/f.txt'), kindAt)).path.toString(), '/f (2).txt');
  t.is((await reservations.choose('/', bytes('/g.txt'), kindAt)).path.toString(), '/g.txt');
  const error = await t.throwsAsync(() => reservations.choose('/', bytes('/d'), kindAt));
  t.true(E2eeftpError.is(error, 'E2EEFTP_IS_DIRECTORY'));
});

test('uploads at the same time get different names, however the name is spelled', async (t) => {
  const reservations = new NameReservations();
  const kindAt = onDisk({});
  const spellings = [
    ['/in', '/f'],
    ['/', '/in/f'],
    ['/in/', '//f'],
    ['/', 'in/./f'],
  ] as const;
  const chosen = await Promise.all(spellings.map(([root, path]) => reservations.choose(root, bytes(path), kindAt)));
  const names = chosen.map(({ path }) => path.toString().replace(/^.*f/, 'f'));
  t.deepEqual(names, ['f', 'f (1)', 'f (2)', 'f (3)']);
  for (const each of chosen) each.release();
  t.is((await reservations.choose('/in', bytes('/f'), kindAt)).path.toString(), '/f');
});

test('a failed look leaves no reservation', async (t) => {
  const reservations = new NameReservations();
  const failing = async (): Promise<string | null> => {
    throw new E2eeftpError('E2EEFTP_IO', 'disk');
  };
  await t.throwsAsync(() => reservations.choose('/', bytes('/f'), failing));
  t.is((await reservations.choose('/', bytes('/f'), onDisk({}))).path.toString(), '/f');
});

test('refusing tells a directory from a file', async (t) => {
  const kindAt = onDisk({ '/f': 'file', '/d': 'directory' });
  await t.notThrowsAsync(() => requireNothingAt(bytes('/x'), kindAt));
  t.true(E2eeftpError.is(await t.throwsAsync(() => requireNothingAt(bytes('/f'), kindAt)), 'E2EEFTP_EXISTS'));
  t.true(E2eeftpError.is(await t.throwsAsync(() => requireNothingAt(bytes('/d'), kindAt)), 'E2EEFTP_IS_DIRECTORY'));
});
