/**
 * The original Python e2eeftp as a black box. Its server takes any name, so it runs as a user without rights, in a
 * directory of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import { root } from '../house/project-files.js';
import { rawIdentity } from './raw-peer.js';

/** The versions that are tested: the oldest and the last of this wire format. */
export const VERSIONS = ['0.0.0b4', '0.0.0'] as const;
const NOBODY = 65_534;
const LIMIT_MS = 100_000;

/** One installation in a directory of its own, with its keys. */
export class PythonPeer {
  readonly dir: string;
  readonly #python: string;
  readonly #running: ChildProcess[] = [];

  private constructor(dir: string, python: string) {
    this.dir = dir;
    this.#python = python;
  }

  /**
   * Makes the directory and its key files.
   *
   * @param how.genuine let the package itself make the keys, which takes a start of Python.
   */
  static async install(
    t: ExecutionContext,
    version: (typeof VERSIONS)[number],
    how: { readonly genuine?: boolean } = {},
  ): Promise<PythonPeer> {
    const installed = join(root, '.build/python-peer');
    if (!existsSync(join(installed, 'ready'))) {
      throw new Error('the original Python e2eeftp is not installed: run scripts/install-test-tools.sh');
    }
    const dir = mkdtempSync(join(tmpdir(), 'e2eeftp-python-'));
    const peer = new PythonPeer(dir, reachable(t, join(installed, version), dir));
    t.teardown(() => peer.#dispose());
    copyFileSync(join(root, '__test__/classic/python-peer.py'), peer.path('peer.py'));
    chmodSync(peer.path('peer.py'), 0o644);
    if (process.getuid?.() === 0) chownSync(dir, NOBODY, NOBODY);
    if (how.genuine === true) await peer.#run(['keys']).output;
    else peer.#writeKeys();
    return peer;
  }

  /** The same files in the same forms. */
  #writeKeys(): void {
    const [server, client] = [rawIdentity(), rawIdentity()];
    writeFileSync(this.path('server_id.key'), server.pem);
    writeFileSync(this.path('known_server.pub'), server.publicPem);
    writeFileSync(this.path('client_id.key'), client.pem);
    writeFileSync(this.path('authorized_clients.pub'), `${client.line}\n`);
    for (const name of ['server_id.key', 'client_id.key']) chmodSync(this.path(name), 0o644);
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  read(name: string): Buffer {
    return readFileSync(this.path(name));
  }

  /** Starts its server and returns the port; it ends with the test. */
  async serve(): Promise<number> {
    const { child, heard } = this.#run(['serve']);
    this.#running.push(child);
    return Number(await heard(/^PORT (\d+)$/m));
  }

  /** Calls methods of its client, `name` or `name=argument`, and returns what each returned. */
  async call(port: number, ...calls: readonly string[]): Promise<unknown[]> {
    const { heard } = this.#run(['call', String(port), ...calls]);
    return JSON.parse(await heard(/^RESULTS (.*)$/m)) as unknown[];
  }

  #run(words: readonly string[]) {
    const command = [this.#python, this.path('peer.py'), ...words];
    const child = spawn(...unprivileged(command), {
      cwd: this.dir,
      env: { PATH: process.env['PATH'] ?? '', HOME: this.dir, LANG: 'C.UTF-8' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    let said: () => void = () => undefined;
    const listen = (chunk: Buffer): void => {
      text += chunk.toString();
      said();
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
    const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    const output = new Promise<string>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        clearTimeout(limit);
        if (code === 0 || signal === 'SIGTERM') resolve(text);
        else reject(new Error(`${command.join(' ')} ended with ${code ?? signal}:\n${text}`));
      });
    });
    /** Waits for a line and returns what its group matched. */
    const heard = async (pattern: RegExp): Promise<string> => {
      const found = new Promise<string>((resolve) => {
        said = () => {
          const match = pattern.exec(text);
          if (match !== null) resolve(match[1] ?? '');
        };
        said();
      });
      const ended = output.then(
        (all) => pattern.exec(all)?.[1] ?? Promise.reject(new Error(`nothing heard in:\n${all}`)),
      );
      return Promise.race([found, ended]);
    };
    output.catch(() => undefined);
    return { child, output, heard };
  }

  #dispose(): void {
    for (const child of this.#running) child.kill('SIGTERM');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** As a user who may write nothing but the directory; who is none of root's runs it as himself. */
function unprivileged([command = '', ...words]: readonly string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [command, words];
  const drop = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs'];
  return ['setpriv', [...drop, command, ...words]];
}

/** The interpreter, copied to where the user without rights can reach it when the checkout is closed to him. */
function reachable(t: ExecutionContext, installed: string, dir: string): string {
  const python = join(installed, 'python');
  if (spawnSync(...unprivileged(['test', '-x', python])).status === 0) return python;
  const copy = mkdtempSync(join(tmpdir(), 'e2eeftp-python-'));
  t.teardown(() => rmSync(copy, { recursive: true, force: true }));
  chmodSync(copy, 0o755);
  cpSync(installed, copy, { recursive: true, verbatimSymlinks: true });
  const check = spawnSync(...unprivileged(['test', '-x', join(copy, 'python')]), { encoding: 'utf8' });
  if (check.status === 0) return join(copy, 'python');
  throw new Error(`the Python peer does not run in ${dir}: ${check.error?.message ?? check.stderr}`);
}
