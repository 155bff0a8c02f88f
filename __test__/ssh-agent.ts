/** A real `ssh-agent` of OpenSSH, with the software security key of its own tests. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { temporaryDirectory } from './temporary-directory.js';

/** Where Debian's package `openssh-tests` has it; `scripts/install-test-tools.sh` puts it there. */
export const SK_DUMMY = '/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so';

/** An agent with a directory for its keys. It ends with the test. */
export class SshAgent {
  readonly socket: string;
  readonly directory: string;
  readonly #stop: () => Promise<void>;

  private constructor(directory: string, stop: () => Promise<void>) {
    this.directory = directory;
    this.socket = join(directory, 'socket');
    this.#stop = stop;
  }

  static async start(t: ExecutionContext): Promise<SshAgent> {
    if (!existsSync(SK_DUMMY)) throw new Error(`there is no ${SK_DUMMY}: run scripts/install-test-tools.sh`);
    const directory = await temporaryDirectory(t);
    const socket = join(directory, 'socket');
    const child = spawn('ssh-agent', ['-D', '-P', SK_DUMMY, '-a', socket], { stdio: 'ignore' });
    let failure: unknown;
    child.on('error', (error) => (failure = error));
    const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
    const stop = async (): Promise<void> => {
      child.kill();
      await ended;
    };
    t.teardown(stop);
    while (!existsSync(socket)) {
      if (failure !== undefined || child.exitCode !== null) {
        throw new Error('ssh-agent does not run: install the package openssh-client', { cause: failure });
      }
      await delay(10);
    }
    return new SshAgent(directory, stop);
  }

  /** The environment of a program that is to use the agent. */
  get env(): Record<string, string> {
    return { SSH_AUTH_SOCK: this.socket };
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Makes a key with `ssh-keygen`, with the name as its comment; returns its public line. */
  make(name: string, type: 'ed25519' | 'ed25519-sk' | 'rsa', passphrase = ''): string {
    const provider = type === 'ed25519-sk' ? ['-w', SK_DUMMY] : [];
    this.#run('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', name, '-f', this.path(name), ...provider]);
    return readFileSync(this.path(`${name}.pub`), 'utf8').trim();
  }

  /** Makes a key without passphrase and gives it to the agent; returns its public line. */
  add(name: string, type: 'ed25519' | 'ed25519-sk' | 'rsa'): string {
    const line = this.make(name, type);
    this.#run('ssh-add', ['-q', ...(type === 'ed25519-sk' ? ['-S', SK_DUMMY] : []), this.path(name)]);
    return line;
  }

  /** Takes all keys from the agent. */
  clear(): void {
    this.#run('ssh-add', ['-q', '-D']);
  }

  /** Ends the agent; its socket stays behind. */
  stop(): Promise<void> {
    return this.#stop();
  }

  #run(program: string, words: string[]): void {
    const env = { ...process.env, ...this.env, SSH_ASKPASS_REQUIRE: 'never' };
    execFileSync(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  }
}
