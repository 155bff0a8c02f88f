/** A file that changes while it is sent: exit code 11, and the old file at the target stays what it was. */
import { appendFileSync, openSync, renameSync, rmSync, truncateSync, writeSync, closeSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import type { Sandbox } from '../cli/run.js';
import { Proxy } from './proxy.js';
import { assertClean, assertError, assertServes, randomFile, ready, sha256, through } from './world.js';

/** Far more than sockets hold: most of the file is still to be read when the path stands still. */
const LENGTH = 48 * 1024 * 1024;
const HOLD_AT = 1024 * 1024;

const deeds: Record<string, (box: Sandbox, name: string) => void> = {
  'is removed': (box, name) => rmSync(box.path(name)),
  shrinks: (box, name) => truncateSync(box.path(name), HOLD_AT),
  'becomes empty': (box, name) => truncateSync(box.path(name), 0),
  grows: (box, name) => appendFileSync(box.path(name), 'more'),
  'is written to where it was read already': (box, name) => {
    const file = openSync(box.path(name), 'r+');
    writeSync(file, 'changed', 10);
    closeSync(file);
  },
  'is written to at its end': (box, name) => {
    const file = openSync(box.path(name), 'r+');
    writeSync(file, 'changed', LENGTH - 7);
    closeSync(file);
  },
  'is replaced by another file': (box, name) => {
    box.write(`${name}.new`, 'another');
    renameSync(box.path(`${name}.new`), box.path(name));
  },
};

async function whileItMoves(t: ExecutionContext, direction: 'send' | 'get'): Promise<void> {
  const { box, server } = await ready(t);
  const proxy = await Proxy.start(t, server.port, (link) => {
    link[direction === 'send' ? 'toServer' : 'toClient'].holdAt = HOLD_AT;
  });
  const [source, target] = direction === 'send' ? ['source', 'files/target'] : ['files/source', 'target'];
  const operands = direction === 'send' ? [source, '127.0.0.1:target'] : ['127.0.0.1:source', target];
  let turn = 0;
  for (const [what, deed] of Object.entries(deeds)) {
    randomFile(box, source, LENGTH);
    box.write(target, 'old');
    const run = box.start([direction, ...operands, ...through(proxy.port, server)], { input: '' });
    while (proxy.links.length <= turn) await new Promise((resolve) => setTimeout(resolve, 10));
    const lane = proxy.links[turn]?.[direction === 'send' ? 'toServer' : 'toClient'];
    await lane?.held;
    deed(box, source);
    lane?.release();
    const result = await run.result;
    assertError(t, result, 11, 'SOURCE_CHANGED');
    t.is(box.read(target), 'old', what);
    await assertClean(t, box, box.dir);
    turn += 1;
  }
  // The same way again with a file at rest.
  const content = randomFile(box, source, LENGTH);
  const at = direction === 'send' ? server.at : through(server.port, server);
  const result = await box.run([direction, ...operands, ...at]);
  t.is(result.code, 0, result.stderr);
  t.is(sha256(box.bytes(target)), sha256(content));
  await assertServes(t, box, server);
}

test('the local file while it is sent', (t) => whileItMoves(t, 'send'));
test('the server’s file while it is fetched', (t) => whileItMoves(t, 'get'));
