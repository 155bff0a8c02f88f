import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { Proxy } from '../hostile/proxy.js';
import { ready, through } from '../hostile/world.js';

/** Longer than the library lets a transfer stand still of its own accord, which is 30 s. */
const STANDSTILL_MS = 31_500;

for (const direction of ['send', 'get'] as const) {
  test(`a longer --timeout outlasts a transfer that stands still for longer than the usual limit: ${direction}`, async (t) => {
    const { box, server } = await ready(t);
    const proxy = await Proxy.start(t, server.port, (link) => {
      link[direction === 'send' ? 'toServer' : 'toClient'].holdAt = 1_000_000;
    });
    const content = Buffer.alloc(48_000_000, 'x');
    box.write(direction === 'send' ? 'big' : 'files/big', content);
    const operands = direction === 'send' ? ['big', '127.0.0.1:big'] : ['127.0.0.1:big', 'big'];
    const words = [direction, ...operands, '--timeout', '55', ...through(proxy.port, server)];
    const run = box.start(words, { input: '' });
    while (proxy.links.length === 0) await delay(10);
    const lane = proxy.link[direction === 'send' ? 'toServer' : 'toClient'];
    await lane.held;
    await delay(STANDSTILL_MS);
    lane.release();
    const { code, stderr } = await run.result;
    t.is(code, 0, stderr);
    t.true(box.bytes(direction === 'send' ? 'files/big' : 'big').equals(content));
  });
}
