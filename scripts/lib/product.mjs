// The built command line as a user runs it, with keys and configuration in one folder.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { root, SetupError } from './project.mjs';

const CLI = join(root, 'dist/cli/main.js');
/** How long a server may take to start, and to end after SIGTERM, in milliseconds. */
const SERVER_PATIENCE_MS = 15_000;

/**
 * What the command line reports at the end of a transfer.
 *
 * @typedef {object} Complete
 * @property {number} bytes
 * @property {number} seconds
 * @property {string} root BLAKE3 in hex
 */

/** One server and one client in a folder. Nothing outside it is read or written. */
export class Product {
  #folder;
  #key;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #server;
  /** @type {{host: string, port: number, fingerprint: string} | undefined} */
  #address;

  /** @param {string} folder exists and is empty */
  constructor(folder) {
    this.#folder = folder;
    this.#key = join(folder, 'client_id.key');
  }

  /**
   * Makes the client's key and lets it in at the server.
   *
   * @param {AbortSignal} signal
   */
  async makeClientKey(signal) {
    const data = this.#dataFolder();
    await this.#cli(['keygen', '-q', this.#key, '--no-passphrase', '--comment', 'demo'], signal);
    await this.#cli(['authorize', '-q', this.#publicKeyFile(), '--data', data], signal);
    const fingerprint = await this.#cli(['fingerprint', this.#key], signal);
    return { fingerprint: fingerprint.trim() };
  }

  /**
   * Starts `e2eeftp serve` on a free port of 127.0.0.1 and waits until it is ready.
   *
   * @param {AbortSignal} signal
   */
  async startServer(signal) {
    const portFile = join(this.#folder, 'port.json');
    const args = ['serve', '--listen', '127.0.0.1:0', '--data', this.#dataFolder()];
    const server = spawn(process.execPath, [CLI, ...args, '--port-file', portFile], {
      env: this.#environment(),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#server = server;
    let told = '';
    server.stderr.setEncoding('utf8').on('data', (text) => {
      told = (told + text).slice(-4096);
    });
    const giveUp = Date.now() + SERVER_PATIENCE_MS;
    while (!existsSync(portFile)) {
      signal.throwIfAborted();
      if (hasEnded(server)) throw new SetupError(`The server ended at once:\n${told}`);
      if (Date.now() > giveUp) throw new SetupError(`The server did not become ready:\n${told}`);
      await sleep(20);
    }
    const ready = JSON.parse(readFileSync(portFile, 'utf8'));
    const [{ host, port }] = ready.e2eeftp;
    this.#address = { host, port, fingerprint: ready.fingerprint };
    return this.#address;
  }

  /** Lets the server finish, and ends it if it does not; resolves when it is gone. */
  async stopServer() {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || hasEnded(server)) return;
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    const timer = setTimeout(() => server.kill('SIGKILL'), SERVER_PATIENCE_MS);
    await ended;
    clearTimeout(timer);
  }

  /**
   * @param {string} file
   * @param {string} remote path on the server
   * @param {AbortSignal} signal
   */
  async send(file, remote, signal) {
    return this.#transfer(['send', file, this.#remote(remote)], signal);
  }

  /**
   * @param {string} remote path on the server
   * @param {string} file
   * @param {AbortSignal} signal
   */
  async get(remote, file, signal) {
    return this.#transfer(['get', this.#remote(remote), file], signal);
  }

  /**
   * @param {string[]} args
   * @param {AbortSignal} signal
   * @returns {Promise<Complete>}
   */
  async #transfer(args, signal) {
    const pinned = ['-i', this.#key, '--server-key', this.#ready().fingerprint];
    const output = await this.#cli(
      [...args, ...pinned, '-P', String(this.#ready().port), '--json', '--progress', 'none'],
      signal,
    );
    const events = output
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
    const complete = events.find((event) => event.type === 'complete');
    if (complete === undefined) throw new SetupError(`No "complete" event in:\n${output}`);
    return complete;
  }

  /**
   * Runs the command line to its end and returns its stdout.
   *
   * @param {string[]} args
   * @param {AbortSignal} signal
   */
  async #cli(args, signal) {
    signal.throwIfAborted();
    const child = spawn(process.execPath, [CLI, ...args], {
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const interrupt = () => child.kill('SIGTERM');
    signal.addEventListener('abort', interrupt);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    const [status] = await once(child, 'close');
    signal.removeEventListener('abort', interrupt);
    signal.throwIfAborted();
    if (status !== 0) {
      throw new SetupError(`e2eeftp ${args.join(' ')} ended with ${status}.\n${output}`);
    }
    return output;
  }

  #environment() {
    const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('E2EEFTP_'));
    return {
      ...Object.fromEntries(clean),
      HOME: this.#folder,
      XDG_CONFIG_HOME: join(this.#folder, 'config'),
      XDG_DATA_HOME: join(this.#folder, 'share'),
    };
  }

  /** @param {string} path */
  #remote(path) {
    return `${this.#ready().host}:${path}`;
  }

  #ready() {
    if (this.#address === undefined) throw new Error('the server was not started');
    return this.#address;
  }

  #publicKeyFile() {
    return this.#key.replace(/\.key$/, '.pub');
  }

  #dataFolder() {
    const folder = join(this.#folder, 'server');
    mkdirSync(folder, { recursive: true });
    return folder;
  }
}

/** @param {import('node:child_process').ChildProcess} child */
function hasEnded(child) {
  return child.exitCode !== null || child.signalCode !== null;
}
