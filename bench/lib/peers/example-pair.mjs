/** The example programs of `crates/net` that move one file: `plain-copy` and `pump`. */
import fs from 'node:fs';
import { assertSameContent, assertSize, makeAllocatedFile } from '../files.mjs';
import { watchMemory } from '../memory.mjs';
import { examplePath, missingFiles } from '../paths.mjs';
import { end, start, succeed } from '../processes.mjs';

const PATIENCE_MS = 300_000;

/**
 * @param {object} pair
 * @param {string} pair.name
 * @param {string} pair.program name of the example
 * @param {string} pair.source
 * @param {string} pair.target
 * @param {boolean} pair.fresh whether the target is made anew; otherwise it is allocated before
 * @param {string[]} [pair.receiverArgs]
 * @param {string[]} [pair.senderArgs]
 * @returns {import('../rounds.mjs').Case} its client is the sender
 */
export function examplePair(pair) {
  const binary = examplePath(pair.program);
  return {
    name: pair.name,
    missing: missingFiles(binary),
    run: ({ warmUp }) => measurePair(binary, pair, warmUp),
  };
}

async function measurePair(binary, pair, warmUp) {
  const { source, target, fresh, receiverArgs = [], senderArgs = [] } = pair;
  const { size } = fs.statSync(source);
  if (fresh) fs.rmSync(target, { force: true });
  else makeAllocatedFile(target, size);
  const receiver = start(binary, ['recv', '--port', '0', '--out', target, ...receiverArgs]);
  try {
    const { port } = JSON.parse(await receiver.line(0));
    const receiverMemory = watchMemory(receiver.pid);
    const sender = start(binary, ['send', '--port', `${port}`, '--file', source, ...senderArgs]);
    const senderMemory = watchMemory(sender.pid);
    let seconds;
    try {
      seconds = await succeed(sender, PATIENCE_MS);
      await succeed(receiver, PATIENCE_MS);
    } finally {
      receiverMemory();
      senderMemory();
    }
    const sent = JSON.parse(await sender.line(0));
    const received = JSON.parse(await receiver.line(1));
    if (sent.bytes !== size || received.bytes !== size) throw new Error('not every byte was counted');
    // A program that can't read its CPU time must not look as if it took none.
    if (!(sent.cpuSeconds > 0 && received.cpuSeconds > 0)) throw new Error('no CPU time reported');
    if (sent.root !== received.root) throw new Error('the two roots differ');
    if (warmUp) assertSameContent(source, target);
    else assertSize(target, size);
    return {
      bytes: size,
      seconds,
      transferSeconds: sent.seconds,
      clientCpu: sent.cpuSeconds,
      serverCpu: received.cpuSeconds,
      clientMemory: senderMemory(),
      serverMemory: receiverMemory(),
    };
  } finally {
    await end(receiver);
    if (fresh) fs.rmSync(target, { force: true });
  }
}
