/**
 * The BLAKE3 tree of a file and the values of its subtrees, from the compression function up: chapter 2 of the BLAKE3 paper.
 */
import { _compress } from '@noble/hashes/blake2.js';
import { concat } from './byte-fields.js';

/** Bytes of a chunk, and of a block that is compressed at once. */
const CHUNK = 1024;
const BLOCK = 64;
const CHUNK_START = 1;
const CHUNK_END = 2;
const PARENT = 4;
const ROOT = 8;
const IV = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19] as const;
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
/** The order of the message's words in each of seven rounds. */
const SCHEDULE = ((): Uint8Array => {
  const rounds: number[] = [];
  let round = PERMUTATION.map((_, at) => at);
  for (let count = 0; count < 7; count += 1) {
    rounds.push(...round);
    round = PERMUTATION.map((from) => round[from] ?? 0);
  }
  return Uint8Array.from(rounds);
})();

/** What is compressed last for a node, which as the root gets one flag more. */
interface Node {
  readonly chaining: readonly number[];
  readonly message: Uint8Array;
  readonly counter: number;
  readonly flags: number;
}

function compress({ chaining, message, counter, flags }: Node, isRoot = false): number[] {
  const padded = new Uint8Array(BLOCK);
  padded.set(message);
  const view = new DataView(padded.buffer);
  const words = Uint32Array.from({ length: 16 }, (_, at) => view.getUint32(4 * at, true));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = chaining;
  const out = _compress(
    ...([SCHEDULE, 0, words, 7, a, b, c, d, e, f, g, h, IV[0], IV[1], IV[2], IV[3]] as const),
    ...([counter >>> 0, Math.floor(counter / 2 ** 32), message.length, isRoot ? flags | ROOT : flags] as const),
  );
  const { v0, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12, v13, v14, v15 } = out;
  const high = [v8, v9, v10, v11, v12, v13, v14, v15];
  return [v0, v1, v2, v3, v4, v5, v6, v7].map((low, at) => (low ^ (high[at] ?? 0)) >>> 0);
}

function bytesOf(words: readonly number[]): Uint8Array {
  const out = new DataView(new ArrayBuffer(4 * words.length));
  for (const [at, word] of words.entries()) out.setUint32(4 * at, word, true);
  return new Uint8Array(out.buffer);
}

function chunk(bytes: Uint8Array, counter: number): Node {
  let chaining: readonly number[] = IV;
  const last = Math.max(0, Math.ceil(bytes.length / BLOCK) - 1);
  for (let block = 0; block < last; block += 1) {
    const message = bytes.subarray(block * BLOCK, (block + 1) * BLOCK);
    chaining = compress({ chaining, message, counter, flags: block === 0 ? CHUNK_START : 0 });
  }
  const flags = CHUNK_END | (last === 0 ? CHUNK_START : 0);
  return { chaining, message: bytes.subarray(last * BLOCK), counter, flags };
}

function parent(left: Uint8Array, right: Uint8Array): Node {
  return { chaining: IV, message: concat(left, right), counter: 0, flags: PARENT };
}

/** The largest power of two below `count`. */
const leftPart = (count: number): number => 2 ** Math.ceil(Math.log2(count) - 1);

/** The node over `bytes`, which are the file's from chunk `first` on. */
function node(bytes: Uint8Array, first: number): Node {
  if (bytes.length <= CHUNK) return chunk(bytes, first);
  const chunks = leftPart(Math.ceil(bytes.length / CHUNK));
  const [left, right] = [bytes.subarray(0, chunks * CHUNK), bytes.subarray(chunks * CHUNK)];
  return parent(bytesOf(compress(node(left, first))), bytesOf(compress(node(right, first + chunks))));
}

/** What `docs/PROTOCOL.md` §9.1 calls the value of a block: `offset` is where `bytes` begin in their file. */
export function valueOf(bytes: Uint8Array, offset: number, isOnly: boolean): Uint8Array {
  return bytesOf(compress(node(bytes, offset / CHUNK), isOnly));
}

/** The root of a file from the values of its blocks. */
export function rootOf(values: readonly Uint8Array[]): Uint8Array {
  const [only] = values;
  if (only === undefined) return bytesOf(compress(node(new Uint8Array(), 0), true));
  return values.length === 1 ? only : bytesOf(compress(over(values), true));
}

function over(values: readonly Uint8Array[]): Node {
  const half = leftPart(values.length);
  const side = (part: readonly Uint8Array[]): Uint8Array =>
    part.length === 1 ? (part[0] ?? new Uint8Array()) : bytesOf(compress(over(part)));
  return parent(side(values.slice(0, half)), side(values.slice(half)));
}
