/**
 * Uploads by blocks that a server is receiving. A client whose connection broke comes again before its server has noticed:
 * then the old try has to make room for the new one.
 */
import { settlesWithin } from './settles-within.js';

/** A try that has moved nothing for so long is given up for a new one of the same client, in milliseconds. */
const SILENT_MS = 5_000;
/** How long a try that was given up may take to let go of its file, in milliseconds. */
const LET_GO_MS = 10_000;
/** How long others are waited for, which may be about to end, in milliseconds. */
const GRACE_MS = 1_000;

/** Tells how far it has come. */
interface Moving {
  progress(): { readonly transferred: number };
}

interface Running {
  /** Chosen by the client for one run; the same one in each of its tries. */
  readonly run: string;
  readonly cut: () => void;
  readonly ended: Promise<void>;
  transfer: Moving | null;
  moved: number;
  movedAt: number;
}

/** A try that is under way; `end` must be called when it has let go of its file. */
export interface RunningUpload {
  /** What the try is judged by: while it moves, it is not silent. */
  watch(transfer: Moving): void;
  end(): void;
}

/** The uploads of one server. */
export class RunningUploads {
  readonly #running = new Map<string, Set<Running>>();

  /**
   * Notes a try, once earlier ones have made room: those of the same run, or that stand still, are ended and waited for.
   *
   * @param cut ends the session of this one at once.
   */
  async begin(owner: string, target: Buffer, run: string, cut: () => void): Promise<RunningUpload> {
    const name = nameOf(owner, target);
    const tries = this.#running.get(name) ?? new Set();
    this.#running.set(name, tries);
    const others = [...tries];
    let resolve: () => void = () => undefined;
    const ended = new Promise<void>((settle) => {
      resolve = settle;
    });
    const entry: Running = { run, cut, ended, transfer: null, moved: 0, movedAt: performance.now() };
    tries.add(entry);
    const watch = setInterval(() => look(entry), SILENT_MS / 5);
    watch.unref();
    const stale = others.filter((other) => other.run === run || isSilent(other));
    for (const other of stale) other.cut();
    await settlesWithin(allEnded(stale), LET_GO_MS);
    await settlesWithin(allEnded(others), GRACE_MS);
    return {
      watch: (transfer) => {
        entry.transfer = transfer;
        entry.movedAt = performance.now();
      },
      end: () => {
        clearInterval(watch);
        tries.delete(entry);
        if (tries.size === 0 && this.#running.get(name) === tries) this.#running.delete(name);
        resolve();
      },
    };
  }
}

async function allEnded(tries: readonly Running[]): Promise<void> {
  await Promise.all(tries.map(({ ended }) => ended));
}

function look(entry: Running): void {
  const { transferred } = entry.transfer?.progress() ?? { transferred: entry.moved };
  if (transferred === entry.moved) return;
  entry.moved = transferred;
  entry.movedAt = performance.now();
}

function isSilent(entry: Running): boolean {
  look(entry);
  return performance.now() - entry.movedAt >= SILENT_MS;
}

function nameOf(owner: string, target: Buffer): string {
  return `${owner}\0${target.toString('latin1')}`;
}
