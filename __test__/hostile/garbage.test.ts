/** Connections that are not of a client: each ends soon, tells nothing, and the next client is served. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import test from 'ava';
import { connect } from '../../dist/index.js';
import { Proxy } from './proxy.js';
import { RawConnection, REFUSAL } from './raw-connection.js';
import { assertClean, assertError, assertServes, clientOptions, Dice, logged, ready, through } from './world.js';

/** The server gives a hello 10 s; a second for turning away; the rest for a busy machine. */
const DEADLINE_MS = 10_000;
const PATIENCE_MS = 20_000;
/** A login may take 45 s more: a person may have to touch a security key. */
const LOGIN_MS = 45_000;

const header = (kind: number, length: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt8(kind);
  bytes.writeUIntBE(length, 1, 3);
  return bytes;
};

/** What the first four bytes give away: the end comes at once. */
const atOnce: Record<string, Buffer> = {
  'an HTTP request': Buffer.from('GET / HTTP/1.1\r\nHost: files.example.org\r\n\r\n'),
  'an SSH banner': Buffer.from('SSH-2.0-OpenSSH_9.9\r\n'),
  'a TLS ClientHello': Buffer.concat([Buffer.from('16030100f8010000f40303', 'hex'), randomBytes(242)]),
  'an FTP command': Buffer.from('USER anonymous\r\n'),
  'a PROXY header': Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n'),
  'an unknown kind': Buffer.concat([header(0x54, 100), randomBytes(100)]),
  'a protected record first': Buffer.concat([header(0x52, 1044), randomBytes(1044)]),
  'a refusal of the client': REFUSAL,
  'a hello of no length': header(0x51, 0),
  'a hello of 4097 bytes': header(0x51, 4097),
  'a hello of 16 MiB': header(0x51, 0xffffff),
  'a protected record of 16 MiB': header(0x52, 0xffffff),
  'a hello of zeros': Buffer.concat([header(0x51, 1536), Buffer.alloc(1536)]),
  'a hello of noise': Buffer.concat([header(0x51, 1536), randomBytes(1536)]),
  'a hello of one byte': Buffer.concat([header(0x51, 1), Buffer.of(1)]),
  'a hello that is too short': Buffer.concat([header(0x51, 1535), Buffer.of(1, 1), Buffer.alloc(1533)]),
  'a hello that is too long': Buffer.concat([header(0x51, 1537), Buffer.of(1, 1), Buffer.alloc(1535)]),
  'a megabyte of zeros': Buffer.alloc(1 << 20),
};

test('what is no hello is turned away at once, with the one refusal or nothing', async (t) => {
  const { box, server } = await ready(t);
  for (const [what, bytes] of Object.entries(atOnce)) {
    const raw = await RawConnection.open(server.port);
    raw.send(bytes);
    const { said, milliseconds } = await raw.ended;
    raw.close();
    t.true(said.length === 0 || said.equals(REFUSAL), `${what}: ${said.toString('hex')}`);
    t.true(milliseconds < DEADLINE_MS, `${what}: ${milliseconds} ms`);
  }
  await assertServes(t, box, server);
  await assertClean(t, box);
});

test('noise of any length and shape', async (t) => {
  const { box, server } = await ready(t);
  const dice = new Dice();
  t.log(`seed ${dice.seed}`);
  const endings = await Promise.all(
    Array.from({ length: 120 }, async () => {
      const raw = await RawConnection.open(server.port);
      const noise = randomBytes(1 + dice.below(3000));
      // Half of it begins like a record, so that it gets past the first look.
      if (dice.below(2) === 0) header(dice.below(2) + 0x51, noise.length - 4 < 1 ? 1 : noise.length - 4).copy(noise);
      raw.send(noise);
      raw.socket.end();
      return raw.ended;
    }),
  );
  for (const { said } of endings) t.true(said.length === 0 || said.equals(REFUSAL), said.toString('hex'));
  t.is(logged(server, /session opened/).length, 0);
  await assertServes(t, box, server);
});

test('silence, one byte a second, half a hello, a hello without a login: over after the deadline', async (t) => {
  const { box, server } = await ready(t);
  const proxy = await Proxy.start(t, server.port);
  await (await connect({ reconnectMs: 0, ...clientOptions(box, server), port: proxy.port })).close();
  const hello = proxy.link.toServer.bytes.subarray(0, 1540);
  const patient: Record<string, (raw: RawConnection) => void> = {
    silence: () => undefined,
    'one byte a second': (raw) => {
      let at = 0;
      const timer = setInterval(() => {
        if (raw.socket.writable) raw.send(hello.subarray(at, at + 1));
        at += 1;
      }, 1000);
      void raw.ended.then(() => clearInterval(timer));
    },
    'a header and no more': (raw) => raw.send(hello.subarray(0, 4)),
    'a hello without its last byte': (raw) => raw.send(hello.subarray(0, -1)),
    'a hello and no login': (raw) => raw.send(hello),
    'a hello and half a login': (raw) => raw.send(Buffer.concat([hello, header(0x52, 1044), Buffer.alloc(500)])),
  };
  const waits = Object.entries(patient).map(async ([what, act]) => {
    const raw = await RawConnection.open(server.port);
    act(raw);
    return { what, ...(await raw.ended) };
  });
  // Others are served meanwhile.
  await assertServes(t, box, server);
  for (const { what, said, milliseconds } of await Promise.all(waits)) {
    const limit = what.includes('login') ? PATIENCE_MS + LOGIN_MS : PATIENCE_MS;
    t.true(milliseconds < limit, `${what}: ${milliseconds} ms`);
    t.true(said.length === 0 || said.subarray(-REFUSAL.length).equals(REFUSAL), what);
  }
  await assertServes(t, box, server);
});

test('more half-open connections than there are places: a client is told, and served when they are gone', async (t) => {
  const { box, server } = await ready(t);
  const held = await Promise.all(Array.from({ length: 256 }, () => RawConnection.open(server.port)));
  const late = await RawConnection.open(server.port);
  const { said } = await late.ended;
  t.is(said.toString('hex'), '5300000400000002');
  assertError(t, await box.run(['ls', '127.0.0.1:', ...server.at]), 3, 'RATE_LIMITED');
  for (const raw of held) raw.close();
  await assertServes(t, box, server);
});

test('a record with a length that is not allowed, or in clear, inside a session ends it', async (t) => {
  const { box, server } = await ready(t);
  const injected: Record<string, Buffer> = {
    'one byte too long': header(0x52, 266_265),
    '16 MiB': header(0x52, 0xffffff),
    'one byte too short': Buffer.concat([header(0x52, 23), randomBytes(23)]),
    empty: header(0x52, 0),
    'a hello': Buffer.concat([header(0x51, 1536), randomBytes(1536)]),
    'a refusal': REFUSAL,
    noise: Buffer.concat([header(0x52, 4096), randomBytes(4096)]),
    text: Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  };
  const proxy = await Proxy.start(t, server.port);
  for (const lane of ['toServer', 'toClient'] as const) {
    for (const [what, bytes] of Object.entries(injected)) {
      const client = await connect({ reconnectMs: 0, ...clientOptions(box, server), port: proxy.port });
      box.write('files/kept', 'kept');
      proxy.links.at(-1)?.[lane].inject(bytes);
      const error = await t.throwsAsync(client.delete('kept'), undefined, `${lane}: ${what}`);
      const { code } = error as unknown as { code: string };
      t.true(
        ['E2EEFTP_CONNECTION_LOST', 'E2EEFTP_PROTOCOL', 'E2EEFTP_INTEGRITY'].includes(code),
        `${lane}: ${what}: ${code}`,
      );
      await client.close();
      if (lane === 'toServer') t.is(box.read('files/kept'), 'kept', what);
    }
  }
  await assertServes(t, box, server);
});

test('a server that is none: a clear error in time, whatever it says', async (t) => {
  const { box, server } = await ready(t);
  const lies: Record<string, Buffer> = {
    'an SSH banner': Buffer.from('SSH-2.0-OpenSSH_9.9\r\n'),
    'an HTTP answer': Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    'a huge hello': header(0x51, 0xffffff),
    'a hello of zeros': Buffer.concat([header(0x51, 1216), Buffer.alloc(1216)]),
    'a refusal of an unknown kind': Buffer.from('530000040000002a', 'hex'),
    nothing: Buffer.of(),
  };
  for (const [what, bytes] of Object.entries(lies)) {
    const liar = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(bytes));
    }).listen(0, '127.0.0.1');
    await once(liar, 'listening');
    const { port } = liar.address() as AddressInfo;
    const result = await box.run(['ls', '127.0.0.1:', ...through(port, server)]);
    liar.close();
    t.true(result.code === 3 || result.code === 4, `${what}: ${result.code} ${result.stderr}`);
    t.regex(result.stderr, /^error\[E2EEFTP_(PROTOCOL|CONNECTION_LOST|AUTH_REFUSED)\]: /, what);
  }
});
