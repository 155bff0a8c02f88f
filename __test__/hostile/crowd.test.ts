/** Many at once: a thousand idle sessions, and two hundred transfers in one moment. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { type Client, connect } from '../../dist/index.js';
import { assertClean, assertServes, clientOptions, logged, randomFile, ready, sha256, until } from './world.js';

const SESSIONS = 1000;
const TRANSFERS = 200;
const MIB = 1024 * 1024;
/** Handshakes under way at a time; the server allows 256. */
const TOGETHER = 50;

/** What of a process is in memory, in bytes. */
function residentSize(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) * 1024;
}

async function openMany(count: number, open: () => Promise<Client>): Promise<Client[]> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const batch = Math.min(TOGETHER, count - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: batch }, open))));
  }
  return clients;
}

test('a thousand idle sessions, and a transfer that works beside them', async (t) => {
  const { box, server } = await ready(t, ['--log-level', 'warn']);
  const pid = server.run.child.pid ?? 0;
  await assertServes(t, box, server);
  const before = residentSize(pid);
  const clients = await openMany(SESSIONS, () => connect(clientOptions(box, server)));
  t.teardown(() => Promise.all(clients.map((client) => client.close())));
  t.is(clients.length, SESSIONS);
  await assertServes(t, box, server);
  const content = randomFile(box, 'source', 20 * MIB);
  t.is((await box.run(['send', 'source', '127.0.0.1:target', ...server.at])).code, 0);
  t.is(sha256(box.bytes('files/target')), sha256(content));
  const after = residentSize(pid);
  t.log(`resident: ${Math.round(before / MIB)} MiB before, ${Math.round(after / MIB)} MiB with ${SESSIONS} sessions`);
  t.true(after < 150 * MIB, `${after} bytes with ${SESSIONS} sessions`);
  // All of them still answer, and go as one.
  const answers = await Promise.all(clients.map((client) => client.stat('target')));
  t.true(answers.every(({ size }) => size === 20 * MIB));
  await Promise.all(clients.map((client) => client.close()));
  await assertServes(t, box, server);
  await assertClean(t, box);
  t.is((await server.stop()).code, 0);
});

test('two hundred transfers at once, all verified', async (t) => {
  const { box, server } = await ready(t);
  const clients = await openMany(TRANSFERS, () => connect(clientOptions(box, server)));
  t.teardown(() => Promise.all(clients.map((client) => client.close())));
  const contents = clients.map((_, number) => randomFile(box, `out/${number}`, 200_000 + number * 3_001));
  const sent = await Promise.all(
    clients.map((client, number) => client.send(box.path(`out/${number}`), `in/${number}`)),
  );
  const got = await Promise.all(
    clients.map((client, number) => client.get(`in/${number}`, box.path(`back/${number}`))),
  );
  for (const [number, content] of contents.entries()) {
    t.is(sent[number]?.root, got[number]?.root);
    t.true(box.bytes(`files/in/${number}`).equals(content));
    t.true(box.bytes(`back/${number}`).equals(content));
  }
  // The log arrives on a pipe.
  await until(() => logged(server, /transfer complete/).length === 2 * TRANSFERS, 'the log');
  await assertClean(t, box, box.dir);
  await assertServes(t, box, server);
});

test('a hundred clients replace one file at once: it is always one of them, whole', async (t) => {
  const { box, server } = await ready(t);
  const clients = await openMany(100, () => connect(clientOptions(box, server)));
  t.teardown(() => Promise.all(clients.map((client) => client.close())));
  const sums = new Set(clients.map((_, number) => sha256(randomFile(box, `out/${number}`, 300_000))));
  await Promise.all(
    clients.map(async (client, number) => {
      await client.send(box.path(`out/${number}`), 'target');
      t.true(sums.has(sha256(box.bytes('files/target'))));
    }),
  );
  t.true(sums.has(sha256(box.bytes('files/target'))));
  // And with `rename` nobody replaces anybody.
  const names = await Promise.all(
    clients.map((client, number) => client.send(box.path(`out/${number}`), 'many/name.txt', { overwrite: 'rename' })),
  );
  t.is(new Set(names.map(({ path }) => path)).size, clients.length);
  t.is(new Set(box.list('files/many').map((name) => sha256(box.bytes(`files/many/${name}`)))).size, clients.length);
  // With `refuse` exactly one wins.
  const outcomes = await Promise.allSettled(
    clients.map((client, number) => client.send(box.path(`out/${number}`), 'once', { overwrite: 'refuse' })),
  );
  t.is(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  const winner = outcomes.findIndex(({ status }) => status === 'fulfilled');
  t.true(box.bytes('files/once').equals(box.bytes(`out/${winner}`)));
  const codes = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [(outcome.reason as { code: string }).code] : [],
  );
  t.true(
    codes.every((code) => code === 'E2EEFTP_EXISTS'),
    [...new Set(codes)].join(),
  );
  await assertClean(t, box);
  await assertServes(t, box, server);
});
