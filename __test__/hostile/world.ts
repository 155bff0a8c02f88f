/**
 * What the hostile tests share: a sandbox with a server, library clients of it, and the questions that every test asks
 * in the end: is anything left behind, and is the next client served.
 */
import { litter } from '../leftovers.js';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Client, connect, type ConnectOptions } from '../../dist/index.js';
import { type RunningServer, type RunResult, Sandbox, until } from '../cli/run.js';

export { until };
export type { RunningServer, RunResult };

/** A sandbox that goes away with the test. */
export function sandbox(t: ExecutionContext): Sandbox {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  return box;
}

/** A sandbox with a server that the sandbox's own key may use. */
export async function ready(
  t: ExecutionContext,
  words: string[] = [],
): Promise<{ box: Sandbox; server: RunningServer }> {
  const box = sandbox(t);
  return { box, server: await box.ready([], words) };
}

/** Where a client of the library connects to, and with which key. */
export function clientOptions(box: Sandbox, server: RunningServer): ConnectOptions & { port: number } {
  return {
    host: '127.0.0.1',
    port: server.port,
    identity: box.path('config/e2eeftp/client_id.key'),
    serverKey: server.fingerprint,
  };
}

/** A client of the library; it is closed with the test. */
export async function open(
  t: ExecutionContext,
  box: Sandbox,
  server: RunningServer,
  more: Partial<ConnectOptions> = {},
): Promise<Client> {
  const client = await connect({ reconnectMs: 0, ...clientOptions(box, server), ...more });
  t.teardown(() => client.close());
  return client;
}

/** The options of a command line whose packets go through a proxy at `port`. */
export function through(port: number, server: RunningServer): string[] {
  return ['-P', String(port), '--server-key', server.fingerprint];
}

/** Every path below a directory, relative, as Latin-1 so that any name survives; links are not followed. */
export function tree(directory: string): string[] {
  const found: string[] = [];
  const visit = (relative: string): void => {
    const here = Buffer.concat([Buffer.from(directory), Buffer.from(relative, 'latin1')]);
    for (const entry of readdirSync(here, { withFileTypes: true, encoding: 'buffer' })) {
      const path = `${relative}/${(entry.name as unknown as Buffer).toString('latin1')}`;
      found.push(path.slice(1));
      if (entry.isDirectory()) visit(path);
    }
  };
  visit('');
  return found.toSorted();
}

/** The staged files below some directories. */
export function leftovers(...directories: string[]): string[] {
  return directories.flatMap((directory) => litter(tree(directory)));
}

/** Nothing staged is left in the server's root, or will be in a moment. */
export async function assertClean(t: ExecutionContext, box: Sandbox, ...more: string[]): Promise<void> {
  const directories = [box.path('files'), ...more];
  await until(() => leftovers(...directories).length === 0, `${leftovers(...directories).join()} to go away`);
  t.deepEqual(leftovers(...directories), []);
}

let probes = 0;

/** The next client is served: a file goes there and back, and is gone again. */
export async function assertServes(t: ExecutionContext, box: Sandbox, server: RunningServer): Promise<void> {
  probes += 1;
  const name = `probe-${probes}`;
  const content = randomBytes(200_000);
  const [source, copy] = [box.write(`${name}.source`, content), box.path(`${name}.copy`)];
  const client = await connect(clientOptions(box, server));
  try {
    await client.send(source, name);
    await client.get(name, copy);
    await client.delete(name);
  } finally {
    await client.close();
  }
  t.true(readFileSync(copy).equals(content), 'the probe came back as it was');
  rmSync(source);
  rmSync(copy);
}

/** The command line ended with this exit code and told this error, with nothing that looks like a crash. */
export function assertError(t: ExecutionContext, result: RunResult, exitCode: number, code: string): void {
  t.is(result.code, exitCode, result.stderr);
  t.true(result.stderr.includes(`error[E2EEFTP_${code}]: `), result.stderr);
  t.notRegex(result.stderr, /^\s+at |INTERNAL|undefined|\[object/m);
  t.is(result.stdout, '');
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A file of `length` bytes that no two calls share. */
export function randomFile(box: Sandbox, name: string, length: number): Buffer {
  const content = randomBytes(length);
  box.write(name, content);
  return content;
}

/** Reproducible numbers (mulberry32): a failure names its seed, and `HOSTILE_SEED` repeats it. */
export class Dice {
  readonly seed: number;
  #state: number;

  constructor(seed: number = Number(process.env['HOSTILE_SEED'] ?? randomBytes(4).readUInt32BE())) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }
}

/** Lines of the server's log so far that match. */
export function logged(server: RunningServer, pattern: RegExp): string[] {
  return server.run.stderr.split('\n').filter((line) => pattern.test(line));
}

/** Takes every key off the list. */
export function authorizeNobody(box: Sandbox): void {
  writeFileSync(join(box.path('data'), 'e2eeftp/authorized_clients.pub'), '# nobody\n');
}
