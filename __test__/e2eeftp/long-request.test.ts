import test from 'ava';
import type { Exchange } from '../../dist/e2eeftp/exchange.js';
import { runLong } from '../../dist/e2eeftp/long-request.js';
import { E2eeftpError } from '../../dist/index.js';

/** The part of an exchange that a long request uses, and what was said on it. */
class Line {
  readonly controller = new AbortController();
  readonly said: { status: number; members: unknown }[] = [];
  /** What the client says at the next looks. */
  stops = false;
  failure: Error | null = null;
  /** What a sign of life waits for. */
  gate: Promise<void> = Promise.resolve();

  get exchange(): Exchange {
    const { signal } = this.controller;
    return {
      session: { signal },
      heardStop: async () => {
        if (this.failure !== null) throw this.failure;
        return this.stops;
      },
      reply: async (status: number, _text: string, members: unknown) => {
        await this.gate;
        this.said.push({ status, members });
      },
    } as unknown as Exchange;
  }
}

/** Work that ends when the test says so. */
function work<T>() {
  let [resolve, reject]: [(value: T) => void, (error: unknown) => void] = [() => undefined, () => undefined];
  const done = new Promise<T>((...both) => {
    [resolve, reject] = both;
  });
  return { run: () => done, resolve, reject };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

const cancelled = new E2eeftpError('E2EEFTP_ABORTED', 'cancelled');

test('signs of life come while it works, with what is known, and none behind its end', async (t) => {
  const line = new Line();
  const job = work<string>();
  const result = runLong(line.exchange, job.run);
  await until(() => line.said.length === 2);
  t.deepEqual(line.said[0], { status: 102, members: { transferred: 0, total: null } });
  let open: () => void = () => undefined;
  line.gate = new Promise((resolve) => (open = resolve));
  const before = line.said.length;
  // Long enough for a sign that can't leave yet.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  job.resolve('done');
  let isOver = false;
  void result.then(() => (isOver = true));
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.false(isOver, 'it waits for what it has begun to say');
  open();
  t.is(await result, 'done');
  t.is(line.said.length, before + 1);
});

test('a Stop ends it, unless it is complete by then', async (t) => {
  const line = new Line();
  line.stops = true;
  const job = work<string>();
  const result = runLong(line.exchange, job.run);
  await new Promise((resolve) => setTimeout(resolve, 600));
  job.reject(cancelled);
  const error = await t.throwsAsync(result);
  t.true(E2eeftpError.is(error, 'E2EEFTP_PEER_STOPPED'));
  const late = work<string>();
  const complete = runLong(line.exchange, late.run);
  await new Promise((resolve) => setTimeout(resolve, 600));
  late.resolve('complete');
  t.is(await complete, 'complete');
});

test('a connection that is lost is why it failed', async (t) => {
  const line = new Line();
  line.failure = new E2eeftpError('E2EEFTP_CONNECTION_LOST', 'gone');
  for (const isComplete of [false, true]) {
    const job = work<string>();
    const result = runLong(line.exchange, job.run);
    await new Promise((resolve) => setTimeout(resolve, 600));
    if (isComplete) job.resolve('for nobody');
    else job.reject(cancelled);
    t.is(await t.throwsAsync(result), line.failure);
  }
});

test('the end of the session is told as its reason', async (t) => {
  const line = new Line();
  const job = work<string>();
  const result = runLong(line.exchange, job.run);
  const reason = new E2eeftpError('E2EEFTP_SHUTTING_DOWN', 'closing');
  line.controller.abort(reason);
  job.reject(cancelled);
  t.is(await t.throwsAsync(result), reason);
  t.is(await t.throwsAsync(runLong(line.exchange, job.run)), reason);
});

test('a failure of the work is told as it is', async (t) => {
  const line = new Line();
  const job = work<string>();
  const result = runLong(line.exchange, job.run);
  const failure = new E2eeftpError('E2EEFTP_NO_SPACE', 'full');
  job.reject(failure);
  t.is(await t.throwsAsync(result), failure);
  t.deepEqual(line.said, []);
});
