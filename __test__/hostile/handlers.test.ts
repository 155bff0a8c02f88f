/** Commands that fail and requests that are none: one clear reply each, the session and the server go on. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { decode, encode } from 'cborg';
import fc from 'fast-check';
import { type Client, connect, type ControlValue, E2eeftpError, Identity } from '../../dist/index.js';
import { connectNative, type NativeSession } from '../../dist/native.js';
import type { Sandbox } from '../cli/run.js';
import { leftovers, sandbox, until } from './world.js';

interface Site {
  box: Sandbox;
  child: ChildProcess;
  port: number;
  fingerprint: string;
  /** Endings of the commands `BAD_…`. */
  bad: string[];
  identity: Identity;
  log(): string;
}

async function site(t: ExecutionContext): Promise<Site> {
  const box = sandbox(t);
  const script = fileURLToPath(new URL('./handler-server.js', import.meta.url));
  const child = fork(script, [box.path('data'), box.path('files')], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  t.teardown(() => child.kill('SIGKILL'));
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const [ready] = (await once(child, 'message')) as [{ port: number; fingerprint: string; bad: string[] }];
  return { box, child, ...ready, identity: Identity.generate(), log: () => log };
}

async function open(t: ExecutionContext, { port, fingerprint, identity }: Site): Promise<Client> {
  const client = await connect({ host: '127.0.0.1', port, serverKey: fingerprint, identity });
  t.teardown(() => client.close());
  return client;
}

/** A session whose messages are made by hand, after the server's first one. */
async function rawSession({ port, identity }: Site): Promise<NativeSession> {
  const connecting = await connectNative({ host: '127.0.0.1', port });
  const session = await identity.withKey((key) => connecting.authenticate(key));
  await session.nextControl(5000);
  return session;
}

async function failure(work: Promise<unknown>): Promise<E2eeftpError> {
  try {
    await work;
  } catch (error) {
    if (E2eeftpError.is(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** The process lives, and serves the next client. */
async function assertLives(t: ExecutionContext, where: Site): Promise<void> {
  const client = await open(t, where);
  const content = Buffer.alloc(300_000, 9);
  await client.call('SEND', { path: Buffer.from('probe') }, { body: content });
  t.true((await client.call('GET', { path: Buffer.from('probe') })).body?.equals(content));
  await client.delete('probe');
  await client.close();
  t.is(where.child.exitCode, null);
  t.notRegex(where.log(), /UNHANDLED/);
  t.deepEqual(leftovers(where.box.path('files')), []);
}

test('a handler that throws: 500 with a reference that is in the log, and no detail for the client', async (t) => {
  const where = await site(t);
  const client = await open(t, where);
  const references = new Set<string>();
  for (const verb of ['THROWS', 'REJECTS', 'THROWS_NOTHING', 'THROWS_STRANGE', 'BREAKS_IN_BODY', 'ASKS_TWICE']) {
    const error = await failure(client.call(verb, {}, { body: Buffer.alloc(2_000_000, 1) }));
    t.is(error.status, verb === 'ASKS_TWICE' ? error.status : 500, verb);
    if (error.status === 500) {
      t.is(error.code, 'E2EEFTP_SERVER_ERROR', verb);
      t.regex(error.reference ?? '', /^[0-9a-f]{12}$/, verb);
      references.add(error.reference ?? '');
      await until(() => where.log().includes(error.reference ?? '?'), `the log of ${verb}`);
    }
    t.notRegex(`${error.message} ${error.hint}`, /secret|\bat \//, verb);
    t.deepEqual((await client.call('STAT', { path: Buffer.from('/') })).status, 200, `the session after ${verb}`);
  }
  t.true(references.size >= 5, 'every failure has its own');
  t.regex(where.log(), /secret detail of the server/);
  await assertLives(t, where);
});

test('a handler that fails while it answers, or leaves its body: the session stays in step', async (t) => {
  const where = await site(t);
  const client = await open(t, where);
  for (let turn = 0; turn < 10; turn += 1) {
    const broken = await failure(client.call('BREAKS_IN_REPLY'));
    t.is(broken.status, 500);
    t.regex(broken.reference ?? '', /^[0-9a-f]{12}$/);
    const left = await client.call('IGNORES_BODY', {}, { body: Buffer.alloc(3_000_000) });
    t.is(left.fields['first'], true);
    t.is((await client.call('IGNORES_BODY')).fields['first'], false);
  }
  await assertLives(t, where);
});

test('a handler that throws when its client has gone is heard of in the log', async (t) => {
  const where = await site(t);
  const session = await rawSession(where);
  await session.sendControl(encode({ id: 1, verb: 'THROWS_LATE' }));
  session.destroy();
  await until(() => where.log().includes('nobody is left to hear this'), 'the log');
  await assertLives(t, where);
});

test('what a handler may not return: 500', async (t) => {
  const where = await site(t);
  const client = await open(t, where);
  t.true(where.bad.length > 10);
  for (const name of where.bad) {
    const error = await failure(client.call(`BAD_${name}`));
    t.is(error.status, 500, name);
    t.is(error.code, 'E2EEFTP_SERVER_ERROR', name);
    await until(() => where.log().includes(error.reference ?? '?'), `the log of ${name}`);
    t.is((await client.commands()).length > 10, true, `the session after ${name}`);
  }
  await assertLives(t, where);
});

test('an unknown verb is 400, one without a handler 501', async (t) => {
  const where = await site(t);
  const client = await open(t, where);
  for (const verb of [
    'NOPE',
    '',
    ' ',
    'GET ',
    'constructor',
    '__proto__',
    'toString',
    '\0',
    'x'.repeat(5000),
    '🦀',
    'SEND\n',
  ]) {
    const error = await failure(client.call(verb));
    t.is(error.status, 400, verb);
    t.is(error.code, 'E2EEFTP_UNKNOWN_COMMAND', verb);
    t.is(error.message, 'Invalid Command', verb);
  }
  const missing = await failure(client.call('NO_HANDLER'));
  t.is(missing.status, 501);
  t.is(missing.code, 'E2EEFTP_NOT_IMPLEMENTED');
  // Verbs are not case-sensitive, and nothing else is like that.
  t.is((await client.call('hlist')).status, 200);
  await assertLives(t, where);
});

const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .filter((value) => !Number.isInteger(value) || Number.isSafeInteger(value)),
  fc.maxSafeInteger(),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.uint8Array({ maxLength: 30 }),
);
const anything: fc.Arbitrary<ControlValue> = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 4 }),
  fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 5 }), scalar, { maxKeys: 4 }),
);

/** For each argument of a built-in command: which values it takes. */
const isBytes = (value: ControlValue): boolean => value instanceof Uint8Array;
const isFlag = (value: ControlValue): boolean => value === null || typeof value === 'boolean';
const isCount = (value: ControlValue): boolean =>
  value === null || (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0));
const isMode = (value: ControlValue): boolean => isCount(value) && Number(value) <= 0o7777;
const isTime = (value: ControlValue): boolean =>
  value === null || (typeof value === 'number' && Math.abs(value) <= 8.64e15);
const isChoice = (value: ControlValue): boolean =>
  value === null || ['replace', 'refuse', 'rename'].includes(value as string);

const fields: readonly [verb: string, field: string, takes: (value: ControlValue) => boolean][] = [
  ...['SEND', 'GET', 'LIST', 'DELETE', 'STAT'].map(
    (verb) => [verb, 'path', isBytes] as [string, string, typeof isBytes],
  ),
  ['SEND', 'size', isCount],
  ['SEND', 'mtime', isTime],
  ['SEND', 'mtimeNs', (value) => isCount(value) && Number(value) <= 999_999],
  ['SEND', 'mode', isMode],
  ['SEND', 'overwrite', isChoice],
  ['SEND', 'parents', isFlag],
  ['GET', 'start', isCount],
  ['GET', 'end', isCount],
  ['LIST', 'recursive', isFlag],
  ['DELETE', 'recursive', isFlag],
];

test('arguments of the wrong type: 400, and the session lives', async (t) => {
  const where = await site(t);
  const client = await open(t, where);
  for (const [verb, field, takes] of fields) {
    await fc.assert(
      fc.asyncProperty(
        anything.filter((value) => !takes(value) && !Object.is(value, -0)),
        async (value) => {
          const error = await failure(client.call(verb, { path: Buffer.from('never'), [field]: value }));
          return error.status === 400 && error.code === 'E2EEFTP_BAD_REQUEST' && error.message.includes(field);
        },
      ),
      { numRuns: 60 },
    );
    const left = await failure(client.call(verb, field === 'path' ? {} : { [field]: null }));
    t.is(left.code, 'E2EEFTP_BAD_REQUEST', `${verb} without a path`);
  }
  t.deepEqual(where.box.list('files'), []);
  await assertLives(t, where);
});

test('any arguments at all: never a 500, and the session lives', async (t) => {
  const where = await site(t);
  const client = await open(t, where);
  const name = fc.oneof(
    fc.constantFrom(
      'path',
      'size',
      'mtime',
      'mtimeNs',
      'mode',
      'overwrite',
      'parents',
      'recursive',
      'start',
      'end',
      'from',
      'to',
    ),
    fc.string({ unit: 'grapheme', maxLength: 8 }),
  );
  const key = name.filter((text) => text !== 'id' && text !== 'verb' && text !== '__proto__');
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(
        ...(['SEND', 'GET', 'LIST', 'DELETE', 'STAT', 'HLIST', 'MKDIR', 'MOVE', 'COPY', 'HASH', 'SPACE'] as const),
      ),
      fc.dictionary(key, anything, { maxKeys: 6 }),
      fc.uint8Array({ maxLength: 12 }),
      async (verb, args, path) => {
        try {
          await client.call(verb, { path: Buffer.from(path), ...args }, { body: 'body' });
          return true;
        } catch (error) {
          if (!E2eeftpError.is(error)) throw error;
          return error.status !== undefined && error.status < 500 && client.isOpen;
        }
      },
    ),
    { numRuns: 600, examples: [['SEND', { mtime: -5e-324 }, Uint8Array.of(0x61)]] },
  );
  await client.delete('probe').catch(() => undefined);
  await assertLives(t, where);
});

interface WireReply {
  id: number;
  status: number;
  code?: string;
}

/** The reply to a message made by hand; `null` when the server ended the session. */
async function exchange(session: NativeSession, message: Uint8Array): Promise<WireReply | null> {
  await session.sendControl(message);
  const reply = await session.nextControl(5000);
  return reply === null || reply === undefined ? null : (decode(reply) as WireReply);
}

/** Members of a good request: `id: 1, verb: 'STAT', path: '/'`. */
const MEMBERS = '62696401647665726264535441546470617468412f';

/** That request with one member more, whose value is given as CBOR in hex. */
const withExtra = (value: string): Buffer => Buffer.from(`a4${MEMBERS}6178${value}`, 'hex');

test('messages that are no requests: 400 each, and the session ends in order after eight of them', async (t) => {
  const where = await site(t);
  const good = encode({ id: 1, verb: 'STAT', path: Buffer.from('/') });
  const bent: Record<string, Uint8Array> = {
    'not CBOR': Buffer.from('GET /etc/passwd'),
    'one zero': Buffer.alloc(1),
    'an array': encode([1, 2]),
    'a number': encode(5),
    'a map that ends early': good.subarray(0, -2),
    'a byte too many': Buffer.concat([good, Buffer.of(0)]),
    'two maps': Buffer.concat([good, good]),
    'a map of indefinite length': Buffer.from(`bf${MEMBERS}6178f5ff`, 'hex'),
    'a key twice': Buffer.from(`a5${MEMBERS}6178f56178f5`, 'hex'),
    'a key that is a number': Buffer.from(`a4${MEMBERS}01f5`, 'hex'),
    'a tag': withExtra('c0613a'),
    undefined: withExtra('f7'),
    'a simple value': withExtra('f0'),
    NaN: withExtra('f97e00'),
    infinity: withExtra('f97c00'),
    'a number beyond 2^53': withExtra('1b0020000000000001'),
    'a number that could be shorter': withExtra('1805'),
    'text that is not UTF-8': withExtra('62fffe'),
    'text of indefinite length': withExtra('7f6161ff'),
    'an array of 2^32 - 1': withExtra('9affffffff'),
    'a map of 2^32 - 1': withExtra('baffffffff'),
    'bytes of 2^63': withExtra('5b8000000000000000'),
    'text of 2^31 - 1': withExtra('7a7fffffff'),
    'nine arrays': withExtra('818181818181818180'),
    'a thousand arrays': withExtra(`${'81'.repeat(1000)}80`),
    'eight thousand maps': withExtra(`${'a16161'.repeat(5000)}f5`),
    '16 KiB of noise': Buffer.alloc(16_384, 0xfb),
    'no verb': encode({ id: 1 }),
    'a verb that is a number': encode({ id: 1, verb: 5 }),
    'no id': encode({ verb: 'STAT' }),
    'id 0': encode({ id: 0, verb: 'STAT' }),
    'id -1': encode({ id: -1, verb: 'STAT' }),
    'id 1.5': encode({ id: 1.5, verb: 'STAT' }),
    'id 2^32': encode({ id: 2 ** 32, verb: 'STAT' }),
    'an id of text': encode({ id: '1', verb: 'STAT' }),
  };
  const first = await rawSession(where);
  t.is((await exchange(first, withExtra('f5')))?.status, 200, 'the request is good without its fault');
  first.destroy();
  for (const [what, message] of Object.entries(bent)) {
    const session = await rawSession(where);
    const reply = await exchange(session, message);
    t.is(reply?.status, 400, what);
    t.is(reply?.code, 'E2EEFTP_BAD_REQUEST', what);
    t.is(
      (await exchange(session, encode({ id: 7, verb: 'STAT', path: Buffer.from('/') })))?.status,
      200,
      `the session after ${what}`,
    );
    // An id may not come twice.
    t.is((await exchange(session, encode({ id: 7, verb: 'STAT', path: Buffer.from('/') })))?.status, 400, what);
    session.destroy();
  }
  const session = await rawSession(where);
  for (let turn = 0; turn < 8; turn += 1) t.is((await exchange(session, Buffer.of(0)))?.status, 400);
  t.is(await session.nextControl(5000).then((message) => message ?? null), null, 'a good-bye');
  await assertLives(t, where);
});

test('noise as control messages: 400 or the end, never a crash', async (t) => {
  const where = await site(t);
  let session = await rawSession(where);
  let inARow = 0;
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (noise) => {
      const reply = await exchange(session, noise);
      inARow += 1;
      if (inARow === 8) {
        inARow = 0;
        session.destroy();
        session = await rawSession(where);
      }
      return reply?.status === 400;
    }),
    { numRuns: 300 },
  );
  session.destroy();
  await assertLives(t, where);
});

test('64 requests sent at once are answered one by one, in order', async (t) => {
  const where = await site(t);
  const session = await rawSession(where);
  for (let id = 1; id <= 64; id += 1)
    await session.sendControl(encode({ id, verb: id % 2 === 0 ? 'THROWS' : 'HLIST' }));
  for (let id = 1; id <= 64; id += 1) {
    const reply = decode((await session.nextControl(5000)) ?? Buffer.of()) as WireReply;
    t.deepEqual([reply.id, reply.status], [id, id % 2 === 0 ? 500 : 200]);
  }
  session.destroy();
  await assertLives(t, where);
});
