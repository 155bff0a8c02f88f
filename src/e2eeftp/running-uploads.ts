/**
 * Uploads by blocks that a server is receiving. A client whose connection broke comes again before its server has noticed:
 * then the old try has to make room for the new one.
 */
import type { NativeTransfer } from '../native.js';
import { settlesWithin } from './settles-within.js';

/** A try that has moved nothing for so long is given up for a new one of the same client, in milliseconds. */
const SILENT_MS = 5_000;
/** How long a try that was given up may take to let go of its file, in milliseconds. */
const LET_GO_MS = 10_000;

interface Running {
  /** Chosen by the client for one run; the same one in each of its tries. */
  readonly run: string;
  readonly transfer: NativeTransfer;
  readonly cut: () => void;
  readonly ended: Promise<void>;
  moved: number;
  movedAt: number;
}

/** A try that is under way; `end` must be called when it is over. */
export interface RunningUpload {
  end(): void;
}

/** The uploads of one server. */
export class RunningUploads {
  readonly #running = new Map<string, Running>();

  /** Makes room: ends an earlier try of the same run, or one that stands still, and waits until it is over. */
  async makeRoom(owner: string, target: Buffer, run: string): Promise<void> {
    const earlier = this.#running.get(nameOf(owner, target));
    if (earlier === undefined || (earlier.run !== run && !isSilent(earlier))) return;
    earlier.cut();
    await settlesWithin(earlier.ended, LET_GO_MS);
  }

  /** Notes a try. @param cut ends its session at once. */
  begin(owner: string, target: Buffer, run: string, transfer: NativeTransfer, cut: () => void): RunningUpload {
    const name = nameOf(owner, target);
    let resolve: () => void = () => undefined;
    const ended = new Promise<void>((settle) => {
      resolve = settle;
    });
    const entry: Running = { run, transfer, cut, ended, moved: 0, movedAt: performance.now() };
    this.#running.set(name, entry);
    const watch = setInterval(() => look(entry), SILENT_MS / 5);
    watch.unref();
    return {
      end: () => {
        clearInterval(watch);
        if (this.#running.get(name) === entry) this.#running.delete(name);
        resolve();
      },
    };
  }
}

function look(entry: Running): void {
  const { transferred } = entry.transfer.progress();
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
