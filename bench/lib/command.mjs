/** Runs one client command against a running server and measures both. */
import { clientCpuSeconds, serverCpuSeconds, settled } from './cpu.mjs';
import { watchMemory } from './memory.mjs';
import { start, succeed } from './processes.mjs';

/** Slower than this is taken for a hang: bytes per second. */
const SLOWEST = 20e6;
const PATIENCE_MS = 30_000;

/**
 * @param {object} task
 * @param {string} task.command
 * @param {string[]} task.args
 * @param {NodeJS.ProcessEnv} task.env
 * @param {number} task.serverPid a process that is there before and after
 * @param {boolean} [task.forks] whether the server starts a process for each connection
 * @param {number} task.bytes what the command moves
 * @param {number} [task.slowest] slower than this is taken for a hang: bytes per second
 * @returns {Promise<import('./rounds.mjs').Sample & {lines: string[]}>} with what it printed
 * @throws {Error} when the command fails
 */
export async function measureCommand({ command, args, env, serverPid, forks = false, bytes, slowest = SLOWEST }) {
  const serverMemory = watchMemory(serverPid);
  const serverCpu = serverCpuSeconds(serverPid);
  const clientCpu = clientCpuSeconds();
  let clientMemory = null;
  try {
    const client = start(command, args, { env });
    clientMemory = watchMemory(client.pid);
    const seconds = await succeed(client, PATIENCE_MS + (bytes / slowest) * 1000);
    if (forks) await settled(serverPid);
    return {
      bytes,
      seconds,
      transferSeconds: null,
      clientCpu: clientCpuSeconds() - clientCpu,
      serverCpu: serverCpuSeconds(serverPid) - serverCpu,
      clientMemory: clientMemory(),
      serverMemory: serverMemory(),
      lines: client.lines,
    };
  } finally {
    serverMemory();
    clientMemory?.();
  }
}
