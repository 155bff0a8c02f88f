/** CPU time of processes, from proc(5). Linux counts it here in hundredths of a second. */
import fs from 'node:fs';

const TICKS_PER_SECOND = 100;
const SETTLE_MS = 2000;
const SETTLE_STEP_MS = 5;

/**
 * @param {number | 'self'} pid
 * @returns {{own: number, reaped: number}} user plus system seconds of the process with all its
 *   threads, and of the children that it has waited for
 */
function cpuSeconds(pid) {
  const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold spaces; the fields after it are counted from 3.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [user, system, reapedUser, reapedSystem] = fields.slice(11, 15).map(Number);
  return {
    own: (user + system) / TICKS_PER_SECOND,
    reaped: (reapedUser + reapedSystem) / TICKS_PER_SECOND,
  };
}

/** CPU seconds of every process that this one has started and waited for, with their children. */
export function clientCpuSeconds() {
  return cpuSeconds('self').reaped;
}

/** CPU seconds of a server and of the children it has waited for. */
export function serverCpuSeconds(pid) {
  const { own, reaped } = cpuSeconds(pid);
  return own + reaped;
}

/**
 * Waits until a server that starts a process for each connection has waited for all of them, so
 * that their CPU time is counted.
 *
 * @throws {Error} when some are left after 2 s
 */
export async function settled(pid) {
  for (let waited = 0; childrenOf(pid).length > 0; waited += SETTLE_STEP_MS) {
    if (waited > SETTLE_MS) throw new Error('the server still has processes of a closed connection');
    await new Promise((resolve) => setTimeout(resolve, SETTLE_STEP_MS));
  }
}

/**
 * CPU seconds of the processes that were left to this one, the first of its process namespace: sshd
 * does not wait for the child that negotiated when the client goes away before the log-in. They stay
 * as zombies, whose time can still be read.
 *
 * @param {number} serverPid the only child that goes on running
 * @returns {Promise<number>}
 * @throws {Error} when one of the others still runs after 2 s
 */
export async function adoptedCpuSeconds(serverPid) {
  const others = () => childrenOf('self').filter((pid) => pid !== serverPid);
  for (let waited = 0; !others().every(isZombie); waited += SETTLE_STEP_MS) {
    if (waited > SETTLE_MS) throw new Error('a process that was left behind still runs');
    await new Promise((resolve) => setTimeout(resolve, SETTLE_STEP_MS));
  }
  const nanoseconds = (pid) => Number(fs.readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]);
  return others().reduce((sum, pid) => sum + nanoseconds(pid) / 1e9, 0);
}

function isZombie(pid) {
  const text = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).startsWith('Z');
}

/** @returns {number[]} the children of a process; none when it is gone */
export function childrenOf(pid) {
  try {
    const main = pid === 'self' ? process.pid : pid;
    const text = fs.readFileSync(`/proc/${main}/task/${main}/children`, 'utf8');
    return text.trim().split(' ').filter(Boolean).map(Number);
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return [];
    throw error;
  }
}

/** @returns {number[]} all that a process has started, and what that has started */
export function descendantsOf(pid) {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/**
 * Share of all cores that was busy while nothing of ours ran.
 *
 * @param {number} [milliseconds] how long to look
 * @returns {Promise<number>} 0 to 1
 */
export async function foreignLoad(milliseconds = 400) {
  const before = systemTicks();
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  const after = systemTicks();
  const total = after.total - before.total;
  return total === 0 ? 0 : 1 - (after.idle - before.idle) / total;
}

function systemTicks() {
  const [line] = fs.readFileSync('/proc/stat', 'utf8').split('\n', 1);
  const fields = line.split(/\s+/).slice(1).map(Number);
  return {
    total: fields.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0),
    idle: fields[3] + fields[4],
  };
}
