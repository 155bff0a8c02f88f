/** Starts the processes of the bench, reads what they say and ends each of them. */
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import readline from 'node:readline';

const STDERR_KEPT = 4000;
const READY_MS = 20_000;
const END_MS = 5000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
let stopped = false;

/** Thrown by everything here once {@link stopAll} was called. */
export class Stopped extends Error {
  constructor() {
    super('interrupted');
  }
}

/** Ends every process at once; nothing can be started afterwards. */
export function stopAll() {
  stopped = true;
  for (const child of running) child.kill('SIGKILL');
}

/** What every peer gets of the environment: no agents, no settings of the person at the keyboard. */
export function cleanEnvironment(home) {
  return { PATH: process.env.PATH, HOME: home, LANG: 'C', NO_COLOR: '1' };
}

/**
 * @typedef {object} Running
 * @property {number} pid
 * @property {import('node:child_process').ChildProcess} child
 * @property {string[]} lines what it wrote to its standard output so far
 * @property {(index: number) => Promise<string>} line waits for that line of its output; rejects
 *   when the process ends without it or is silent for 20 s
 * @property {Promise<{code: number | null, signal: string | null, seconds: number}>} ended
 * @property {() => string} complaint the end of what it wrote to its standard error
 */

/**
 * @param {string} command
 * @param {string[]} args
 * @param {{env?: NodeJS.ProcessEnv, ipc?: boolean, output?: 'lines' | 'ignore'}} [options]
 * @returns {Running}
 */
export function start(command, args, { env = process.env, ipc = false, output = 'lines' } = {}) {
  if (stopped) throw new Stopped();
  const began = performance.now();
  const child = spawn(command, args, {
    env,
    stdio: ['ignore', output === 'lines' ? 'pipe' : 'ignore', 'pipe', ...(ipc ? ['ipc'] : [])],
  });
  running.add(child);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors = (errors + text).slice(-STDERR_KEPT);
  });
  const ended = new Promise((resolve, reject) => {
    let exit = null;
    child.on('error', (error) => {
      running.delete(child);
      reject(new Error(`${command} can't be started: ${error.message}`));
    });
    // The clock stops at the exit; "close" follows when the pipes are drained.
    child.on('exit', (code, signal) => {
      exit = { code, signal, seconds: (performance.now() - began) / 1000 };
    });
    child.on('close', () => {
      running.delete(child);
      if (exit) resolve(exit);
    });
  });
  ended.catch(() => {});
  const lines = [];
  const arrived = new EventEmitter();
  if (child.stdout) {
    readline.createInterface({ input: child.stdout }).on('line', (text) => {
      lines.push(text);
      arrived.emit('line');
    });
  }
  const line = async (index) => {
    const signal = AbortSignal.timeout(READY_MS);
    while (lines.length <= index) {
      const heard = await Promise.race([once(arrived, 'line', { signal }).catch(() => null), ended.then(() => null)]);
      if (heard === null && lines.length <= index) {
        throw new Error(`${path.basename(command)} gave no answer: ${errors.trim() || 'no message'}`);
      }
    }
    return lines[index];
  };
  return { pid: child.pid, child, lines, line, ended, complaint: () => errors.trim() };
}

/**
 * Waits for the end of a process.
 *
 * @param {Running} process
 * @param {number} timeoutMs after which it is killed
 * @returns {Promise<number>} its life in seconds
 * @throws {Error} when it did not end with 0, with what it complained about
 */
export async function succeed(process, timeoutMs) {
  let end;
  try {
    end = await withTimeout(process.ended, timeoutMs, `not finished after ${timeoutMs / 1000} s`);
  } catch (error) {
    process.child.kill('SIGKILL');
    throw stopped ? new Stopped() : error;
  }
  if (stopped) throw new Stopped();
  if (end.code !== 0) {
    throw new Error(`exit ${end.code ?? end.signal}: ${process.complaint() || 'no message'}`);
  }
  return end.seconds;
}

/**
 * Runs a command to its end.
 *
 * @returns {Promise<{seconds: number, lines: string[]}>}
 * @throws {Error} as {@link succeed}
 */
export async function run(command, args, { timeoutMs = 60_000, ...options } = {}) {
  const process = start(command, args, options);
  const seconds = await succeed(process, timeoutMs);
  return { seconds, lines: process.lines };
}

/** Asks a process to end with SIGTERM and makes sure that it does. */
export async function end(process, timeoutMs = END_MS) {
  if (process.child.exitCode !== null || process.child.signalCode !== null) return;
  process.child.kill('SIGTERM');
  try {
    await withTimeout(process.ended, timeoutMs, '');
  } catch {
    process.child.kill('SIGKILL');
  }
}

/** @returns {Promise<T>} `promise`, or a rejection with `message` after `timeoutMs` @template T */
async function withTimeout(promise, timeoutMs, message) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(message)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
