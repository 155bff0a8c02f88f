import test from 'ava';
import fc from 'fast-check';
import { decodeReply, replyError } from '../../dist/e2eeftp/client/reply.js';
import { encodeControl } from '../../dist/e2eeftp/control-codec.js';
import { E2eeftpError, errorTable } from '../../dist/errors.js';
import { repeated } from '../property-runs.js';

const member = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Number.isInteger(n)),
  fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !/\p{Cs}/u.test(text)),
  fc.uint8Array({ maxLength: 8 }),
);
const message = fc.record(
  {
    id: fc.oneof(fc.nat(), fc.maxSafeInteger(), member),
    status: fc.oneof(fc.integer({ min: 90, max: 610 }), member),
    text: member,
    code: fc.oneof(fc.constantFrom(...Object.keys(errorTable)), member),
    reference: member,
    body: member,
  },
  { requiredKeys: [] },
);

/** Decodes a reply of a server that may say anything; nothing but a reply or one error comes out. */
function checkReply(t: import('ava').ExecutionContext, bytes: Uint8Array): void {
  let reply;
  try {
    reply = decodeReply(bytes);
  } catch (error) {
    t.true(E2eeftpError.is(error, 'E2EEFTP_PROTOCOL'), String(error));
    return;
  }
  t.true(Number.isSafeInteger(reply.id) && reply.id >= 0 && reply.id < 2 ** 32);
  t.true(Number.isInteger(reply.status) && reply.status >= 100 && reply.status < 600);
  // oxlint-disable-next-line no-control-regex
  t.notRegex(reply.text, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/u);
  const error = replyError(reply);
  t.is(error === null, reply.status < 400);
  if (error === null) return;
  const { status } = errorTable[error.code];
  t.true(status !== null || error.code.startsWith('E2EEFTP_PEER_'), `${error.code} can only happen here`);
}

test('a server may say anything: a reply or E2EEFTP_PROTOCOL comes out', (t) => {
  fc.assert(
    fc.property(message, (reply) => checkReply(t, encodeControl(reply))),
    { numRuns: repeated(1000) },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => checkReply(t, bytes)),
    { numRuns: repeated(1000) },
  );
});

test('a reply with any byte changed is a reply or E2EEFTP_PROTOCOL', (t) => {
  const valid = encodeControl({ id: 7, status: 500, text: 'no', code: 'E2EEFTP_INTERNAL', reference: 'abc' });
  fc.assert(
    fc.property(fc.nat(valid.length - 1), fc.nat(255), (at, byte) => {
      const changed = Buffer.from(valid);
      changed[at] = byte;
      checkReply(t, changed);
    }),
    { numRuns: repeated(1000) },
  );
  for (let length = 0; length < valid.length; length += 1) {
    t.throws(() => decodeReply(valid.subarray(0, length)), { code: 'E2EEFTP_PROTOCOL' });
  }
});

test('a server is not believed when it names a fault of this side', (t) => {
  for (const code of Object.keys(errorTable) as (keyof typeof errorTable)[]) {
    const travels = errorTable[code].status !== null || code.startsWith('E2EEFTP_PEER_');
    const error = replyError(decodeReply(encodeControl({ id: 1, status: 404, text: '', code })));
    t.is(error?.code, travels ? code : 'E2EEFTP_NOT_FOUND', code);
  }
});
