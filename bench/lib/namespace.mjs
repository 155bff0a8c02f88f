/**
 * Runs the measuring process in a network, mount and process namespace of its own, so that every
 * peer has the same congestion control, nothing outside is changed and no process outlives it.
 * Where the system does not permit that, the measuring process runs without and says so.
 */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const CONGESTION_FILE = '/proc/sys/net/ipv4/tcp_congestion_control';
const WANTED_CONGESTION = 'reno';
const INSIDE = 'E2EEFTP_BENCH_INSIDE';
/** Inherited descriptor of the measuring process; its end says that the first process is gone. */
const LIFELINE_FD = 3;
const GRACE_MS = 10_000;

/** Whether this process is the measuring one. */
export function isInside() {
  return process.env[INSIDE] !== undefined;
}

/**
 * @typedef {object} Inside
 * @property {boolean} isolated whether the namespaces are there
 * @property {string} scratch folder for the files
 * @property {string} diskScratch folder for the large sparse file
 */

/** @returns {Inside} what the first process handed over */
export function inside() {
  return JSON.parse(process.env[INSIDE]);
}

/**
 * Starts `argv` as the measuring process and waits for it; removes the scratch folders afterwards,
 * however it ended.
 *
 * @param {string[]} argv script and arguments
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<number>} its exit code
 */
export async function runInside(argv, options) {
  const prefix = namespaceCommand();
  const scratch = fs.mkdtempSync(path.join(options.dir, 'e2eeftp-bench-'));
  const diskScratch = fs.mkdtempSync(path.join(options.diskDir, 'e2eeftp-bench-disk-'));
  const handedOver = { isolated: prefix.length > 0, scratch, diskScratch };
  try {
    const [command, ...args] = [...prefix, process.execPath, ...argv];
    const child = spawn(command, args, {
      stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
      env: { ...process.env, [INSIDE]: JSON.stringify(handedOver) },
    });
    return await waitFor(child);
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
    fs.rmSync(diskScratch, { recursive: true, force: true });
  }
}

/** @returns {Promise<number>} the exit code of `child`; signals to this process end it */
function waitFor(child) {
  let interrupted = null;
  const stop = (signal) => {
    interrupted ??= signal;
    child.stdio[LIFELINE_FD].destroy();
    setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, stop);
  // The lifeline breaks when the child ends; that is no error of this process.
  child.stdio[LIFELINE_FD].on('error', () => {});
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, stop);
      if (interrupted) resolve(128 + os.constants.signals[interrupted]);
      else resolve(code ?? 128 + os.constants.signals[signal]);
    });
  });
}

/** @returns {string[]} the command that enters the namespaces, or nothing when it is not permitted */
function namespaceCommand() {
  const user = process.getuid() === 0 ? [] : ['--user', '--map-root-user'];
  const command = ['unshare', ...user, '--net', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child'];
  const { status } = spawnSync(command[0], [...command.slice(1), 'true'], { stdio: 'ignore' });
  return status === 0 ? command : [];
}

/**
 * Inside: brings the loopback device up, chooses the congestion control and calls `onGone` when the
 * first process ends.
 *
 * @param {() => void} onGone
 * @returns {{isolated: boolean, congestion: string}} what is in force
 * @throws {Error} when the loopback device of a new namespace can't be brought up
 */
export function setUpInside(onGone) {
  const lifeline = new net.Socket({ fd: LIFELINE_FD });
  lifeline.on('close', onGone).on('error', onGone).resume().unref();
  const { isolated } = inside();
  if (isolated) {
    const { status, error } = spawnSync('ip', ['link', 'set', 'lo', 'up'], { stdio: 'inherit' });
    if (status !== 0) {
      throw new Error(`"ip link set lo up" failed${error ? ` (install iproute2: ${error.code})` : ''}`);
    }
    try {
      fs.writeFileSync(CONGESTION_FILE, WANTED_CONGESTION);
    } catch (error) {
      process.stderr.write(`bench: the congestion control stays as it is: ${error.message}\n`);
    }
  }
  return { isolated, congestion: fs.readFileSync(CONGESTION_FILE, 'utf8').trim() };
}
