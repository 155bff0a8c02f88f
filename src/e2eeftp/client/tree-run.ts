/**
 * One tree under way on the client's side: its events, its large files on a connection of their own, and what it
 * comes to.
 */
import { E2eeftpError, isErrorCode } from '../../errors.js';
import { NativeTreeClient, native, nativeSync } from '../../native.js';
import type { NativeTreeCounts } from '../../native.js';
import { displayName } from '../../storage/display-name.js';
import { pathFromBytes, pathToBytes } from '../../storage/path-text.js';
import { isSessionDead } from '../exchange.js';
import type { ChannelOptions } from './channel.js';
import { Line } from './line.js';
import type { Progress } from './progress.js';
import type { Dial } from './side-channel.js';
import type { TransferResult } from './transfer-options.js';
import type { TreeOptions } from './tree-options.js';

/** Events taken at once. */
const BATCH = 256;
/** Large files that wait; more, and the dialog waits, too. */
const MAX_WAITING = 1000;

/** What a tree needs of its client. */
export interface TreeParts {
  readonly line: Line;
  readonly dial: Dial;
  readonly options: ChannelOptions;
  readonly reconnectMs: number;
  /** Of the server's key. */
  readonly serverFingerprint: string;
  /** Aborts when the client is closed. */
  readonly closing: AbortSignal;
}

/** Moves one large file; `path` is from the top of the tree. */
export type MoveLarge = (
  line: Line,
  path: string,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
) => Promise<TransferResult>;

/** A tree under way. */
export class TreeRun {
  readonly tree: NativeTreeClient;
  readonly #parts: TreeParts;
  readonly #options: TreeOptions;
  readonly #move: MoveLarge;
  readonly #failed: (error: unknown) => void;
  readonly #signal: AbortSignal;
  readonly #waiting: string[] = [];
  #side: Line | null = null;
  #wake: () => void = () => undefined;
  #isOver = false;
  #largeFiles = 0;
  #largeBytes = 0;
  #underWay = 0;
  #failures = 0;
  #deleted = 0;

  /** @param failed is told of a failure that ends all of it. */
  constructor(
    parts: TreeParts,
    options: TreeOptions,
    signal: AbortSignal,
    failed: (error: unknown) => void,
    move: MoveLarge,
  ) {
    this.#parts = parts;
    this.#options = options;
    this.#signal = signal;
    this.#failed = failed;
    this.#move = move;
    this.tree = new NativeTreeClient(options.onFile !== undefined);
    nativeSync(() => {
      for (const { action, pattern } of options.filter ?? []) {
        this.tree.addRule(action === 'include', pathToBytes(pattern));
      }
      for (const path of options.paths ?? []) this.tree.choose(pathToBytes(path));
    });
  }

  /** Runs the dialog; resolves when it and every large file are over. */
  async run(dialog: () => Promise<NativeTreeCounts>): Promise<NativeTreeCounts> {
    const listening = this.#guard(this.#listen());
    const moving = this.#guard(this.#moveLarges());
    try {
      return await dialog();
    } finally {
      // A dialog that never began has no end that the others would hear of.
      this.tree.finish();
      await listening;
      this.#isOver = true;
      this.#wake();
      await moving;
      await this.#side?.channel.close();
    }
  }

  /** Bytes beside those that the dialog itself has moved. */
  get largeBytes(): number {
    return this.#largeBytes + this.#underWay;
  }

  /** Large files that are complete and their bytes, and names that were removed. */
  get large(): { readonly files: number; readonly bytes: number; readonly deleted: number } {
    return { files: this.#largeFiles, bytes: this.#largeBytes, deleted: this.#deleted };
  }

  /** Names that failed, as far as this side has heard. */
  get failures(): number {
    return this.#failures;
  }

  async #guard(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#failed(error);
    }
  }

  async #listen(): Promise<void> {
    for (;;) {
      const events = await native(() => this.tree.events(BATCH));
      if (events.length === 0) return;
      for (const { kind, path: bytes, size, code, text } of events) {
        const path = pathFromBytes(bytes);
        if (kind === 'moved') this.#options.onFile?.({ path, bytes: size });
        else if (kind === 'deleted') {
          this.#deleted += 1;
          this.#options.onDelete?.({ path, bytes: size });
        } else if (kind === 'large') this.#waiting.push(path);
        else this.fail(path, new E2eeftpError(isErrorCode(code) ? code : 'E2EEFTP_IO', text ?? ''));
      }
      this.#wake();
      while (this.#waiting.length > MAX_WAITING && !this.#signal.aborted) await this.#pause();
    }
  }

  async #moveLarges(): Promise<void> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next === undefined) {
        if (this.#isOver) return;
        await this.#pause();
        continue;
      }
      try {
        if (!this.#signal.aborted) await this.#moveLarge(next);
      } finally {
        this.#underWay = 0;
        this.tree.settle();
        this.#wake();
      }
    }
  }

  async #moveLarge(path: string): Promise<void> {
    try {
      this.#side ??= await this.#open();
      const onProgress = ({ transferred }: Progress): void => {
        this.#underWay = transferred;
      };
      const { bytes } = await this.#move(this.#side, path, onProgress, this.#signal);
      this.#largeFiles += 1;
      this.#largeBytes += bytes;
      this.#options.onFile?.({ path, bytes });
    } catch (error) {
      if (this.#signal.aborted) return;
      if (!E2eeftpError.is(error) || isSessionDead(error)) throw error;
      this.fail(path, error);
    }
  }

  async #open(): Promise<Line> {
    const { dial, options: channel, reconnectMs, closing } = this.#parts;
    return new Line({ session: await dial(this.#signal), dial, channel, reconnectMs }, closing);
  }

  /** Counts and tells a name that failed. */
  fail(path: string, failure: unknown): void {
    const error = E2eeftpError.is(failure)
      ? failure
      : new E2eeftpError('E2EEFTP_IO', failure instanceof Error ? failure.message : 'failed', { cause: failure });
    this.#failures += 1;
    this.#options.onFailure?.({ path, error: error.within(displayName(path === '' ? '.' : path)) });
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const before = this.#wake;
      this.#wake = () => {
        before();
        resolve();
      };
      // What the other loop has done meanwhile, and an abort, are looked at in any case.
      setTimeout(resolve, 50).unref();
    });
    this.#wake = () => undefined;
  }
}
