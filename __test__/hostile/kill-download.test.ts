/**
 * A server that is killed at any moment of a download, and started again: under the final name there is what was there
 * before or the whole file, the client says so, and the second try works.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { Proxy } from './proxy.js';
import { assertError, assertServes, Dice, leftovers, ready, sha256, through } from './world.js';

const LENGTH = 6 * 1024 * 1024;
const KILLS = 9;
/** Bytes of the proxy's lane before the body: hello, login, ready, and the provisional reply. */
const BEFORE_BODY = 1220 + 1044 + 200;

/** When a server is killed: after so many bytes to the client, and so many milliseconds. */
interface Moment {
  phase: string;
  bytes: number;
  milliseconds: number;
}

/** A third before the body, a third inside of it, a third about its end. */
function moments(dice: Dice): Moment[] {
  return Array.from({ length: KILLS }, (_, number) => {
    const turn = number % 3;
    if (turn === 0) return { phase: 'before the body', bytes: dice.below(BEFORE_BODY), milliseconds: 0 };
    if (turn === 1) return { phase: 'in the body', bytes: BEFORE_BODY + dice.below(LENGTH), milliseconds: 0 };
    return { phase: 'at the end', bytes: BEFORE_BODY + LENGTH - dice.below(300_000), milliseconds: dice.below(10) };
  });
}

/** @param old what is under the final name before; nothing if left out. */
async function killAtAnyMoment(t: ExecutionContext, old?: Buffer): Promise<void> {
  const dice = new Dice();
  t.log(`seed ${dice.seed}`);
  const start = await ready(t);
  const { box } = start;
  let { server } = start;
  const { port } = server;
  box.write('files/file', randomBytes(LENGTH));
  const whole = sha256(box.bytes('files/file'));
  box.write('here/.keep', '');
  const tally = { kept: 0, whole: 0 };
  for (const { phase, bytes, milliseconds } of moments(dice)) {
    if (old !== undefined) box.write('here/target', old);
    const { run: daemon } = server;
    const proxy = await Proxy.start(t, port, (link) => {
      link.toClient.change = (piece, offset) => {
        if (offset + piece.length >= bytes) setTimeout(() => daemon.kill('SIGKILL'), milliseconds);
        return piece;
      };
    });
    const result = await box.run(['get', '127.0.0.1:file', 'here/target', ...through(proxy.port, server)]);
    daemon.kill('SIGKILL');
    await daemon.result;
    proxy.close();
    const what = `${phase}, ${bytes} bytes, ${milliseconds} ms, exit code ${result.code}: ${result.stderr}`;
    const found = existsSync(box.path('here/target')) ? sha256(box.bytes('here/target')) : undefined;
    if (result.code === 0) {
      t.is(found, whole, what);
      tally.whole += 1;
    } else {
      assertError(t, result, 3, 'CONNECTION_LOST');
      t.is(found, old === undefined ? undefined : sha256(old), what);
      tally.kept += 1;
    }
    t.deepEqual(leftovers(box.path('here')), [], what);

    server = await box.serve(['--listen', `127.0.0.1:${port}`]);
    const again = await box.run(['get', '127.0.0.1:file', 'here/again', ...server.at]);
    t.is(again.code, 0, again.stderr);
    t.is(sha256(box.bytes('here/again')), whole);
    rmSync(box.path('here/again'));
    if (existsSync(box.path('here/target'))) rmSync(box.path('here/target'));
    t.is(sha256(box.bytes('files/file')), whole, 'the source is as it was');
  }
  t.log(tally);
  t.true(tally.kept >= KILLS / 3, 'the kills before the body leave what was there');
  await assertServes(t, box, server);
}

test('the server is killed at any moment of a download over an old file', (t) =>
  killAtAnyMoment(t, Buffer.from('old')));

test('the server is killed at any moment of a download to a new name', (t) => killAtAnyMoment(t));
