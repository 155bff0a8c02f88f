/**
 * Runs the built command line as users do: as a child process, in a directory of its own, with an environment that
 * nothing of the machine leaks into and without a terminal (unless {@link Sandbox.terminal} is used).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { CliEvent } from '../../dist/cli/events.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const LIMIT_MS = 60_000;

export interface RunResult {
  /** Exit code; null when a signal ended the process. */
  code: number | null;
  stdout: string;
  stderr: string;
  stdoutBytes: Buffer;
}

export interface RunOptions {
  input?: string | Buffer;
  env?: Record<string, string>;
  cwd?: string;
  /** A program and its arguments that run the command line, in front of it; it must become the command line's process. */
  under?: readonly string[];
  /** After so long the process is killed. @default 60_000 */
  limitMs?: number;
}

/** A command line that has been started. */
export class Running {
  readonly child: ChildProcess;
  readonly result: Promise<RunResult>;
  #stdout: Buffer[] = [];
  #stderr = '';

  constructor(child: ChildProcess, limitMs: number = LIMIT_MS) {
    this.child = child;
    child.stdout?.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()));
    child.stdin?.on('error', () => undefined);
    const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
    this.result = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        clearTimeout(limit);
        const stdoutBytes = Buffer.concat(this.#stdout);
        resolve({ code, stdout: stdoutBytes.toString(), stderr: this.#stderr, stdoutBytes });
      });
    });
  }

  get stderr(): string {
    return this.#stderr;
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString();
  }

  /** Waits until the text shows up on either stream. */
  async until(pattern: RegExp): Promise<void> {
    await until(
      () => pattern.test(this.#stderr) || pattern.test(this.stdout),
      `${String(pattern)} in:\n${this.#stderr}`,
    );
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

/** A server that is ready. */
export interface RunningServer {
  run: Running;
  port: number;
  fingerprint: string;
  /** `127.0.0.1` and the port, as the options of a client. */
  at: string[];
  stop(): Promise<RunResult>;
}

export class Sandbox {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'e2eeftp-cli-'));
  readonly #program: readonly [node: string, main: string];
  readonly #running: Running[] = [];
  #serverCount = 0;

  /** @param program the Node.js and the command line to run; by default this one and the one of this checkout. */
  constructor(program: readonly [node: string, main: string] = [process.execPath, MAIN]) {
    this.#program = program;
    for (const name of ['home', 'config', 'data', 'files']) mkdirSync(this.path(name));
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  write(name: string, content: string | Buffer): string {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), content);
    return this.path(name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  bytes(name: string): Buffer {
    return readFileSync(this.path(name));
  }

  list(name: string): string[] {
    return readdirSync(this.path(name)).toSorted();
  }

  /** The environment of the child processes. */
  env(more: Record<string, string> = {}, verb = ''): Record<string, string> {
    return {
      PATH: process.env['PATH'] ?? '',
      // A connection that breaks is what many tests are about.
      ...(verb === 'send' || verb === 'get' ? { E2EEFTP_RECONNECT: '0' } : {}),
      HOME: this.path('home'),
      XDG_CONFIG_HOME: this.path('config'),
      XDG_DATA_HOME: this.path('data'),
      LANG: 'C.UTF-8',
      TERM: 'xterm',
      ...more,
    };
  }

  start(words: string[], options: RunOptions = {}): Running {
    const [program = '', ...rest] = [...(options.under ?? []), ...this.#program, ...words];
    const running = new Running(
      spawn(program, rest, {
        cwd: options.cwd ?? this.dir,
        env: this.env(options.env, words[0]),
        // A session of its own: there is no terminal to ask at.
        detached: true,
        stdio: ['pipe', 'pipe', 'pipe'],
      }),
      options.limitMs,
    );
    this.#running.push(running);
    if (options.input !== undefined) running.child.stdin?.end(options.input);
    return running;
  }

  /** Runs to the end; standard input is empty unless given. */
  async run(words: string[], options: RunOptions = {}): Promise<RunResult> {
    return this.start(words, { input: '', ...options }).result;
  }

  /** Runs on a pseudo terminal; both output streams arrive on stdout. */
  terminal(words: string[], options: RunOptions = {}): Running {
    const quoted = [...this.#program, ...words].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`);
    const running = new Running(
      spawn('script', ['-qec', quoted.join(' '), '/dev/null'], {
        cwd: options.cwd ?? this.dir,
        env: this.env({ SHELL: '/bin/sh', ...options.env }),
        detached: true,
        stdio: ['pipe', 'pipe', 'pipe'],
      }),
    );
    this.#running.push(running);
    return running;
  }

  /** Makes the client's key. */
  async keygen(): Promise<void> {
    const made = await this.run(['keygen', '--comment', 'tester']);
    if (made.code !== 0) throw new Error(made.stderr);
  }

  /** Starts a server on a free port of 127.0.0.1 with `files/` as its root. */
  async serve(words: string[] = [], options: RunOptions = {}): Promise<RunningServer> {
    this.#serverCount += 1;
    const portFile = this.path(`port-${this.#serverCount}.json`);
    const all = ['serve', this.path('files'), '--listen', '127.0.0.1:0', '--port-file', portFile, ...words];
    const run = this.start(all, options);
    let ended = false;
    void run.result.then(() => (ended = true));
    let text = '';
    await until(() => {
      if (ended) throw new Error(`the server ended: ${run.stderr}`);
      try {
        text = readFileSync(portFile, 'utf8');
      } catch {
        return false;
      }
      return true;
    }, 'the port file');
    const ready = JSON.parse(text) as { fingerprint: string; e2eeftp: { port: number }[] };
    const port = ready.e2eeftp[0]?.port ?? 0;
    return {
      run,
      port,
      fingerprint: ready.fingerprint,
      at: ['-P', String(port), '--server-key', ready.fingerprint],
      stop: () => {
        run.kill('SIGTERM');
        return run.result;
      },
    };
  }

  /** A client key, its authorization with `options`, and a server. */
  async ready(options: string[] = [], words: string[] = [], run: RunOptions = {}): Promise<RunningServer> {
    await this.keygen();
    const flags = options.flatMap((option) => ['--option', option]);
    const done = await this.run(['authorize', this.path('config/e2eeftp/client_id.pub'), ...flags]);
    if (done.code !== 0) throw new Error(done.stderr);
    return this.serve(words, run);
  }

  /** Ends what still runs and removes the directory. */
  async dispose(): Promise<void> {
    for (const running of this.#running) running.kill('SIGKILL');
    await Promise.all(this.#running.map((running) => running.result.catch(() => undefined)));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Waits for a condition, at most 20 s. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await delay(20);
  }
}

/** The JSON objects of an output, one a line. */
export function events(text: string): CliEvent[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as CliEvent);
}
