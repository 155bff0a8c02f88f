/**
 * Ctrl-C, SIGTERM and `--timeout` as one abort signal.
 *
 * The first signal aborts what runs; if the process is not gone {@link GRACE_MS} later, or at a second signal, it ends
 * at once. What is left of an unfinished file then has no name, or a staged name that the next transfer sweeps away.
 */
import { E2eeftpError } from '../index.js';
import { EXIT } from './exit-code.js';

/** How long an aborted operation may take to tidy up. */
const GRACE_MS = 900;

/** How long, of that, the peer may take to answer an abort before its connection is dropped. */
export const PEER_GRACE_MS = 400;

/** The abort signal of one run. */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #timeoutMs: number | undefined;
  readonly #exit: (code: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #forced: NodeJS.Timeout | undefined;
  #exitCode: number | undefined;

  /**
   * @param timeoutSeconds longest time between two calls of {@link alive}; none when undefined.
   * @param exit ends the process; replaced in tests.
   */
  constructor(timeoutSeconds?: number, exit: (code: number) => void = (code) => process.exit(code)) {
    this.#timeoutMs = timeoutSeconds === undefined ? undefined : timeoutSeconds * 1000;
    this.#exit = exit;
    this.alive();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The exit code that a caught process signal asks for; undefined when there was none. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Starts the `--timeout` anew. */
  readonly alive = (): void => {
    if (this.#timeoutMs === undefined || this.#controller.signal.aborted) return;
    if (this.#timer !== undefined) {
      this.#timer.refresh();
      return;
    }
    this.#timer = setTimeout(this.#timedOut, this.#timeoutMs);
    this.#timer.unref();
  };

  /** Stops the `--timeout` until the next {@link alive}: a person is being asked. */
  readonly pauseTimeout = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  };

  /** Starts to listen for SIGINT and SIGTERM. */
  listen(): void {
    process.on('SIGINT', this.#interrupted);
    process.on('SIGTERM', this.#interrupted);
  }

  /** Stops the timer and listens no longer. */
  close(): void {
    process.off('SIGINT', this.#interrupted);
    process.off('SIGTERM', this.#interrupted);
    clearTimeout(this.#timer);
    clearTimeout(this.#forced);
  }

  readonly #timedOut = (): void => {
    const seconds = (this.#timeoutMs ?? 0) / 1000;
    const message = `no sign of the peer for ${seconds} ${seconds === 1 ? 'second' : 'seconds'}`;
    const hint = 'check the network, or give a longer --timeout';
    this.#controller.abort(new E2eeftpError('E2EEFTP_TIMEOUT', message, { hint }));
  };

  readonly #interrupted = (signal: NodeJS.Signals): void => {
    const code = signal === 'SIGTERM' ? EXIT.terminated : EXIT.interrupted;
    if (this.#exitCode !== undefined) {
      this.#exit(code);
      return;
    }
    this.#exitCode = code;
    const message = signal === 'SIGTERM' ? 'ended by SIGTERM' : 'interrupted';
    this.#forced = setTimeout(() => this.#exit(code), GRACE_MS);
    this.#controller.abort(new E2eeftpError('E2EEFTP_ABORTED', message));
  };
}
