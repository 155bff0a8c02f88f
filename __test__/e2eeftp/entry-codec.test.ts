import test from 'ava';
import { encode } from 'cborg';
import fc from 'fast-check';
import { PageReader, encodePage } from '../../dist/e2eeftp/entry-codec.js';
import type { WireEntry } from '../../dist/e2eeftp/entry-codec.js';
import { E2eeftpError } from '../../dist/errors.js';

const name = fc
  .uint8Array({ minLength: 1, maxLength: 255 })
  .filter(
    (bytes) =>
      !bytes.includes(0) && !bytes.includes(47) && !['.', '..'].includes(Buffer.from(bytes).toString('latin1')),
  );
const entry = fc.record({
  name: name.map((bytes) => Buffer.from(bytes)),
  metadata: fc.record({
    fileType: fc.constantFrom('file', 'directory', 'symlink', 'other'),
    size: fc.constant(0),
    modifiedMs: fc.double({ min: -8e15, max: 8e15, noNaN: true }).map((ms) => ms + 0),
    mode: fc.integer({ min: 0, max: 0o7777 }),
  }),
});

function readAll(pieces: readonly Buffer[]): WireEntry[] {
  const reader = new PageReader();
  const entries = pieces.flatMap((piece) => [...reader.push(piece)]);
  reader.end();
  return entries;
}

test('pages survive being cut anywhere', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.array(entry, { maxLength: 5 }), { maxLength: 4 }),
      fc.array(fc.nat(4000)),
      (pages, cuts) => {
        const body = Buffer.concat(pages.map((page) => encodePage(page)));
        const borders = [0, ...cuts.map((cut) => Math.min(cut, body.length)).toSorted((a, b) => a - b), body.length];
        const pieces = borders.slice(1).map((end, index) => body.subarray(borders[index], end));
        const expected = pages.flat().map(({ name: bytes, metadata }) => ({
          name: bytes.toString('hex'),
          type: metadata.fileType,
          mode: metadata.mode,
        }));
        const got = readAll(pieces).map(({ name: bytes, type, mode }) => ({ name: bytes.toString('hex'), type, mode }));
        t.deepEqual(got, expected);
      },
    ),
  );
});

test('byte by byte gives the same', (t) => {
  const body = encodePage([
    { name: Buffer.from('a'), metadata: { fileType: 'file', size: 5e9, modifiedMs: 1.5, mode: 0o644 } },
  ]);
  t.deepEqual(readAll([...body].map((byte) => Buffer.of(byte))), [
    { name: Buffer.from('a'), type: 'file', size: 5e9, modifiedMs: 1.5, mode: 0o644 },
  ]);
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
  for (const [why, bytes] of Object.entries(bad)) {
    const error = t.throws(() => readAll([Buffer.from(bytes)]), undefined, why);
    t.true(E2eeftpError.is(error, 'E2EEFTP_PROTOCOL'), why);
  }
  const error = t.throws(() => readAll([Buffer.from(page(...good)).subarray(0, -1)]));
  t.true(E2eeftpError.is(error, 'E2EEFTP_PROTOCOL'), 'cut short');
});

test('random bytes end in entries or E2EEFTP_PROTOCOL', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), (pieces) => {
      try {
        readAll(pieces.map((piece) => Buffer.from(piece)));
      } catch (error) {
        if (!E2eeftpError.is(error, 'E2EEFTP_PROTOCOL')) throw error;
      }
    }),
    { numRuns: 3000 },
  );
  t.pass();
});
