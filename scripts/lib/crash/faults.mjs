// System calls of a server that fail, injected by strace.

const CALLS = {
  write: ['pwrite64', 'pwritev', 'pwritev2'],
  sync: ['fsync', 'fdatasync', 'syncfs'],
  rename: ['renameat', 'renameat2', 'linkat'],
};
const ERRORS = ['EIO', 'ENOSPC'];

/**
 * @typedef {object} Fault
 * @property {'write' | 'sync' | 'rename'} kind
 * @property {string} error
 * @property {string} when as strace has it: the first call that fails, then which ones
 * @property {boolean} isAlways whether every call of the kind fails
 */

/**
 * @param {import('./random.mjs').Random} random
 * @returns {Fault}
 */
export function drawFault(random) {
  const kind = random.pick(Object.keys(CALLS));
  const isAlways = random.chance(0.3);
  // Counted by strace for each thread by itself: few calls of a thread synchronise or rename.
  const first = kind === 'write' ? random.between(1, 40) : random.between(1, 3);
  const step = kind === 'write' ? random.between(1, 40) : random.between(1, 3);
  return { kind, error: random.pick(ERRORS), when: isAlways ? '1+' : `${first}+${step}`, isAlways };
}

/**
 * The command that runs another one with a fault.
 *
 * @param {Fault} fault
 * @param {string[]} command
 * @param {string} log file for the calls that failed
 * @returns {string[]}
 */
export function withFault({ kind, error, when }, command, log) {
  const calls = CALLS[kind].join(',');
  const trace = ['-e', `trace=${calls}`, '-e', `inject=${calls}:error=${error}:when=${when}`];
  return ['strace', '-f', '--seccomp-bpf', '-qq', '-e', 'signal=none', '-o', log, ...trace, '--', ...command];
}

/** @param {Fault | null} fault */
export function describeFault(fault) {
  return fault === null ? 'no fault' : `${fault.error} on ${fault.kind}, calls ${fault.when}`;
}
