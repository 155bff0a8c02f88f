// The product's command line in a folder of its own: a server that is killed and started again on the
// same port, and clients.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { root as checkout, SetupError } from '../project.mjs';
import { withFault } from './faults.mjs';

const CLI = join(checkout, 'dist/cli/main.js');
const START_MS = 20_000;
const KEPT = 4096;

export class Program {
  /** Folder that the server serves. */
  tree;
  /** Counts starts and ends of the server. */
  changes = 0;
  /** Whether the server is ready. */
  isUp = false;
  /** @type {Set<import('node:child_process').ChildProcess>} clients that run */
  clients = new Set();
  #folder;
  #port = 0;
  #fingerprint = '';
  /** @type {{child: import('node:child_process').ChildProcess, pid: number, ended: Promise<unknown>, told: () => string} | null} */
  #server = null;

  /** @param {string} folder exists and is empty */
  constructor(folder) {
    this.#folder = folder;
    this.tree = join(folder, 'tree');
    mkdirSync(this.tree);
  }

  /** Makes keys and chooses a port. */
  async prepare() {
    this.#port = await freePort();
    const data = join(this.#folder, 'data');
    mkdirSync(data);
    for (const args of [
      ['keygen', '-q', this.#key(), '--no-passphrase'],
      ['authorize', '-q', join(this.#folder, 'client.pub'), '--data', data],
    ]) {
      const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], {
        env: this.#environment(),
        encoding: 'utf8',
      });
      if (status !== 0) throw new SetupError(`e2eeftp ${args.join(' ')}: ${stderr}`);
    }
  }

  /**
   * @param {import('./faults.mjs').Fault | null} fault
   * @returns {Promise<string | null>} null when it is ready; else, which only a fault excuses, what it
   *   has written to its standard error
   * @throws {SetupError} when it does not without one
   */
  async startServer(fault) {
    const portFile = join(this.#folder, 'port.json');
    rmSync(portFile, { force: true });
    const data = join(this.#folder, 'data');
    const listen = ['--listen', `127.0.0.1:${this.#port}`, '--port-file', portFile, '--log-level', 'warn'];
    const plain = [process.execPath, CLI, 'serve', this.tree, '--data', data, '--drain-timeout', '5', ...listen];
    const [command, ...args] = fault === null ? plain : withFault(fault, plain, join(this.#folder, 'faults.log'));
    // A process group of its own: strace does not take along what it runs.
    const child = spawn(command, args, {
      env: this.#environment(),
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      told = (told + text).slice(-KEPT);
    });
    const ended = once(child, 'close');
    const giveUp = Date.now() + START_MS;
    while (!existsSync(portFile)) {
      if (hasEnded(child) || Date.now() > giveUp) {
        if (!hasEnded(child)) process.kill(-child.pid, 'SIGKILL');
        await ended;
        if (fault !== null) return told;
        throw new SetupError(`The server did not become ready:\n${told}`);
      }
      await sleep(10);
    }
    const { pid, fingerprint } = JSON.parse(readFileSync(portFile, 'utf8'));
    this.#fingerprint = fingerprint;
    this.#server = { child, pid, ended, told: () => told };
    this.isUp = true;
    this.changes += 1;
    return null;
  }

  /**
   * Ends the server, and waits until it is gone.
   *
   * @param {'SIGKILL' | 'SIGTERM'} signal
   * @returns {Promise<{unasked: boolean, told: string}>} whether it had ended by itself, and what it
   *   has written to its standard error
   */
  async endServer(signal) {
    const server = this.#server;
    if (server === null) return { unasked: false, told: '' };
    this.isUp = false;
    this.changes += 1;
    this.#server = null;
    const unasked = hasEnded(server.child);
    // Not the child, which may be strace.
    if (!unasked) process.kill(server.pid, signal);
    await server.ended;
    this.changes += 1;
    return { unasked, told: server.told() };
  }

  /**
   * Runs a client to its end, whatever that is.
   *
   * @param {string[]} args
   * @returns {Promise<{code: number | null, events: any[], told: string}>}
   */
  async client(args) {
    const pinned = ['-i', this.#key(), '--server-key', this.#fingerprint, '-P', `${this.#port}`, '--json'];
    const child = spawn(process.execPath, [CLI, ...args, ...pinned], {
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.clients.add(child);
    let output = '';
    let told = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      told = (told + text).slice(-KEPT);
    });
    const [code] = await once(child, 'close');
    this.clients.delete(child);
    // A line that was cut by a signal has no end, and is not counted.
    const lines = output.split('\n').slice(0, -1);
    return { code, events: lines.map((line) => JSON.parse(line)), told };
  }

  /** The address of a path on the server. */
  remote(path) {
    return `127.0.0.1:/${path}`;
  }

  /** Ends everything at once. */
  killAll() {
    for (const child of this.clients) child.kill('SIGKILL');
    if (this.#server !== null && !hasEnded(this.#server.child)) process.kill(-this.#server.child.pid, 'SIGKILL');
  }

  #key() {
    return join(this.#folder, 'client.key');
  }

  #environment() {
    const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('E2EEFTP_'));
    return { ...Object.fromEntries(clean), HOME: this.#folder, XDG_CONFIG_HOME: this.#folder };
  }
}

/** @param {import('node:child_process').ChildProcess} child */
function hasEnded(child) {
  return child.exitCode !== null || child.signalCode !== null;
}

/** @returns {Promise<number>} a port that was free a moment ago */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
