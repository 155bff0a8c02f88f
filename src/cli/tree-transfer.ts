/** What the command line tells of a directory on its way: single names as they happen, and one line at the end. */
import {
  type Client,
  displayName,
  E2eeftpError,
  type GetTreeOptions,
  joinRemote,
  type OnProgress,
  type Retry,
  type TreeFailure,
  type TreeName,
  type TreeResult,
} from '../index.js';
import type { CliContext } from './context.js';
import { formatBytes, formatDuration } from './human-units.js';
import { reportError } from './report-error.js';
import type { TransferOptions } from './transfer-options.js';
import type { TreeChoices } from './tree-options.js';

/** A directory that was moved, or with `--dry-run` would be. */
export interface TreeMoved {
  tree: TreeResult;
  /** Its name at the destination. */
  target: string;
}

/** Where a directory is and where it goes. */
export interface TreeRoute {
  direction: 'send' | 'get';
  source: string;
  target: string;
  /** As it is shown. */
  shownTarget: string;
}

/** Who hears how it goes. */
export interface Watching {
  onProgress?: OnProgress;
  onRetry?: (retry: Retry) => void;
}

/** Moves one directory. */
export async function moveTree(
  context: CliContext,
  client: Client,
  route: TreeRoute,
  options: TransferOptions,
  choices: TreeChoices,
  watching: Watching = {},
): Promise<TreeMoved> {
  const { overwrite, preserve, dryRun, moving } = options;
  const { durability, limitRate, connections, delta, reconnectMs } = moving;
  const tell = new Teller(context, route, dryRun);
  const { paths, ...chosen } = choices;
  const how: GetTreeOptions = {
    ...chosen,
    ...(paths === null ? {} : { paths }),
    // The library says what it thinks of `rename`.
    overwrite: overwrite as 'replace' | 'refuse',
    preserve,
    dryRun,
    ...(durability === undefined ? {} : { durability }),
    ...(limitRate === undefined ? {} : { limitRate }),
    ...(tell.wantsFiles ? { onFile: (file: TreeName) => tell.file(file) } : {}),
    ...(connections === undefined ? {} : { connections }),
    ...(delta === undefined ? {} : { delta }),
    reconnectMs,
    ...watching,
    onDelete: (name) => tell.deleted(name),
    onFailure: (failure) => tell.failed(failure),
    signal: context.signal,
  };
  const tree =
    route.direction === 'send'
      ? await client.sendTree(route.source, route.target, how)
      : await client.getTree(route.source, route.target, how);
  return { tree, target: route.shownTarget };
}

/** One line about a directory. */
export function describeTree(tree: TreeResult, dryRun: boolean): string {
  const would = dryRun ? 'would move ' : '';
  const parts = [`${would}${tree.files} files, ${formatBytes(tree.bytes)} in ${formatDuration(tree.seconds)}`];
  if (tree.skippedFiles > 0) parts.push(`${tree.skippedFiles} there already`);
  if (tree.directories > 0) parts.push(`${tree.directories} directories made`);
  if (tree.links > 0) parts.push(`${tree.links} links`);
  if (tree.deleted > 0) parts.push(`${tree.deleted} deleted`);
  if (tree.failed > 0) parts.push(`${tree.failed} failed`);
  else if (!dryRun) parts.push('verified');
  return parts.join(', ');
}

class Teller {
  readonly #context: CliContext;
  readonly #route: TreeRoute;
  readonly #dryRun: boolean;

  constructor(context: CliContext, route: TreeRoute, dryRun: boolean) {
    this.#context = context;
    this.#route = route;
    this.#dryRun = dryRun;
  }

  /** A million lines help nobody: only a dry run and `-v` tell of each file. */
  get wantsFiles(): boolean {
    return this.#dryRun || this.#context.output.verbosity > 0;
  }

  file({ path, bytes }: TreeName): void {
    this.#context.alive();
    const { output } = this.#context;
    const { source, shownTarget } = this.#route;
    if (output.json) {
      output.event({
        type: 'file',
        source: joinRemote(source, path),
        target: joinRemote(shownTarget, path),
        action: this.#dryRun ? 'would-move' : 'moved',
        bytes,
        seconds: 0,
        root: null,
        verified: !this.#dryRun,
      });
    } else {
      output.note(`${this.#dryRun ? 'would move ' : ''}${displayName(path)} (${formatBytes(bytes)})`);
    }
  }

  deleted({ path }: TreeName): void {
    this.#context.alive();
    const { output } = this.#context;
    const { source, shownTarget } = this.#route;
    if (output.json) {
      const action = this.#dryRun ? 'would-delete' : 'deleted';
      const file = { source: joinRemote(source, path), target: joinRemote(shownTarget, path) };
      output.event({ type: 'file', ...file, action, bytes: 0, seconds: 0, root: null, verified: false });
    } else {
      output.note(`${this.#dryRun ? 'would delete' : 'deleted'} ${displayName(joinRemote(shownTarget, path))}`);
    }
  }

  failed({ path, error }: TreeFailure): void {
    // The library names the path within the tree; here the source is named with it.
    const cause = E2eeftpError.is(error.cause) ? error.cause : error;
    reportError(this.#context.output, cause, joinRemote(this.#route.source, path));
  }
}
