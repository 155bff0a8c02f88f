/**
 * Requests without a body that may take long, such as a copy: the client hears from them while they run, and ends them
 * with Stop, or by going away (`docs/PROTOCOL.md` §7.3).
 */
import { E2eeftpError } from '../errors.js';
import { NativeTransfer, native } from '../native.js';
import type { Exchange } from './exchange.js';
import { STATUS_AT_WORK } from './status.js';

/** How often the server looks whether the client still wants the answer, in milliseconds. */
const LOOK_MS = 250;
/** So many looks from one sign of life to the next: one second. */
const LOOKS_PER_SIGN = 4;

/**
 * Runs an operation that counts and can be cancelled by its transfer.
 *
 * @throws E2eeftpError `E2EEFTP_PEER_STOPPED` after a Stop of the client; what `run` throws; why the session is dead.
 */
export async function runLong<T>(exchange: Exchange, run: (transfer: NativeTransfer) => Promise<T>): Promise<T> {
  const { signal } = exchange.session;
  signal.throwIfAborted();
  const transfer = new NativeTransfer();
  const watch = new Watch(exchange, transfer);
  const cancel = (): void => transfer.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await native(() => run(transfer));
  } catch (error) {
    signal.throwIfAborted();
    await watch.end();
    throw E2eeftpError.is(error, 'E2EEFTP_ABORTED') && watch.isStopped
      ? new E2eeftpError('E2EEFTP_PEER_STOPPED', 'Stopped by the client', { cause: error })
      : error;
  } finally {
    signal.removeEventListener('abort', cancel);
    // No sign of life may come behind the final reply.
    await watch.end();
  }
}

/** Looks and tells, from its construction to its end. */
class Watch {
  /** Whether the client has said Stop. */
  isStopped = false;
  readonly #exchange: Exchange;
  readonly #transfer: NativeTransfer;
  readonly #watching: Promise<void>;
  #failure: unknown = null;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(exchange: Exchange, transfer: NativeTransfer) {
    this.#exchange = exchange;
    this.#transfer = transfer;
    this.#watching = this.#watch();
  }

  /** Ends; throws what killed the session meanwhile. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#wake();
    await this.#watching;
    if (this.#failure !== null) throw this.#failure;
  }

  async #watch(): Promise<void> {
    try {
      for (let looks = 1; await this.#pause(); looks += 1) {
        if (await this.#exchange.heardStop()) {
          this.isStopped = true;
          this.#transfer.cancel();
        }
        if (looks % LOOKS_PER_SIGN === 0) await this.#tell();
      }
    } catch (error) {
      this.#failure = error;
      this.#transfer.cancel();
    }
  }

  /** Waits for the next look; false when there is none. */
  async #pause(): Promise<boolean> {
    if (this.#isOver) return false;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, LOOK_MS);
    });
    clearTimeout(timer);
    return !this.#isOver;
  }

  async #tell(): Promise<void> {
    const { transferred, total } = this.#transfer.progress();
    await this.#exchange.reply(STATUS_AT_WORK, 'At work', { transferred, total: total < 0 ? null : total });
  }
}
