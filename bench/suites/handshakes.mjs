/** Full mutual handshakes a second, beside the key exchanges and log-ins of sshd. */
import path from 'node:path';
import { adoptedCpuSeconds, serverCpuSeconds, settled } from '../lib/cpu.mjs';
import { gate } from '../lib/gates.mjs';
import { inside } from '../lib/namespace.mjs';
import { startSshd } from '../lib/peers/sshd.mjs';
import { examplePath, missingFiles } from '../lib/paths.mjs';
import { end, run, start, Stopped, succeed } from '../lib/processes.mjs';
import { runRounds } from '../lib/rounds.mjs';
import { median, medianRatio } from '../lib/stats.mjs';
import { absence, figure, range, table } from '../lib/tables.mjs';

const OURS = 'e2eeftp: X-Wing, both sides sign';
const EXCHANGE = 'sshd: key exchange only (ssh-keyscan)';
const LOGIN = 'sshd: full log-in, no shell (internal-sftp)';
const PARALLEL = 8;
const SSH_PARALLEL = 4;
const PATIENCE_MS = 120_000;

/** @type {import('../lib/measure.mjs').Suite} */
export async function handshakesSuite(bench) {
  const sshd = await attempt(bench);
  try {
    const { handshakes, logins } = bench.options;
    const ssh = (client) => () => inParallel(sshd.server, logins, client);
    const results = await runRounds(
      [
        {
          name: OURS,
          missing: missingFiles(examplePath('handshakes')),
          run: () => ours(handshakes),
        },
        { name: EXCHANGE, missing: sshd.missing, run: ssh(keyExchange) },
        { name: LOGIN, missing: sshd.missing, run: ssh(login) },
      ],
      bench,
    );
    return report(results, bench.options);
  } finally {
    await sshd.server?.close();
  }
}

async function attempt(bench) {
  try {
    const folder = path.join(bench.scratch, 'sshd-handshakes');
    return { server: await startSshd(folder, bench.options.sshd), missing: null };
  } catch (error) {
    if (error instanceof Stopped) throw error;
    return { server: null, missing: error.message.split('\n', 1)[0] };
  }
}

/** One server and one client process; each ends with a line of figures. */
async function ours(count) {
  const binary = examplePath('handshakes');
  const server = start(binary, ['server', '--port', '0']);
  try {
    const { port } = JSON.parse(await server.line(0));
    const load = ['--count', `${count}`, '--parallel', `${PARALLEL}`];
    const client = await run(binary, ['client', '--port', `${port}`, ...load], {
      timeoutMs: PATIENCE_MS,
    });
    server.child.kill('SIGTERM');
    await succeed(server, PATIENCE_MS);
    const { handshakes, perSecond } = JSON.parse(client.lines[0]);
    const served = JSON.parse(server.lines[1]);
    if (handshakes !== count || served.handshakes !== count) {
      throw new Error('not every handshake was counted');
    }
    if (!(served.microsPerHandshake > 0)) throw new Error('no CPU time reported');
    return { perSecond, serverMicros: served.microsPerHandshake };
  } finally {
    await end(server);
  }
}

/** CPU seconds of everything that sshd ever started; not known outside a process namespace. */
async function sshdCpuSeconds({ pid }) {
  await settled(pid);
  if (!inside().isolated) return Number.NaN;
  return serverCpuSeconds(pid) + (await adoptedCpuSeconds(pid));
}

/** Runs `count` clients against sshd, some at once. */
async function inParallel(sshd, count, client) {
  const cpu = await sshdCpuSeconds(sshd);
  const began = performance.now();
  let left = count;
  const worker = async () => {
    while (left-- > 0) await client(sshd);
  };
  await Promise.all(Array.from({ length: SSH_PARALLEL }, worker));
  const seconds = (performance.now() - began) / 1000;
  const serverCpu = (await sshdCpuSeconds(sshd)) - cpu;
  return { perSecond: count / seconds, serverMicros: (serverCpu / count) * 1e6 };
}

async function keyExchange({ port, host, env }) {
  const { lines } = await run('ssh-keyscan', ['-t', 'ed25519', '-p', `${port}`, host], { env });
  if (!lines.some((line) => line.includes('ssh-ed25519'))) throw new Error('no key came back');
}

/** The SFTP server reads the end of its input at once: log-in, channel, log-out. */
async function login({ port, host, user, env, options }) {
  await run('ssh', ['-p', `${port}`, ...options, '-s', `${user}@${host}`, 'sftp'], { env });
}

function report(results, { handshakes, logins }) {
  const ours = results.get(OURS).samples;
  const rows = [...results.values()].map((result) => {
    const absent = absence(result);
    if (absent !== null) return [result.name, absent, '', '', ''];
    const { name, samples } = result;
    return [
      name,
      range(
        samples.map(({ perSecond }) => perSecond),
        0,
      ),
      figure(median(samples.map(({ serverMicros }) => serverMicros)), 0),
      figure(
        medianRatio(ours, ({ perSecond }) => perSecond, samples),
        0,
      ),
      figure(
        medianRatio(samples, ({ serverMicros }) => serverMicros, ours),
        0,
      ),
    ];
  });
  const heads = ['handshake', 'per second (min–max)', 'server CPU µs each'];
  return {
    title: 'Handshakes',
    text: [
      `Ours: ${handshakes} TCP connections with a full mutual handshake, ${PARALLEL} at once, client and server`,
      `sharing the cores. sshd: ${logins} client processes, ${SSH_PARALLEL} at once (their start-up is part of it).`,
      '',
      table([...heads, 'ours: times as many', 'ours: times less server CPU'], rows),
    ],
    gates: [
      gate('server CPU of a full mutual handshake', median(ours.map(({ serverMicros }) => serverMicros)), {
        most: 250,
        digits: 0,
        unit: 'µs',
      }),
      gate('full mutual handshakes end to end', median(ours.map(({ perSecond }) => perSecond)), {
        least: 2000,
        digits: 0,
        unit: 'per second',
      }),
    ],
    results,
  };
}
