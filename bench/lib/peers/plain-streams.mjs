/** `bench/native/src/bin/plain-streams.rs`: one file over several plain TCP connections. */
import fs from 'node:fs';
import { assertSameContent, assertSize } from '../files.mjs';
import { missingFiles, nativePath } from '../paths.mjs';
import { end, start, succeed } from '../processes.mjs';

const PROGRAM = 'plain-streams';
const PATIENCE_MS = 600_000;

/** Why it can't be measured, or null. */
export function plainStreamsMissing() {
  return missingFiles(nativePath(PROGRAM));
}

/**
 * @param {import('../place.mjs').Place} place where the other side runs
 * @param {'up' | 'down'} direction
 * @param {number} streams
 * @param {string} source
 * @param {string} target removed before and afterwards
 * @param {boolean} compare whether the content is compared
 * @param {string} near address of this side, for the receiver of a download
 * @returns {Promise<import('../rounds.mjs').Sample>}
 */
export async function plainStreams(place, direction, streams, source, target, compare, near) {
  fs.rmSync(target, { force: true });
  const { size } = fs.statSync(source);
  const binary = nativePath(PROGRAM);
  const [receiving, sending, host] = direction === 'up' ? [place.start, start, place.host] : [start, place.start, near];
  const receiver = receiving(binary, ['recv', '--listen', `${host}:0`, '--out', target]);
  try {
    const { port } = JSON.parse(await receiver.line(0));
    const to = ['--to', `${host}:${port}`, '--streams', `${streams}`];
    const sender = sending(binary, ['send', '--file', source, ...to]);
    const seconds = await succeed(sender, PATIENCE_MS);
    await succeed(receiver, PATIENCE_MS);
    const sent = JSON.parse(await sender.line(0));
    const received = JSON.parse(await receiver.line(1));
    if (sent.bytes !== size || received.bytes !== size) throw new Error('not every byte was counted');
    if (compare) assertSameContent(source, target);
    else assertSize(target, size);
    const [client, server] = direction === 'up' ? [sent, received] : [received, sent];
    return {
      bytes: size,
      seconds,
      transferSeconds: sent.seconds,
      clientCpu: client.cpuSeconds,
      serverCpu: server.cpuSeconds,
      clientMemory: Number.NaN,
      serverMemory: Number.NaN,
    };
  } finally {
    await end(receiver);
    fs.rmSync(target, { force: true });
  }
}
