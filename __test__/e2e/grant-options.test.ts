import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { E2eeftpError } from '../../dist/index.js';
import type { Client, ErrorCode } from '../../dist/index.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { startPair } from './pair.js';

/** Every option of `authorized_clients.pub`, in values that matter to the model below. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  'read-only': ['read-only'],
  'upload-only': ['upload-only'],
  'no-overwrite': ['no-overwrite'],
  'no-delete': ['no-delete'],
  path: ['path="/"', 'path=/in', 'path="/in/deep er"'],
  'max-size': ['max-size=0', 'max-size=4', 'max-size=1K'],
  expires: ['expires=2001-09-09', 'expires=2999-12-31', 'expires=2999-12-31T23:59:59+01:00'],
  user: ['user=ann', 'user="a, \\"b\\""'],
  from: [
    'from=127.0.0.1',
    'from="10.0.0.0/8,::ffff:127.0.0.0/104"',
    'from="127.0.0.0/8,2001:db8::/32"',
    'from="10.0.0.0/8,::1"',
    'from=::/0',
  ],
};
/** Those of them that keep everybody out. */
const LOCKED_OUT: ReadonlySet<string> = new Set(['expires=2001-09-09', 'from="10.0.0.0/8,::1"', 'from=::/0']);
const PATHS: Readonly<Record<string, string>> = { 'path=/in': 'in', 'path="/in/deep er"': 'in/deep er' };
const SIZES: Readonly<Record<string, number>> = { 'max-size=0': 0, 'max-size=4': 4, 'max-size=1K': 1024 };

type Overwrite = 'replace' | 'refuse' | 'rename';
type Step =
  | { readonly do: 'send'; readonly name: string; readonly size: number; readonly overwrite: Overwrite }
  | { readonly do: 'get' | 'stat' | 'delete'; readonly name: string }
  | { readonly do: 'list' };

/** What an option list permits, by the words of `docs/CLI.md`: written apart from the product. */
class Model {
  readonly files: Map<string, number>;
  readonly #options: ReadonlySet<string>;

  constructor(options: readonly string[], files: ReadonlyMap<string, number>) {
    this.#options = new Set(options);
    this.files = new Map(files);
  }

  get directory(): string {
    return [...this.#options].map((option) => PATHS[option]).find((path) => path !== undefined) ?? '';
  }

  /** The refusal of a step, or `null`; the files are as after it. */
  run(step: Step): ErrorCode | null {
    const has = (option: string): boolean => this.#options.has(option);
    if (step.do === 'send') return this.#send(step.name, step.size, step.overwrite);
    if (step.do === 'delete' && (has('read-only') || has('upload-only') || has('no-delete')))
      return 'E2EEFTP_NOT_PERMITTED';
    if (step.do !== 'delete' && has('upload-only')) return 'E2EEFTP_NOT_PERMITTED';
    if (step.do === 'list') return null;
    if (!this.files.has(step.name)) return 'E2EEFTP_NOT_FOUND';
    if (step.do === 'delete') this.files.delete(step.name);
    return null;
  }

  #send(wanted: string, size: number, overwrite: Overwrite): ErrorCode | null {
    if (this.#options.has('read-only')) return 'E2EEFTP_NOT_PERMITTED';
    const isTaken = this.files.has(wanted);
    const mayReplace = overwrite === 'replace' && !this.#options.has('no-overwrite');
    if (isTaken && overwrite !== 'rename' && !mayReplace) return 'E2EEFTP_EXISTS';
    const limit = [...this.#options].map((option) => SIZES[option]).find((each) => each !== undefined);
    if (limit !== undefined && size > limit) return 'E2EEFTP_TOO_LARGE';
    let name = wanted;
    for (let number = 1; overwrite === 'rename' && this.files.has(name); number += 1) name = `${wanted} (${number})`;
    this.files.set(name, size);
    return null;
  }
}

const NAMES = ['old', 'new', 'other'];
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record<Step & { do: 'send' }>({
      do: fc.constant('send'),
      name: fc.constantFrom(...NAMES),
      size: fc.constantFrom(0, 4, 5, 1024, 1025),
      overwrite: fc.constantFrom<Overwrite>('replace', 'refuse', 'rename'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record<Step & { do: 'get' | 'stat' | 'delete' }>({
      do: fc.constantFrom('get', 'stat', 'delete'),
      name: fc.constantFrom(...NAMES),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ do: 'list' }) },
);
const optionList: fc.Arbitrary<string[]> = fc
  .shuffledSubarray(Object.keys(OPTIONS))
  .chain((names) => fc.tuple(...names.map((name) => fc.constantFrom(...(OPTIONS[name] ?? [])))));

async function perform(client: Client, each: Step, local: string): Promise<unknown> {
  const { do: verb } = each;
  if (verb === 'list') {
    const names: string[] = [];
    for await (const { name } of client.list('/')) names.push(name);
    return names;
  }
  const path = `/${each.name}`;
  if (verb === 'send') {
    const file = join(local, 'source');
    await writeFile(file, Buffer.alloc(each.size, 1));
    return client.send(file, path, { overwrite: each.overwrite });
  }
  if (verb === 'get') return client.get(path, join(local, 'copy'));
  return verb === 'stat' ? client.stat(path) : client.delete(path);
}

async function outcome(work: Promise<unknown>): Promise<ErrorCode | null> {
  try {
    await work;
    return null;
  } catch (error) {
    if (E2eeftpError.is(error)) return error.code;
    throw error;
  }
}

test('whatever options a line has, in whatever order, the server does what the model says', async (t) => {
  const list = join(await temporaryDirectory(t), 'authorized_clients.pub');
  const { root, local, identity, client, errors } = await startPair(t, { authorizedClients: list });
  let logins = 0;
  await fc.assert(
    fc.asyncProperty(optionList, fc.array(step, { minLength: 4, maxLength: 12 }), async (options, steps) => {
      for (const name of await readdir(root)) await rm(join(root, name), { recursive: true });
      await writeFile(join(root, 'outside'), 'outside');
      await writeFile(list, `${options.join(',')}${options.length > 0 ? ' ' : ''}${identity.publicKey.openssh}\n`);
      const contradicts = options.includes('read-only') && options.includes('upload-only');
      if (contradicts || options.some((option) => LOCKED_OUT.has(option))) {
        t.is(await outcome(client()), 'E2EEFTP_AUTH_REFUSED', options.join(','));
        return;
      }
      logins += 1;
      const model = new Model(options, new Map([['old', 3]]));
      const home = join(root, model.directory);
      await mkdir(home, { recursive: true });
      await writeFile(join(home, 'old'), 'old');
      if (model.directory === '') model.files.set('outside', 7);
      const peer = await client();
      for (const each of steps) {
        const wanted = model.run(each);
        t.is(await outcome(perform(peer, each, local)), wanted, `${options.join(',')} ${JSON.stringify(each)}`);
      }
      await peer.close();
      const there = new Map<string, number>();
      for (const name of await readdir(home)) {
        const info = await stat(join(home, name));
        if (info.isFile()) there.set(name, info.size);
      }
      t.deepEqual(Object.fromEntries(there), Object.fromEntries(model.files), options.join(','));
      t.is((await stat(join(root, 'outside'))).size, 7);
    }),
    { numRuns: 120 },
  );
  t.true(logins > 10, 'not every case is a refused login');
  t.deepEqual(errors, []);
});

test('an option that is given twice refuses the line, in any order', async (t) => {
  const list = join(await temporaryDirectory(t), 'authorized_clients.pub');
  const { identity, client } = await startPair(t, { authorizedClients: list });
  const harmless = ['no-delete', 'path="/"', 'max-size=5', 'user=ann', 'from=127.0.0.1', 'expires=2999-01-01'];
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(harmless, { minLength: 1 }), fc.nat(), fc.nat(), async (options, from, to) => {
      const twice = options[from % options.length] ?? '';
      const line = options.toSpliced(to % (options.length + 1), 0, twice).join(',');
      await writeFile(list, `${line} ${identity.publicKey.openssh}\n`);
      t.is(await outcome(client()), 'E2EEFTP_AUTH_REFUSED', line);
      await writeFile(list, `${options.join(',')} ${identity.publicKey.openssh}\n`);
      const peer = await client();
      await peer.close();
    }),
    { numRuns: 20 },
  );
});
