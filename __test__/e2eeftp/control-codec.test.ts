import test from 'ava';
import { encode } from 'cborg';
import fc from 'fast-check';
import {
  MAX_CONTROL_DEPTH,
  MAX_CONTROL_LENGTH,
  decodeControl,
  encodeControl,
} from '../../dist/e2eeftp/control-codec.js';
import { ControlReader } from '../../dist/e2eeftp/control-value.js';
import type { ControlValue } from '../../dist/e2eeftp/control-value.js';
import { MalformedRequest, decodeRequest } from '../../dist/e2eeftp/request.js';
import { E2eeftpError } from '../../dist/errors.js';

const key = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((text) => !/\p{Cs}/u.test(text));
const { value: anyValue } = fc.letrec<{ value: ControlValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Number.isInteger(n)),
    key,
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4 }),
  ),
}));

/** Brings both sides to one form: no prototypes, bytes as Buffer, -0 as 0. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes:${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .map(([name, item]) => [name, plain(item)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
  }
  return Object.is(value, -0) ? 0 : value;
}

function refused(t: import('ava').ExecutionContext, bytes: Uint8Array, why: string): void {
  const error = t.throws(() => decodeControl(bytes), undefined, why);
  t.true(E2eeftpError.is(error, 'E2EEFTP_BAD_REQUEST'), why);
}

test('what is encoded is decoded', (t) => {
  fc.assert(
    fc.property(fc.dictionary(key, anyValue, { maxKeys: 5 }), (message) => {
      t.deepEqual(plain(decodeControl(encodeControl(message))), plain(message));
    }),
    { numRuns: 500 },
  );
});

test('random bytes never do anything but throw E2EEFTP_BAD_REQUEST or decode', (t) => {
  const decodes = (bytes: Uint8Array): void => {
    try {
      const message = decodeControl(bytes);
      t.is(Object.getPrototypeOf(message), null);
    } catch (error) {
      if (!E2eeftpError.is(error, 'E2EEFTP_BAD_REQUEST')) throw error;
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), decodes), { numRuns: 5000 });
  const valid = encodeControl({ id: 1, verb: 'SEND', path: Buffer.from('/x'), list: [1, { a: null }], f: 1.5 });
  fc.assert(
    fc.property(fc.nat(valid.length - 1), fc.nat(255), (at, byte) => {
      const changed = Buffer.from(valid);
      changed[at] = byte;
      decodes(changed);
    }),
    { numRuns: 3000 },
  );
  for (let length = 0; length < valid.length; length += 1) refused(t, valid.subarray(0, length), `cut at ${length}`);
  refused(t, Buffer.concat([valid, Buffer.of(0)]), 'one byte more');
  t.pass();
});

test('only one shortest, definite, untagged map is accepted', (t) => {
  const hex: Record<string, string> = {
    'no map': '83010203',
    'a number': '05',
    'indefinite map': 'bf616101ff',
    'indefinite array': 'a161619fff',
    'indefinite text': 'a161617f6161ff',
    'long form of a small number': 'a161611801',
    'repeated key': 'a2616101616102',
    'number as key': 'a10102',
    tag: 'a16161c001',
    undefined: 'a16161f7',
    'not a number': 'a16161f97e00',
    infinity: 'a16161f97c00',
    '2^53': 'a161611b0020000000000000',
    '-2^53 - 1': 'a161613b0020000000000000',
    'text that is not UTF-8': 'a1616161ff',
    'key with a byte order mark': 'a164efbbbf6101',
    'array longer than the message': 'a161619affffffff00',
    'bytes longer than the message': 'a161615affffffff00',
    'map longer than the message': 'bbffffffffffffffff',
    empty: '',
  };
  for (const [why, text] of Object.entries(hex)) refused(t, Buffer.from(text, 'hex'), why);
});

test('nesting and length have limits on both ways', (t) => {
  const nested = (depth: number): ControlValue => (depth === 0 ? 1 : [nested(depth - 1)]);
  const deepest = { a: nested(MAX_CONTROL_DEPTH - 1) };
  t.deepEqual(plain(decodeControl(encodeControl(deepest))), plain(deepest));
  t.throws(() => encodeControl({ a: nested(MAX_CONTROL_DEPTH) }), { message: /nesting/ });
  refused(t, encode({ a: nested(MAX_CONTROL_DEPTH) }), 'one level more');
  refused(t, Buffer.concat([Buffer.from('a16161', 'hex'), Buffer.alloc(16_000, 0x81), Buffer.of(1)]), 'very deep');
  const room = MAX_CONTROL_LENGTH - 1 - 2 - 3;
  t.is(encodeControl({ a: new Uint8Array(room) }).length, MAX_CONTROL_LENGTH);
  t.throws(() => encodeControl({ a: new Uint8Array(room + 1) }), { message: /at most/ });
  refused(t, encode({ a: new Uint8Array(room + 1) }), 'one byte too long');
});

test('values that can’t travel are refused before they do', (t) => {
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  const bad: unknown[] = [
    NaN,
    Infinity,
    2 ** 53,
    1e300,
    5n,
    () => 1,
    Symbol('x'),
    new Date(),
    new Map(),
    '\ud800',
    cyclic,
    [undefined],
  ];
  for (const value of bad) {
    const error = t.throws(() => encodeControl({ value: value as ControlValue }));
    t.true(E2eeftpError.is(error, 'E2EEFTP_INVALID_ARGUMENT'), typeof value);
  }
  t.deepEqual(plain(decodeControl(encodeControl({ a: undefined, b: 1 }))), [['b', 1]]);
});

test('a peer’s keys can’t reach a prototype', (t) => {
  const message = decodeControl(
    encode(
      new Map([
        ['__proto__', { polluted: true }],
        ['toString', 1 as unknown],
      ]),
    ),
  );
  t.is(({} as Record<string, unknown>)['polluted'], undefined);
  t.true(Object.hasOwn(message, '__proto__'));
  const reader = new ControlReader(decodeControl(encodeControl({})));
  t.throws(() => reader.text('toString'), { message: /toString/ });
});

test('typed access accepts its type only', (t) => {
  const reader = new ControlReader({ b: Buffer.of(1), t: 'x', n: 5, f: 1.5, neg: -1, y: true, z: null });
  t.deepEqual(reader.bytes('b'), Buffer.of(1));
  t.is(reader.text('t'), 'x');
  t.is(reader.count('n'), 5);
  t.is(reader.count('none'), null);
  t.is(reader.count('z'), null);
  t.is(reader.boolean('y', false), true);
  t.is(reader.boolean('none', true), true);
  t.is(reader.time('neg'), -1);
  t.is(reader.choice('none', ['a', 'b']), 'a');
  t.is(reader.choice('t', ['a', 'x']), 'x');
  const bad: (() => unknown)[] = [
    () => reader.bytes('t'),
    () => reader.bytes('none'),
    () => reader.text('b'),
    () => reader.count('f'),
    () => reader.count('neg'),
    () => reader.count('n', 4),
    () => reader.boolean('n', true),
    () => reader.time('t'),
    () => reader.choice('t', ['a']),
  ];
  for (const each of bad) t.true(E2eeftpError.is(t.throws(each), 'E2EEFTP_BAD_REQUEST'));
});

test('a request has a rising id and a verb; the rest are its arguments', (t) => {
  const request = decodeRequest(encodeControl({ id: 7, verb: 'send', path: Buffer.of(47), size: 3 }), 6);
  t.is(request.id, 7);
  t.is(request.verb, 'SEND');
  t.deepEqual(Object.keys(request.args).toSorted(), ['path', 'size']);
  const failing = (message: Record<string, ControlValue>, lastId: number): number => {
    const error = t.throws(() => decodeRequest(encodeControl(message), lastId), { instanceOf: MalformedRequest });
    return error?.id ?? -1;
  };
  t.is(failing({ id: 6, verb: 'X' }, 6), 0);
  t.is(failing({ id: 0, verb: 'X' }, 0), 0);
  t.is(failing({ id: 2 ** 32, verb: 'X' }, 0), 0);
  t.is(failing({ id: 1.5, verb: 'X' }, 0), 0);
  t.is(failing({ verb: 'X' }, 0), 0);
  t.is(failing({ id: 3 }, 0), 3);
  t.is(failing({ id: 3, verb: 5 }, 0), 3);
});
