/** The committed blocks, maps and journals, made once more from what `docs/PROTOCOL.md` §9 says. */
import { blake3 } from '@noble/hashes/blake3.js';
import test from 'ava';
import { readProjectFile } from '../house/project-files.js';
import { concat, fromHex, hex, text, uint } from './byte-fields.js';
import { rootOf, valueOf } from './subtrees.js';

interface BlockVectors {
  cases: { name: string; size: number; values: string[]; root: string }[];
  layouts: { size: string; block_length: string; count: number; last_length: string }[];
  map: { size: number; kept: number[]; map: string };
  block_records: { block: number; last: boolean; offset: number; length: number; content: string }[];
  journals: { size: number; key: string; boot_id: string | null; entries: number[][]; journal: string }[];
}

const vectors = JSON.parse(readProjectFile('testdata/vectors/blocks.json')) as BlockVectors;

const content = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => at % 251);

function nextPowerOfTwo(value: bigint): bigint {
  let power = 1n;
  while (power < value) power *= 2n;
  return power;
}

/** §9.1, as it stands there. */
function blockLength(size: bigint): bigint {
  const [least, most] = [1n << 20n, 1n << 24n];
  const wanted = nextPowerOfTwo((size + 1023n) / 1024n);
  const clamped = wanted < least ? least : wanted > most ? most : wanted;
  const needed = nextPowerOfTwo((size + (1n << 20n) - 1n) >> 20n);
  return clamped > needed ? clamped : needed;
}

test('files are cut as the page says', (t) => {
  t.is(vectors.layouts.length, 11);
  for (const layout of vectors.layouts) {
    const size = BigInt(layout.size);
    const length = blockLength(size);
    const count = (size + length - 1n) / length;
    t.is(layout.block_length, String(length));
    t.is(layout.count, Number(count));
    t.is(layout.last_length, String(count === 0n ? 0n : size - (count - 1n) * length));
  }
});

test('values are those of the subtrees, and make the root', (t) => {
  t.is(vectors.cases.length, 4);
  for (const { name, size, values, root } of vectors.cases) {
    const bytes = content(size);
    const length = Number(blockLength(BigInt(size)));
    const count = Math.ceil(size / length);
    const made = Array.from({ length: count }, (_, index) =>
      valueOf(bytes.subarray(index * length, (index + 1) * length), index * length, count === 1),
    );
    t.deepEqual(made.map(hex), values, name);
    t.is(hex(rootOf(made)), root, name);
    t.is(hex(blake3(bytes)), root, name);
  }
  t.is(hex(rootOf([])), hex(blake3(new Uint8Array())));
});

/** The values of the file that maps and journals are about. */
const partial = (vectors.cases.find(({ name }) => name === 'partial')?.values ?? []).map(fromHex);

test('a map has the blocks that are kept', (t) => {
  const { size, kept, map } = vectors.map;
  const bitmap = new Uint8Array(Math.ceil(Math.ceil(size / 2 ** 20) / 8));
  for (const index of kept) bitmap[index >> 3] = (bitmap[index >> 3] ?? 0) | (1 << (index & 7));
  const values = kept.map((index) => partial[index] ?? new Uint8Array());
  t.is(hex(concat(Uint8Array.of(1, 0, 0, 0), uint(kept.length, 4), bitmap, ...values)), map);
});

test('a Block record says where its piece belongs', (t) => {
  t.is(vectors.block_records.length, 3);
  for (const { block, last, offset, length, content: stored } of vectors.block_records) {
    const flags = Uint8Array.of(last ? 1 : 0, 0, 0, 0);
    t.is(hex(concat(uint(block, 4), flags, uint(offset, 8), uint(length, 8))), stored);
  }
});

test('a journal is a chain of checks', (t) => {
  t.is(vectors.journals.length, 2);
  const check = (before: Uint8Array, part: Uint8Array): Uint8Array =>
    blake3(concat(before, part), { context: text('e2eeftp 2026-11-22 journal check') }).subarray(0, 16);
  for (const { size, key, boot_id: boot, entries, journal } of vectors.journals) {
    const flags = Uint8Array.of(1, boot === null ? 0 : 1, 0, 0, 0, 0, 0, 0);
    const bootId = boot === null ? new Uint8Array(16) : fromHex(boot);
    let part = concat(text('e2eeftpJ'), flags, fromHex(key), uint(size, 8), bootId);
    let last = check(new Uint8Array(16), part);
    const made = [part, last];
    for (const entry of entries) {
      const blocks = entry.map((index) => concat(uint(index, 4), partial[index] ?? new Uint8Array()));
      part = concat(uint(entry.length, 4), ...blocks);
      last = check(last, part);
      made.push(part, last);
    }
    t.is(hex(concat(...made)), journal);
  }
});
