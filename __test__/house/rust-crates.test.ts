import { execFileSync } from 'node:child_process';

import test from 'ava';

import { root } from './project-files.js';

interface Package {
  readonly id: string;
  readonly name: string;
  readonly dependencies: readonly { readonly name: string; readonly kind: string | null }[];
}

interface Metadata {
  readonly packages: readonly Package[];
  readonly workspace_members: readonly string[];
  readonly resolve: {
    readonly nodes: readonly {
      readonly id: string;
      readonly deps: readonly {
        readonly pkg: string;
        readonly dep_kinds: readonly { readonly kind: string | null }[];
      }[];
    }[];
  };
}

/** What each crate of the project may depend on within the project. */
const BELOW: Readonly<Record<string, readonly string[]>> = {
  'e2eeftp-core': [],
  'e2eeftp-vfs': ['e2eeftp-core'],
  'e2eeftp-net': ['e2eeftp-core', 'e2eeftp-vfs'],
  'e2eeftp-napi': ['e2eeftp-core', 'e2eeftp-vfs', 'e2eeftp-net'],
};

/** What must not be in a crate's dependency tree, at any depth, tests aside. */
const FORBIDDEN: Readonly<Record<string, RegExp>> = {
  'e2eeftp-core': /^(tokio|mio|socket2|async-.*|napi|napi-.*|rustix)$/,
  'e2eeftp-vfs': /^(tokio|mio|socket2|async-.*|napi|napi-.*)$/,
  'e2eeftp-net': /^(napi|napi-.*)$/,
};

const metadata = readMetadata();

test('crates depend on each other in one direction', (t) => {
  const own = metadata.packages.filter(({ id }) => metadata.workspace_members.includes(id));
  t.deepEqual(own.map(({ name }) => name).toSorted(), Object.keys(BELOW).toSorted());
  for (const { name, dependencies } of own) {
    const inside = dependencies.map((dependency) => dependency.name).filter((to) => to in BELOW);
    const wrong = inside.filter((to) => !BELOW[name]?.includes(to));
    t.deepEqual(wrong, [], `${name} must not depend on these`);
  }
});

for (const [name, forbidden] of Object.entries(FORBIDDEN)) {
  test(`${name} stays free of ${forbidden.source}`, (t) => {
    t.deepEqual(
      dependencyTree(name).filter((dependency) => forbidden.test(dependency)),
      [],
    );
  });
}

test('the dependency tree that is searched goes to the bottom', (t) => {
  t.true(dependencyTree('e2eeftp-net').includes('tokio'));
  t.true(dependencyTree('e2eeftp-napi').includes('mio'), 'a dependency of tokio');
});

test('no second TLS or crypto provider comes in through a dependency', (t) => {
  const names = metadata.packages.map(({ name }) => name);
  t.deepEqual(
    names.filter((name) => /^(aws-lc-.*|openssl.*|native-tls)$/.test(name)),
    [],
  );
});

/** Names of everything that `name` is built from, itself left out. */
function dependencyTree(name: string): string[] {
  const nameOf = new Map(metadata.packages.map((item) => [item.id, item.name]));
  const nodeOf = new Map(metadata.resolve.nodes.map((node) => [node.id, node]));
  const start = metadata.packages.find((item) => item.name === name)?.id ?? '';
  const seen = new Set<string>();
  const waiting = [start];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    for (const dependency of nodeOf.get(id)?.deps ?? []) {
      if (seen.has(dependency.pkg)) continue;
      if (dependency.dep_kinds.every(({ kind }) => kind === 'dev')) continue;
      seen.add(dependency.pkg);
      waiting.push(dependency.pkg);
    }
  }
  return [...seen].map((id) => nameOf.get(id) ?? id);
}

function readMetadata(): Metadata {
  const host = /^host: (.+)$/m.exec(cargo('rustc', ['-vV']))?.[1] ?? '';
  const output = cargo('cargo', [
    'metadata',
    '--format-version=1',
    '--locked',
    '--offline',
    `--filter-platform=${host}`,
  ]);
  return JSON.parse(output) as Metadata;
}

function cargo(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
}
