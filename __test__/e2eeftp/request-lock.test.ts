import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { RequestLock } from '../../dist/e2eeftp/client/request-lock.js';

test('one at a time, first come, first served', async (t) => {
  const lock = new RequestLock();
  const order: number[] = [];
  let inside = 0;
  await Promise.all(
    [1, 2, 3, 4, 5].map(async (number) => {
      const lease = await lock.acquire();
      inside += 1;
      t.is(inside, 1);
      order.push(number);
      await turn();
      inside -= 1;
      lease.release();
      lease.release();
    }),
  );
  t.deepEqual(order, [1, 2, 3, 4, 5]);
});

test('an aborted waiter leaves the queue and the next one gets its turn', async (t) => {
  const lock = new RequestLock();
  const lease = await lock.acquire();
  const giveUp = new AbortController();
  const reason = new Error('no longer wanted');
  const aborted = lock.acquire(giveUp.signal);
  const next = lock.acquire(new AbortController().signal);
  t.is(lock.waiting, 2);
  giveUp.abort(reason);
  t.is(await t.throwsAsync(aborted), reason);
  t.is(lock.waiting, 1);
  lease.release();
  const second = await next;
  second.release();
  giveUp.abort();
  t.is(lock.waiting, 0);
});

test('an abort after the turn came changes nothing', async (t) => {
  const lock = new RequestLock();
  const first = await lock.acquire();
  const abort = new AbortController();
  const waiting = lock.acquire(abort.signal);
  first.release();
  const lease = await waiting;
  abort.abort();
  lease.release();
  const third = await lock.acquire();
  third.release();
  t.pass();
});

test('a signal that has aborted already never gets a turn, even when the lock is free', async (t) => {
  const lock = new RequestLock();
  const reason = new Error('before');
  t.is(await t.throwsAsync(lock.acquire(AbortSignal.abort(reason))), reason);
  (await lock.acquire()).release();
});

test('a holder is told when somebody waits', async (t) => {
  const lock = new RequestLock();
  const first = await lock.acquire();
  let told = false;
  void first.contended.then(() => (told = true));
  await turn();
  t.false(told);
  const second = lock.acquire();
  const third = lock.acquire();
  await turn();
  t.true(told);
  first.release();
  const lease = await second;
  await lease.contended;
  lease.release();
  (await third).release();
});

test('nobody comes in between a release and the waiter it was for', async (t) => {
  const lock = new RequestLock();
  const first = await lock.acquire();
  const order: string[] = [];
  const waiter = lock.acquire().then((lease) => {
    order.push('waiter');
    lease.release();
  });
  first.release();
  const late = lock.acquire().then((lease) => {
    order.push('late');
    lease.release();
  });
  await Promise.all([waiter, late]);
  t.deepEqual(order, ['waiter', 'late']);
});
