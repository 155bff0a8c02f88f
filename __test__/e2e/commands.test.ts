import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { E2eeftpError, Server, fullGrant } from '../../dist/index.js';
import type { CommandReply, ControlValue, RequestContext, TransferEvent } from '../../dist/index.js';
import { startPair, until } from './pair.js';

/** A body that is longer than any buffer on the way. */
async function* counting(pieces: number, length: number): AsyncGenerator<Buffer> {
  for (let index = 0; index < pieces; index += 1) yield Buffer.alloc(length, index % 256);
}

test('a custom command answers with status, text and members, and knows who asks', async (t) => {
  const { server, identity, client } = await startPair(t, { grant: { ...fullGrant, user: 'ann' } });
  server.command('WHO', {
    summary: 'Tells who asks',
    handler: ({ user, grant, peer, args, verb }) => ({
      status: 299,
      text: 'told',
      user,
      path: grant.path,
      fingerprint: peer.fingerprint,
      host: peer.host,
      verb,
      echo: args['echo'] as ControlValue,
    }),
  });
  const peer = await client();
  const echo = { list: [1, 'two', null, true, { bytes: Buffer.of(1, 2) }] };
  const reply = await peer.call('who', { echo });
  t.is(reply.status, 299);
  t.is(reply.text, 'told');
  t.is(reply.body, null);
  const { fields } = reply;
  t.deepEqual(
    [fields['user'], fields['path'], fields['fingerprint'], fields['host'], fields['verb']],
    ['ann', '/', identity.publicKey.fingerprint, '127.0.0.1', 'WHO'],
  );
  t.deepEqual(JSON.parse(JSON.stringify(fields['echo'])), JSON.parse(JSON.stringify(echo)));
});

test('a handler that returns nothing answers 200 OK', async (t) => {
  const { server, client } = await startPair(t);
  server.command('NOTHING', { summary: 'x', handler: async () => undefined });
  const { status, text } = await (await client()).call('NOTHING');
  t.deepEqual([status, text], [200, 'OK']);
});

test('unknown 400, without handler 501, throwing 500 with a reference; the session lives', async (t) => {
  const lines: object[] = [];
  const log = (fields: object): void => void lines.push(fields);
  const { server, client, errors } = await startPair(t, {
    logger: { debug: log, info: log, warn: log, error: log },
  });
  const secret = new Error('secret detail');
  server.command('LATER', { summary: 'Not written yet' });
  server.command('BROKEN', {
    summary: 'Always fails',
    handler: () => {
      throw secret;
    },
  });
  server.command('BUSY', {
    summary: 'Refuses',
    handler: async () => {
      throw new E2eeftpError('E2EEFTP_BUSY', 'try later', { status: 423 });
    },
  });
  const peer = await client();
  const failing = async (verb: string): Promise<E2eeftpError> => {
    const error = await t.throwsAsync(() => peer.call(verb));
    if (!E2eeftpError.is(error)) throw new Error(`${verb}: ${String(error)}`);
    return error;
  };
  const unknown = await failing('NO-SUCH');
  t.deepEqual([unknown.code, unknown.status, unknown.message], ['E2EEFTP_UNKNOWN_COMMAND', 400, 'Invalid Command']);
  t.is((await failing('no such verb\n')).status, 400);
  const later = await failing('LATER');
  t.deepEqual([later.code, later.status], ['E2EEFTP_NOT_IMPLEMENTED', 501]);
  const broken = await failing('BROKEN');
  t.deepEqual([broken.code, broken.status], ['E2EEFTP_SERVER_ERROR', 500]);
  t.regex(broken.reference ?? '', /^[0-9a-f]{12}$/);
  t.true(broken.message.includes(broken.reference ?? '?'));
  t.false(JSON.stringify(broken).includes('secret') || broken.message.includes('secret'));
  await until(() => errors.length > 0);
  t.deepEqual(errors, [secret]);
  t.true(
    lines.some(
      (line) => 'reference' in line && line.reference === broken.reference && 'err' in line && line.err === secret,
    ),
  );
  const busy = await failing('BUSY');
  t.deepEqual([busy.code, busy.status, busy.message], ['E2EEFTP_BUSY', 423, 'try later']);
  t.is((await peer.call('HLIST')).status, 200);
});

test('what a handler returns is checked', async (t) => {
  const { server, client, errors } = await startPair(t);
  const bad: Record<string, unknown> = {
    BIG: { blob: Buffer.alloc(17_000) },
    BIGINT: { value: 5n },
    CLASS: { value: new Date() },
    STATUS: { status: 100 },
    STATUS2: { status: 'ok' },
    TEXT: { text: 5 },
    BODY: { body: 5 },
    NUMBER: 5,
    NULL: null,
  };
  for (const [verb, value] of Object.entries(bad)) {
    server.command(verb, { summary: 'x', handler: () => value as CommandReply });
  }
  const peer = await client();
  for (const verb of Object.keys(bad)) {
    const error = await t.throwsAsync(() => peer.call(verb), undefined, verb);
    t.true(E2eeftpError.is(error, 'E2EEFTP_SERVER_ERROR') && error.status === 500, `${verb}: ${String(error)}`);
  }
  t.is((await peer.call('HLIST')).status, 200);
  t.is(errors.length, Object.keys(bad).length);
});

test('a handler’s own refusal reaches the client as an error with its status', async (t) => {
  const { server, client } = await startPair(t);
  server.command('TEAPOT', { summary: 'x', handler: () => ({ status: 418, text: 'short and stout' }) });
  const error = await t.throwsAsync(async () => (await client()).call('TEAPOT'));
  t.true(E2eeftpError.is(error, 'E2EEFTP_BAD_REQUEST') && error.status === 418 && error.message === 'short and stout');
});

test('bodies stream both ways, in one request too', async (t) => {
  const { server, client } = await startPair(t);
  server.command('SUM', {
    summary: 'Adds up the bytes of the body',
    handler: async (context) => {
      let [sum, length] = [0, 0];
      for await (const piece of context.body()) {
        length += piece.length;
        for (const byte of piece) sum += byte;
      }
      return { sum, length };
    },
  });
  server.command('MAKE', {
    summary: 'x',
    handler: ({ input }) => ({ body: counting(input.count('n') ?? 0, 100_000) }),
  });
  server.command('UPPER', {
    summary: 'x',
    handler: async (context) => {
      const parts: Buffer[] = [];
      for await (const piece of context.body()) parts.push(piece);
      return { body: [Buffer.concat(parts).toString().toUpperCase()], done: true };
    },
  });
  const peer = await client();
  const { fields } = await peer.call('SUM', {}, { body: counting(40, 100_000) });
  t.deepEqual([fields['length'], fields['sum']], [4_000_000, 780 * 100_000]);
  t.is((await peer.call('SUM', {}, { body: 'abc' })).fields['sum'], 294);
  t.is((await peer.call('SUM')).fields['length'], 0, 'no body is an empty one');
  t.is((await peer.call('MAKE', { n: 25 })).body?.length, 2_500_000);
  t.deepEqual((await peer.call('MAKE', { n: 0 })).body, Buffer.alloc(0));
  const upper = await peer.call('UPPER', {}, { body: Readable.from(['hello ', 'world']) });
  t.is(upper.body?.toString(), 'HELLO WORLD');
  t.is(upper.fields['done'], true);
  let received = 0;
  const output = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _encoding, callback) {
      received += chunk.length;
      setImmediate(callback);
    },
  });
  t.is((await peer.call('MAKE', { n: 20 }, { output })).body, null);
  t.is(received, 2_000_000);
  t.false(output.writableEnded);
});

test('either side may leave a body early, and the session is in step', async (t) => {
  const { server, client } = await startPair(t);
  server.command('FIRST', {
    summary: 'Reads one piece only',
    handler: async (context) => {
      for await (const piece of context.body()) return { length: piece.length };
      return { length: 0 };
    },
  });
  server.command('IGNORE', {
    summary: 'Begins a body and forgets it',
    handler: async (context) => {
      const iterator = context.body()[Symbol.asyncIterator]();
      await iterator.next();
      return { text: 'forgotten' };
    },
  });
  server.command('TWICE', {
    summary: 'x',
    handler: async (context) => {
      for await (const piece of context.body()) void piece;
      for await (const piece of context.body()) void piece;
    },
  });
  server.command('MAKE', { summary: 'x', handler: () => ({ body: counting(300, 100_000) }) });
  server.command('FAIL', {
    summary: 'Fails in its body',
    handler: () => ({
      body: (async function* () {
        yield Buffer.alloc(1000);
        throw new Error('in the body');
      })(),
    }),
  });
  const peer = await client();
  const big = (): AsyncGenerator<Buffer> => counting(300, 100_000);
  t.true(Number((await peer.call('FIRST', {}, { body: big() })).fields['length']) > 0);
  t.is((await peer.call('IGNORE', {}, { body: big() })).text, 'forgotten');
  t.is((await t.throwsAsync<E2eeftpError>(() => peer.call('TWICE', {}, { body: 'x' })))?.status, 500);
  const tooLong = await t.throwsAsync(() => peer.call('MAKE', {}, { maxBodyLength: 150_000 }));
  t.true(E2eeftpError.is(tooLong, 'E2EEFTP_TOO_LARGE'));
  const failed = await t.throwsAsync(() => peer.call('FAIL'));
  t.true(E2eeftpError.is(failed, 'E2EEFTP_SERVER_ERROR'), String(failed));
  const own = new Error('of the caller');
  const thrown = await t.throwsAsync(() =>
    peer.call(
      'FIRST',
      {},
      {
        body: (async function* () {
          yield Buffer.alloc(10);
          throw own;
        })(),
      },
    ),
  );
  t.true(thrown === own || E2eeftpError.is(thrown), String(thrown));
  const broken = new Writable({ write: (_chunk, _encoding, callback) => callback(new Error('disk full')) });
  broken.on('error', () => undefined);
  t.is((await t.throwsAsync(() => peer.call('MAKE', {}, { output: broken })))?.message, 'disk full');
  t.is((await peer.call('HLIST')).status, 200);
});

test('HLIST shows what this client may use, with a line each', async (t) => {
  const { server, client } = await startPair(t, { grant: { list: true } });
  server.command('MINE', { summary: 'Of the application', handler: () => ({}) });
  server.command('WRITES', { summary: 'x', permission: 'write', handler: () => ({}) });
  server.command('LATER', { summary: 'x' });
  const peer = await client();
  const commands = await peer.commands();
  t.deepEqual(
    commands.map(({ verb }) => verb),
    ['LIST', 'HLIST', 'STAT', 'SPACE', 'RECEIPT', 'MINE'],
  );
  t.is(commands.at(-1)?.summary, 'Of the application');
  const refused = await t.throwsAsync(() => peer.call('WRITES'));
  t.true(E2eeftpError.is(refused, 'E2EEFTP_NOT_PERMITTED') && refused.status === 403);
});

test('HLIST fits its message however many commands there are', async (t) => {
  const { server, client } = await startPair(t);
  for (let index = 0; index < 200; index += 1) {
    server.command(`C${'X'.repeat(27)}${index}`, { summary: 'y'.repeat(120), handler: () => ({}) });
  }
  t.is((await (await client()).commands()).length, 215);
});

test('a handler that reads the request’s body while it sends the reply’s gets an error, and the session lives', async (t) => {
  const { server, client, errors } = await startPair(t);
  server.command('ECHO', { summary: 'x', handler: (context) => ({ body: context.body() }) });
  const peer = await client();
  const error = await t.throwsAsync(() => peer.call('ECHO', {}, { body: Buffer.alloc(600_000) }));
  t.true(E2eeftpError.is(error, 'E2EEFTP_SERVER_ERROR'), String(error));
  t.is((await peer.call('HLIST')).status, 200);
  t.true(E2eeftpError.is(errors[0], 'E2EEFTP_INVALID_ARGUMENT'));
});

test('a subclass overrides a command; registering replaces it', async (t) => {
  class Greeting extends Server {
    override async handleList(context: RequestContext): Promise<CommandReply> {
      const reply = await super.handleList(context);
      return { ...reply, text: 'listed by a subclass' };
    }
    override async handleStat(): Promise<CommandReply> {
      throw new E2eeftpError('E2EEFTP_NOT_PERMITTED', 'no stat here');
    }
  }
  const { server, client, root } = await startPair(t, { make: (options) => new Greeting(options) });
  await writeFile(join(root, 'f'), '');
  const peer = await client();
  t.is((await peer.call('LIST', { path: Buffer.from('/') })).text, 'listed by a subclass');
  t.is((await t.throwsAsync(() => peer.stat('/f')))?.message, 'no stat here');
  server.command('LIST', { summary: 'Replaced', handler: () => ({ text: 'replaced' }) });
  t.is((await peer.call('LIST')).text, 'replaced');
});

test('requests run in order, one after the other', async (t) => {
  const { server, client } = await startPair(t);
  let running = 0;
  server.command('SLOW', {
    summary: 'x',
    handler: async ({ input }) => {
      running += 1;
      const together = running;
      await delay(5);
      running -= 1;
      return { n: input.count('n') ?? -1, together };
    },
  });
  const peer = await client();
  const replies = await Promise.all(Array.from({ length: 20 }, (_, n) => peer.call('SLOW', { n })));
  t.deepEqual(
    replies.map(({ fields }) => fields['n']),
    replies.map((_, n) => n),
  );
  t.true(replies.every(({ fields }) => fields['together'] === 1));
});

test('transfer events tell who moved what', async (t) => {
  const { server, client, local, identity } = await startPair(t);
  const events: TransferEvent[] = [];
  server.on('transfer', (event) => events.push(event));
  const peer = await client();
  await writeFile(join(local, 'f'), 'x');
  const { root } = await peer.send(join(local, 'f'), '/a b');
  await peer.get('/a b', join(local, 'g'));
  const { fingerprint } = identity.publicKey;
  await until(() => events.length === 2);
  t.deepEqual(
    events.map(({ seconds: _, ...event }) => event),
    ['SEND', 'GET'].map((verb) => ({
      verb,
      user: fingerprint,
      fingerprint,
      host: '127.0.0.1',
      path: '/a b',
      bytes: 1,
      root,
    })),
  );
});

test('a listener that throws harms nobody', async (t) => {
  const { server, client, errors, local } = await startPair(t);
  server.on('session', () => {
    throw new Error('session listener');
  });
  server.on('transfer', () => {
    throw new Error('transfer listener');
  });
  await writeFile(join(local, 'f'), 'x');
  await (await client()).send(join(local, 'f'), '/f');
  await until(() => errors.length === 2);
  t.deepEqual(errors.map(String), ['Error: session listener', 'Error: transfer listener']);
});

test('arguments that can’t travel are refused and leave the session alone', async (t) => {
  const { client } = await startPair(t);
  const peer = await client();
  const bad: Record<string, unknown>[] = [
    { id: 5 },
    { verb: 'X' },
    { a: 5n },
    { a: Buffer.alloc(20_000) },
    { a: () => 1 },
  ];
  for (const args of bad) {
    const error = await t.throwsAsync(() => peer.call('HLIST', args as Record<string, ControlValue>));
    t.true(E2eeftpError.is(error, 'E2EEFTP_INVALID_ARGUMENT'));
  }
  t.is((await peer.call('HLIST')).status, 200);
});
