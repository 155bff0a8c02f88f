/**
 * What was recorded on the path is worth nothing: neither played again, nor to another connection, nor sent back to
 * where it came from, nor mixed from two recordings.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { connect } from '../../dist/index.js';
import type { Sandbox } from '../cli/run.js';
import { Proxy, records } from './proxy.js';
import { RawConnection, REFUSAL } from './raw-connection.js';
import {
  assertClean,
  assertError,
  assertServes,
  clientOptions,
  logged,
  ready,
  type RunningServer,
  through,
  until,
} from './world.js';

/** M3 and M4 of `docs/PROTOCOL.md`, with headers: what a server answers to any well-formed hello. */
const SERVER_FLIGHT = 4 + 1216 + 1044;
const HANDSHAKE_RECORDS = 2;

interface Recording {
  /** M1, M5 and all that followed. */
  fromClient: Buffer[];
  fromServer: Buffer[];
}

/** A session that stores `stored`, removes `removed` and ends in order, as somebody on the path sees it. */
async function record(t: ExecutionContext, box: Sandbox, server: RunningServer): Promise<Recording> {
  const proxy = await Proxy.start(t, server.port);
  const client = await connect({ ...clientOptions(box, server), port: proxy.port });
  await client.send(box.write('source', 'recorded content'), 'stored');
  box.write('files/removed', 'x');
  await client.delete('removed');
  await client.close();
  const recording = {
    fromClient: records(proxy.link.toServer.bytes),
    fromServer: records(proxy.link.toClient.bytes),
  };
  proxy.close();
  t.true(recording.fromClient.length > 5 && recording.fromServer.length > 5);
  t.is(recording.fromClient[0]?.length, 4 + 1536);
  return recording;
}

/** Puts the files back to where a repeated command would show. */
function reset(box: Sandbox): void {
  box.write('files/stored', 'newer content');
  box.write('files/removed', 'x');
}

async function assertUntouched(
  t: ExecutionContext,
  box: Sandbox,
  server: RunningServer,
  sessions: number,
): Promise<void> {
  t.is(box.read('files/stored'), 'newer content');
  t.is(box.read('files/removed'), 'x');
  t.is(logged(server, /session opened/).length, sessions, server.run.stderr);
  await assertClean(t, box);
}

/** Says `first`, waits for the server's flight if it is a hello, says the rest, and waits for the end. */
async function play(port: number, first: Buffer, rest: Buffer[]): Promise<Buffer> {
  const raw = await RawConnection.open(port);
  raw.send(first);
  await raw.hear(SERVER_FLIGHT);
  for (const piece of rest) raw.send(piece);
  return (await raw.ended).said;
}

test('a recorded session is played again: to the same server, all at once and in step, and to a restarted one', async (t) => {
  const { box, server } = await ready(t);
  const { fromClient, fromServer } = await record(t, box, server);
  reset(box);
  const [hello = Buffer.of(), ...rest] = fromClient;

  const inStep = await play(server.port, hello, rest);
  t.is(inStep.length, SERVER_FLIGHT + REFUSAL.length);
  t.true(inStep.subarray(SERVER_FLIGHT).equals(REFUSAL));
  t.false(
    inStep.subarray(0, SERVER_FLIGHT).equals(Buffer.concat(fromServer.slice(0, HANDSHAKE_RECORDS))),
    'a fresh answer',
  );

  const raw = await RawConnection.open(server.port);
  raw.send(Buffer.concat(fromClient));
  const atOnce = (await raw.ended).said;
  t.true(atOnce.length <= SERVER_FLIGHT + REFUSAL.length);
  await assertUntouched(t, box, server, 1);
  await assertServes(t, box, server);

  t.is((await server.stop()).code, 0);
  const again = await box.serve(['--listen', `127.0.0.1:${server.port}`]);
  t.is(again.fingerprint, server.fingerprint);
  const restarted = await play(again.port, hello, rest);
  t.true(restarted.subarray(SERVER_FLIGHT).equals(REFUSAL));
  await assertUntouched(t, box, again, 0);
  await assertServes(t, box, again);
});

test('a replayed hello gets nobody further, however the rest is made up', async (t) => {
  const { box, server } = await ready(t);
  const a = await record(t, box, server);
  const b = await record(t, box, server);
  reset(box);
  const [helloA = Buffer.of(), authA = Buffer.of(), ...restA] = a.fromClient;
  const [helloB = Buffer.of(), authB = Buffer.of(), ...restB] = b.fromClient;
  const attempts: [string, Buffer, Buffer[]][] = [
    ['hello of A, the rest of B', helloA, [authB, ...restB]],
    ['hello of B, the rest of A', helloB, [authA, ...restA]],
    ['hello and login of A, requests of B', helloA, [authA, ...restB]],
    ['hello twice', helloA, [helloA]],
    ['no login, only requests', helloA, restA],
    ['the server’s recorded flight as the login', helloA, a.fromServer],
    ['the login first', authA, [helloA]],
  ];
  for (const [what, first, rest] of attempts) {
    const said = await play(server.port, first, rest);
    t.true(said.subarray(-REFUSAL.length).equals(REFUSAL), `${what}: ${said.length} bytes`);
    t.true(said.length <= SERVER_FLIGHT + REFUSAL.length, what);
  }
  await assertUntouched(t, box, server, 2);
  await assertServes(t, box, server);
});

test('the server’s own bytes sent back to it', async (t) => {
  const { box, server } = await ready(t);
  const { fromClient } = await record(t, box, server);
  reset(box);
  const raw = await RawConnection.open(server.port);
  raw.socket.on('data', (chunk: Buffer) => raw.send(chunk));
  raw.send(fromClient[0] ?? Buffer.of());
  const { said } = await raw.ended;
  t.true(said.subarray(SERVER_FLIGHT, SERVER_FLIGHT + REFUSAL.length).equals(REFUSAL));

  // Inside of a session, too.
  const proxy = await Proxy.start(t, server.port);
  const client = await connect({ ...clientOptions(box, server), port: proxy.port });
  await client.stat('stored');
  for (const piece of records(proxy.link.toClient.bytes).slice(HANDSHAKE_RECORDS)) proxy.link.toServer.inject(piece);
  await t.throwsAsync(client.delete('removed'), { code: 'E2EEFTP_CONNECTION_LOST' });
  await client.close();
  await assertUntouched(t, box, server, 2);
  await assertServes(t, box, server);
});

test('a client that talks to itself: 3, in the handshake and after it', async (t) => {
  const { box, server } = await ready(t);
  const sockets = new Set<Socket>();
  const mirror = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(mirror, 'listening');
  t.teardown(() => {
    mirror.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = mirror.address() as AddressInfo;
  const reflected = await box.run(['ls', '127.0.0.1:', ...through(port, server)]);
  t.is(reflected.code, 3, reflected.stderr);
  t.regex(reflected.stderr, /error\[E2EEFTP_PROTOCOL\]/);

  const proxy = await Proxy.start(t, server.port);
  const client = await connect({ ...clientOptions(box, server), port: proxy.port });
  const { link } = proxy;
  box.write('files/removed', 'x');
  link.toServer.change = (piece) => {
    link.toClient.inject(piece);
    return Buffer.of();
  };
  await t.throwsAsync(client.delete('removed'), { code: 'E2EEFTP_INTEGRITY' });
  await client.close();
  t.is(box.read('files/removed'), 'x');
  await assertServes(t, box, server);
});

test('records of one live session in another: both ends notice, nothing happens', async (t) => {
  const { box, server } = await ready(t);
  const proxy = await Proxy.start(t, server.port);
  const options = { ...clientOptions(box, server), port: proxy.port };
  const [one, other] = [await connect(options), await connect(options)];
  const [first, second] = proxy.links;
  if (first === undefined || second === undefined) throw new Error('two links');
  box.write('files/removed', 'x');
  first.toServer.change = (piece) => {
    second.toServer.inject(piece);
    return Buffer.of();
  };
  const waiting = one.delete('removed');
  await t.throwsAsync(other.stat('removed'), { code: 'E2EEFTP_CONNECTION_LOST' });
  first.cut();
  await t.throwsAsync(waiting, { code: 'E2EEFTP_CONNECTION_LOST' });
  await Promise.all([one.close(), other.close()]);
  t.is(box.read('files/removed'), 'x');
  t.is(logged(server, /request (refused|answered)|transfer complete/).length, 0);
  await assertServes(t, box, server);
});

test('a request repeated, left out, moved or changed by one bit inside its session ends the session', async (t) => {
  const { box, server } = await ready(t);
  const proxy = await Proxy.start(t, server.port);
  const deeds: Record<string, (piece: Buffer) => Buffer> = {
    repeated: (piece) => Buffer.concat([piece, piece]),
    'one bit': (piece) => {
      const changed = Buffer.from(piece);
      changed[piece.length - 20] = (changed[piece.length - 20] ?? 0) ^ 1;
      return changed;
    },
    'another kind': (piece) => Buffer.concat([Buffer.of(0x53), piece.subarray(1)]),
  };
  for (const [what, deed] of Object.entries(deeds)) {
    box.write('files/removed', 'x');
    const client = await connect({ ...clientOptions(box, server), port: proxy.port });
    const link = proxy.links.at(-1);
    if (link === undefined) throw new Error('no link');
    link.toServer.change = deed;
    if (what === 'repeated') {
      // The first copy is a good request; the second one is not taken for another.
      await client.delete('removed');
      box.write('files/removed', 'x');
      await t.throwsAsync(client.delete('removed'), { code: 'E2EEFTP_CONNECTION_LOST' }, what);
    } else {
      await t.throwsAsync(client.delete('removed'), { code: 'E2EEFTP_CONNECTION_LOST' }, what);
    }
    await client.close();
    t.is(box.read('files/removed'), 'x', what);
  }
  await assertServes(t, box, server);
});

test('a bit that is changed in a file under way ends the session, the old file stays, in both directions', async (t) => {
  const { box, server } = await ready(t);
  box.write('files/old', 'old');
  box.write('copy', 'old copy');
  box.write('big', Buffer.alloc(3_000_000, 7));
  box.write('files/big', Buffer.alloc(3_000_000, 7));
  const spoil = (piece: Buffer, offset: number): Buffer => {
    const at = 1_500_000 - offset;
    if (at < 0 || at >= piece.length) return piece;
    const changed = Buffer.from(piece);
    changed[at] = (changed[at] ?? 0) ^ 0x10;
    return changed;
  };
  const proxy = await Proxy.start(t, server.port, (link) => {
    link.toServer.change = spoil;
    link.toClient.change = spoil;
  });
  const sent = await box.run(['send', 'big', '127.0.0.1:old', ...through(proxy.port, server)]);
  assertError(t, sent, 3, 'CONNECTION_LOST');
  await until(() => logged(server, /session ended .*code=E2EEFTP_INTEGRITY/).length === 1, 'the reason in the log');
  const got = await box.run(['get', '127.0.0.1:big', 'copy', ...through(proxy.port, server)]);
  assertError(t, got, 8, 'INTEGRITY');
  t.is(box.read('files/old'), 'old');
  t.is(box.read('copy'), 'old copy');
  await assertClean(t, box, box.dir);
  await assertServes(t, box, server);
});
