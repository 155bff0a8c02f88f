import test from 'ava';
import { encode } from 'cborg';
import fc from 'fast-check';
import { PageReader, readEntry, readTreeItem } from '../../dist/e2eeftp/entry-codec.js';
import type { ReadItem } from '../../dist/e2eeftp/entry-codec.js';
import { E2eeftpError } from '../../dist/errors.js';

const name = fc
  .uint8Array({ minLength: 1, maxLength: 255 })
  .filter(
    (bytes) =>
      !bytes.includes(0) && !bytes.includes(47) && !['.', '..'].includes(Buffer.from(bytes).toString('latin1')),
  );
const letter = fc.constantFrom('f', 'd', 'l', 'o');
const number = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const members = [letter, number(0, 2 ** 53 - 1), number(-8e15, 8e15), number(0, 0o7777)] as const;
const entry = fc.tuple(name, ...members);
const deepEntry = fc.tuple(
  fc.array(name, { minLength: 1, maxLength: 5 }).map((names) => Buffer.from(names.map(latin1).join('/'), 'latin1')),
  ...members,
);
const report = fc.tuple(fc.uint8Array({ maxLength: 0 }), fc.string(), fc.string());

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** A page as the native layer writes it. */
function encodePage(entries: readonly unknown[][]): Buffer {
  return Buffer.from(encode(entries));
}

function readAll<T>(pieces: readonly Buffer[], readItem: ReadItem<T>): T[] {
  const reader = new PageReader(readItem);
  const items = pieces.flatMap((piece) => [...reader.push(piece)]);
  reader.end();
  return items;
}

test('pages survive being cut anywhere', (t) => {
  const item = fc.oneof(entry, deepEntry, report);
  fc.assert(
    fc.property(fc.array(fc.array(item, { maxLength: 5 }), { maxLength: 4 }), fc.array(fc.nat(4000)), (pages, cuts) => {
      const body = Buffer.concat(pages.map((page) => encodePage(page)));
      const borders = [0, ...cuts.map((cut) => Math.min(cut, body.length)).toSorted((a, b) => a - b), body.length];
      const pieces = borders.slice(1).map((end, index) => body.subarray(borders[index], end));
      const got = readAll(pieces, readTreeItem).map((read) =>
        'unreadable' in read
          ? [latin1(read.unreadable), read.code, read.text]
          : [latin1(read.name), read.type[0] === 's' ? 'l' : read.type[0], read.size, read.modifiedMs, read.mode],
      );
      t.deepEqual(
        got,
        pages.flat().map(([path, ...rest]) => [latin1(path), ...rest]),
      );
    }),
  );
});

test('byte by byte gives the same', (t) => {
  const body = encodePage([[Buffer.from('a'), 'f', 5e9, 1.5, 0o644]]);
  t.deepEqual(
    readAll(
      [...body].map((byte) => Buffer.of(byte)),
      readEntry,
    ),
    [{ name: Buffer.from('a'), type: 'file', size: 5e9, modifiedMs: 1.5, mode: 0o644 }],
  );
});

test('a server can’t name anything outside the directory, nor send nonsense', (t) => {
  const good = [Buffer.from('a'), 'f', 1, 1, 1];
  const page = (...item: unknown[]): Uint8Array => encode([item]);
  const bad: Record<string, Uint8Array> = {
    'a slash': page(Buffer.from('a/b'), 'f', 1, 1, 1),
    'dot dot': page(Buffer.from('..'), 'f', 1, 1, 1),
    dot: page(Buffer.from('.'), 'f', 1, 1, 1),
    'no name': page(Buffer.alloc(0), 'f', 1, 1, 1),
    nul: page(Buffer.from('a\0'), 'f', 1, 1, 1),
    'name as text': page('a', 'f', 1, 1, 1),
    'unknown type': page(Buffer.from('a'), 'x', 1, 1, 1),
    'negative size': page(Buffer.from('a'), 'f', -1, 1, 1),
    'mode too large': page(Buffer.from('a'), 'f', 1, 1, 0o10000),
    'time too large': page(Buffer.from('a'), 'f', 1, 9e15, 1),
    'too short': page(...good.slice(0, 4)),
    'no page': encode({ a: 1 }),
    'not a list of entries': encode([5]),
    indefinite: Buffer.from('9fff', 'hex'),
    tagged: Buffer.from('c080', 'hex'),
    'very long': Buffer.from('9affffffff', 'hex'),
    'very long name': Buffer.from('81855affffffff', 'hex'),
  };
  const refused = (why: string, bytes: Uint8Array, readItem: ReadItem<unknown>): void => {
    const error = t.throws(() => readAll([Buffer.from(bytes)], readItem), undefined, why);
    t.true(E2eeftpError.is(error, 'E2EEFTP_PROTOCOL'), why);
  };
  for (const [why, bytes] of Object.entries(bad)) refused(why, bytes, readEntry);
  const { 'a slash': deep, ...everywhere } = bad;
  t.is(readAll([Buffer.from(deep ?? '')], readTreeItem).length, 1, 'a tree has paths');
  const badTree: Record<string, Uint8Array> = {
    ...everywhere,
    absolute: page(Buffer.from('/a'), 'f', 1, 1, 1),
    'slash at the end': page(Buffer.from('a/'), 'f', 1, 1, 1),
    'an empty component': page(Buffer.from('a//b'), 'f', 1, 1, 1),
    'dot dot inside': page(Buffer.from('a/../../b'), 'f', 1, 1, 1),
    'too long': page(Buffer.alloc(4097, 'x'), 'f', 1, 1, 1),
    'report of dot dot': page(Buffer.from('..'), 'E2EEFTP_IO', 'x'),
    'report with numbers': page(Buffer.from('a'), 5, 'x'),
    'report of a text': page('a', 'E2EEFTP_IO', 'x'),
    'report that is too short': page(Buffer.from('a'), 'E2EEFTP_IO'),
  };
  for (const [why, bytes] of Object.entries(badTree)) refused(why, bytes, readTreeItem);
  refused('a report beside the entries of one directory', page(Buffer.from('a'), 'E2EEFTP_IO', 'x'), readEntry);
  const error = t.throws(() => readAll([Buffer.from(page(...good)).subarray(0, -1)], readEntry));
  t.true(E2eeftpError.is(error, 'E2EEFTP_PROTOCOL'), 'cut short');
});

test('random bytes end in entries or E2EEFTP_PROTOCOL', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), (pieces) => {
      try {
        const bytes = pieces.map((piece) => Buffer.from(piece));
        readAll(bytes, readEntry);
        readAll(bytes, readTreeItem);
      } catch (error) {
        if (!E2eeftpError.is(error, 'E2EEFTP_PROTOCOL')) throw error;
      }
    }),
    { numRuns: 3000 },
  );
  t.pass();
});
