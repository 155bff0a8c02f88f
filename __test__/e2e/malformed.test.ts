import test from 'ava';
import { encode } from 'cborg';
import fc from 'fast-check';
import { decodeControl, encodeControl } from '../../dist/e2eeftp/control-codec.js';
import { connectNative } from '../../dist/native.js';
import type { NativeSession } from '../../dist/native.js';
import { startPair } from './pair.js';
import type { Pair } from './pair.js';

/** Logs in without a client, to say things that a client would not say. */
async function raw({ server, identity }: Pair): Promise<NativeSession> {
  const [address] = server.addresses;
  if (address === undefined) throw new Error('no address');
  const connecting = await connectNative(address);
  const session = await identity.withKey((key) => connecting.authenticate(key));
  const ready = await session.nextControl(5_000);
  if (ready === null || ready === undefined) throw new Error('not let in');
  return session;
}

async function reply(session: NativeSession): Promise<Record<string, unknown>> {
  const message = await session.nextControl(5_000);
  if (message === null || message === undefined) return { closed: true };
  return { ...decodeControl(message) };
}

test('the first message says what the server is', async (t) => {
  const { server, identity } = await startPair(t);
  const connecting = await connectNative(server.addresses[0] as { host: string; port: number });
  t.is(connecting.serverKey.fingerprint, server.fingerprint);
  const session = await identity.withKey((key) => connecting.authenticate(key));
  const ready = await session.nextControl(5_000);
  t.deepEqual(
    { ...decodeControl(ready as Buffer) },
    { id: 0, status: 200, text: 'ready', software: 'e2eeftp/0.1.0', protocol: 1 },
  );
  session.destroy();
});

test('what is no request is answered with 400, and eight in a row end the session', async (t) => {
  const pair = await startPair(t);
  const session = await raw(pair);
  const bad = [
    Buffer.from('GET|x\n'),
    Buffer.from(encode([1])),
    Buffer.from(encode({ id: 1 })),
    Buffer.from(encode({ verb: 'HLIST' })),
    Buffer.from(encode({ id: 'x', verb: 'HLIST' })),
    encodeControl({ id: 0, verb: 'HLIST' }),
    encodeControl({ id: 5, verb: 7 }),
  ];
  for (const message of bad) {
    await session.sendControl(message);
    const answer = await reply(session);
    t.is(answer['status'], 400);
    t.is(answer['code'], 'E2EEFTP_BAD_REQUEST');
    t.regex(String(answer['text']), /^Malformed request/);
  }
  await session.sendControl(encodeControl({ id: 6, verb: 'HLIST' }));
  t.is((await reply(session))['status'], 200, 'a good one starts the count anew');
  for (let index = 0; index < 8; index += 1) {
    await session.sendControl(Buffer.from('x'));
    t.is((await reply(session))['status'], 400);
  }
  t.deepEqual(await reply(session), { closed: true });
  session.destroy();
  t.deepEqual(pair.errors, []);
});

test('arguments of the wrong type are answered with 400 for every command', async (t) => {
  const pair = await startPair(t);
  const session = await raw(pair);
  let id = 0;
  const requests: Record<string, unknown>[] = ['SEND', 'GET', 'LIST', 'DELETE', 'STAT'].flatMap((verb) => [
    { verb },
    { verb, path: 'text' },
    { verb, path: 5 },
    { verb, path: null },
  ]);
  requests.push(
    { verb: 'SEND', path: Buffer.from('/x'), size: -1 },
    { verb: 'SEND', path: Buffer.from('/x'), size: 1.5 },
    { verb: 'SEND', path: Buffer.from('/x'), mode: 0o10000 },
    { verb: 'SEND', path: Buffer.from('/x'), mtime: 'now' },
    { verb: 'SEND', path: Buffer.from('/x'), overwrite: 'perhaps' },
    { verb: 'SEND', path: Buffer.from('/x'), parents: 1 },
    { verb: 'SEND', path: Buffer.from('/x'), mtime: 1, mtimeNs: 1_000_000 },
    { verb: 'SEND', path: Buffer.from('/x'), mtime: 1.5, mtimeNs: 1 },
    { verb: 'GET', path: Buffer.from('/x'), start: -1 },
    { verb: 'GET', path: Buffer.from('/x'), start: 1.5 },
    { verb: 'GET', path: Buffer.from('/x'), start: 'first' },
    { verb: 'GET', path: Buffer.from('/x'), end: 2 ** 53 },
    { verb: 'GET', path: Buffer.from('/x'), start: 2, end: 1 },
    { verb: 'LIST', path: Buffer.from('/x'), recursive: 1 },
    { verb: 'DELETE', path: Buffer.from('/x'), recursive: 'yes' },
  );
  for (const request of requests) {
    id += 1;
    await session.sendControl(Buffer.from(encode({ ...request, id })));
    const answer = await reply(session);
    t.deepEqual(
      [answer['id'], answer['status'], answer['code']],
      [id, 400, 'E2EEFTP_BAD_REQUEST'],
      JSON.stringify(request),
    );
  }
  t.deepEqual(pair.errors, []);
  session.destroy();
});

test('requests may be sent ahead; each is answered, in order', async (t) => {
  const session = await raw(await startPair(t));
  for (let id = 1; id <= 64; id += 1) await session.sendControl(encodeControl({ id, verb: 'HLIST' }));
  for (let id = 1; id <= 64; id += 1) t.is((await reply(session))['id'], id);
  session.destroy();
});

test('random messages never harm the server', async (t) => {
  const pair = await startPair(t);
  const verbs = fc.constantFrom('SEND', 'GET', 'LIST', 'DELETE', 'HLIST', 'STAT', 'X');
  const value = fc.oneof(
    fc.constant(null),
    fc.integer(),
    fc.string(),
    fc.boolean(),
    fc.uint8Array({ maxLength: 30 }),
    fc.array(fc.integer(), { maxLength: 3 }),
  );
  const times = ['mtime', 'mtimeNs'];
  const names = fc.constantFrom('path', 'size', ...times, 'mode', 'overwrite', 'parents', 'recursive', 'start', 'end');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(verbs, fc.dictionary(names, value)), { minLength: 1, maxLength: 6 }),
      async (requests) => {
        const session = await raw(pair);
        try {
          for (const [index, [verb, args]] of requests.entries()) {
            await session.sendControl(Buffer.from(encode({ ...args, id: index + 1, verb })));
            const { status } = await reply(session);
            if (typeof status !== 'number') throw new Error('no status');
            // A body is due in one direction: this peer goes away instead.
            if (status < 200) break;
          }
        } finally {
          session.destroy();
        }
      },
    ),
    { numRuns: 60 },
  );
  t.deepEqual(pair.errors, []);
  t.is((await (await pair.client()).call('HLIST')).status, 200);
});
