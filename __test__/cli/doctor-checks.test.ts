/** What `doctor` thinks of what it finds. */
import test from 'ava';
import { worstExitCode } from '../../dist/cli/doctor/check.js';
import { aes, judgeNode, room } from '../../dist/cli/doctor/local-checks.js';
import { judgeClock, judgeMtu } from '../../dist/cli/doctor/peer-checks.js';
import { FAR, judgeTcp, readTcpSettings } from '../../dist/cli/doctor/tcp-settings.js';
import type { TcpPath, TcpSettings } from '../../dist/cli/doctor/tcp-settings.js';

const GOOD: TcpSettings = {
  congestionControl: 'bbr',
  available: ['reno', 'bbr'],
  receiveMax: 64 * 1024 * 1024,
  sendMax: 64 * 1024 * 1024,
  growsReceive: true,
};
const near: TcpPath = { rtt: 0.001, isMeasured: true };

test('TCP settings against the path', (t) => {
  const cases: readonly [Partial<TcpSettings>, TcpPath, (string | RegExp)[]][] = [
    [{}, FAR, ['ok', 'ok', 'ok']],
    // What Linux comes with: enough nearby, not far away.
    [{ receiveMax: 6_291_456, sendMax: 4_194_304, congestionControl: 'cubic' }, near, ['ok', 'ok', 'ok']],
    [{ receiveMax: 6_291_456 }, FAR, ['warn', 'ok', 'ok']],
    [{ sendMax: 4_194_304 }, FAR, ['ok', 'warn', 'ok']],
    [{ congestionControl: 'cubic' }, FAR, ['ok', 'ok', 'warn']],
    [{ growsReceive: false }, near, ['warn', 'ok', 'ok']],
  ];
  for (const [settings, path, expected] of cases) {
    const checks = judgeTcp({ ...GOOD, ...settings }, path);
    t.deepEqual(
      checks.map(({ status }) => status),
      expected as never,
      JSON.stringify(checks),
    );
    for (const { status, advice } of checks) t.is(status === 'ok', advice === undefined);
  }
  const [receive, , control] = judgeTcp(
    { ...GOOD, receiveMax: 6_291_456, congestionControl: 'cubic', available: [] },
    FAR,
  );
  t.regex(receive?.text ?? '', /6\.29 MB carry 31\.5 MB\/s over a round trip of 100 ms/);
  t.regex(receive?.advice ?? '', /third number of net\.ipv4\.tcp_rmem to 25000000, at both ends; or .*-j/);
  t.regex(control?.advice ?? '', /modprobe tcp_bbr/);
  t.deepEqual(
    judgeTcp(null, FAR).map(({ status }) => status),
    ['ok'],
  );
});

test('TCP settings are read where there are any', async (t) => {
  t.is(await readTcpSettings('/nowhere'), null);
  if (process.platform !== 'linux') return;
  const settings = await readTcpSettings();
  t.true((settings?.receiveMax ?? 1) > 0 && settings?.congestionControl !== '');
});

test('Node.js, processor, disk', async (t) => {
  for (const version of ['20.19.0', '20.20.2', '22.0.0', '24.1.0']) t.is(judgeNode(version).status, 'ok', version);
  for (const version of ['20.18.9', '18.20.0']) t.is(judgeNode(version).status, 'fail', version);
  t.is(aes(true).status, 'ok');
  t.is(aes(false).status, 'warn');
  t.regex((await room('.')).text, /free in/);
  t.is((await room('/nowhere')).status, 'warn');
});

test('clocks', (t) => {
  // The server's clock tells whole seconds: up to one less than it is.
  for (const offset of [0, -0.9, 4, -5.5]) t.is(judgeClock(offset).status, 'ok', String(offset));
  t.regex(judgeClock(3600).text, /3600 s behind/);
  t.regex(judgeClock(-3601).text, /3600 s ahead of/);
});

test('packets', (t) => {
  t.is(judgeMtu({ pathMtu: 1500, segmentLen: 1448 }).status, 'ok');
  t.is(judgeMtu({ pathMtu: 0, segmentLen: 1448 }).status, 'ok');
  t.is(judgeMtu({ pathMtu: 1280, segmentLen: 1228 }).status, 'warn');
});

test('the exit code is that of the first failure; a warning is none', (t) => {
  const check = (status: 'ok' | 'warn' | 'fail', exitCode?: number) => ({
    name: 'x',
    status,
    text: '',
    ...(exitCode === undefined ? {} : { exitCode }),
  });
  t.is(worstExitCode([]), 0);
  t.is(worstExitCode([check('ok'), check('warn')]), 0);
  t.is(worstExitCode([check('warn'), check('fail', 4), check('fail', 3)]), 4);
  t.is(worstExitCode([check('fail')]), 1);
});
