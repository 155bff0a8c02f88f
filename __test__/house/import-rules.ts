// Which TypeScript file may import which: `cli -> index -> server | client -> feature ->
// identity | accounts | storage -> native -> errors`.

import { posix } from 'node:path';

import { withoutComments } from './project-files.js';

/** The floors of the house. An import goes down, or stays within its own folder. */
const FLOORS: readonly (readonly [pattern: RegExp, floor: number, folder: string])[] = [
  [/^src\/cli\//, 7, 'cli'],
  [/^src\/index\.ts$/, 6, 'index'],
  [/^src\/classic\/client\//, 5, 'classic/client'],
  [/^src\/server\//, 4, 'server'],
  [/^src\/e2eeftp\/client\//, 4, 'client'],
  [/^src\/e2eeftp\//, 3, 'e2eeftp'],
  [/^src\/classic\//, 3, 'classic'],
  [/^src\/(identity|accounts|storage|hooks)\//, 2, 'below'],
  [/^src\/native(-binary)?\.ts$/, 1, 'native'],
  [/^src\/errors\.ts$/, 0, 'errors'],
];

/** The types of the `--json` events are public, so the library's export list names them. */
const PUBLIC_CLI_TYPES = 'src/cli/events.ts';

/**
 * The rules that one file breaks.
 *
 * @param path of the file, relative to the checkout
 * @param source its text
 * @returns one sentence for each fault
 */
export function importFaults(path: string, source: string): string[] {
  return importsOf(source).flatMap(({ specifier, isType }) => {
    if (!specifier.startsWith('.')) return [];
    const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts');
    const fault = faultOf(path, target, isType);
    return fault === undefined ? [] : [`${path} imports ${specifier}: ${fault}`];
  });
}

/** Constants and pure functions that the command line takes directly: `--help` must not load the native addon. */
export const CLI_SHORTCUTS: ReadonlySet<string> = new Set([
  'src/identity/read-small-file.ts',
  'src/identity/server-address.ts',
]);

function faultOf(path: string, target: string, isType: boolean): string | undefined {
  if (target === 'index.ts') {
    return path === 'src/native.ts' ? undefined : 'only src/native.ts knows the bindings';
  }
  const from = floorOf(path);
  const to = floorOf(target);
  if (from === undefined) return 'this file stands on no floor: name it in import-rules.ts';
  if (to === undefined) return 'the target stands on no floor: name it in import-rules.ts';
  if (from.folder === to.folder) return undefined;
  if (path === 'src/index.ts' && target === PUBLIC_CLI_TYPES && isType) return undefined;
  if (from.folder === 'cli' && to.folder !== 'index' && !CLI_SHORTCUTS.has(target)) {
    return 'the command line uses only what the library exports';
  }
  return to.floor < from.floor ? undefined : `${from.folder} stands below ${to.folder}`;
}

function floorOf(path: string): { floor: number; folder: string } | undefined {
  const found = FLOORS.find(([pattern]) => pattern.test(path));
  return found === undefined ? undefined : { floor: found[1], folder: found[2] };
}

function importsOf(source: string): { specifier: string; isType: boolean }[] {
  const pattern = /\b(import|export)\b(\s+type\b)?[^'";]*?(?:\bfrom\s*|\(\s*|\s)'([^']+)'/g;
  return [...withoutComments(source).matchAll(pattern)].map((match) => ({
    specifier: match[3] ?? '',
    isType: match[2] !== undefined,
  }));
}
