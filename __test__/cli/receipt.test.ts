import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { assertError, ready, sandbox } from '../hostile/world.js';
import { SshAgent } from '../ssh-agent.js';
import { events } from './run.js';
import type { Sandbox } from './run.js';

/** The commands that docs/CLI.md gives for ssh-keygen. */
function documented(): string {
  const text = readFileSync(new URL('../../docs/CLI.md', import.meta.url), 'utf8');
  const block = /### Without e2eeftp\n.*?```sh\n(.*?)```/s.exec(text)?.[1];
  if (block === undefined) throw new Error('docs/CLI.md has no commands for ssh-keygen');
  return block;
}

/** Runs them over a receipt, and says what ssh-keygen did. */
function bySshKeygen(box: Sandbox, receipt: string): { code: number | null; output: string } {
  box.write('report.receipt', receipt);
  const { status, stdout, stderr } = spawnSync('sh', ['-e', '-c', documented()], { cwd: box.dir, encoding: 'utf8' });
  return { code: status, output: stdout + stderr };
}

test('--receipt: send and get write one, receipt verify accepts it', async (t) => {
  const { box, server } = await ready(t);
  const file = box.write('report.pdf', 'content');
  const sent = await box.run(['send', file, '127.0.0.1:in/', '--receipt', 'up.receipt', ...server.at]);
  t.is(sent.code, 0, sent.stderr);
  t.regex(sent.stderr, /receipt signed by both sides: up\.receipt/);
  t.regex(server.run.stderr, /receipt signed .*direction=send path=\/in\/report\.pdf bytes=7/);
  const got = await box.run(['get', '127.0.0.1:in/report.pdf', 'copy', '--receipt', 'down.receipt', ...server.at]);
  t.is(got.code, 0, got.stderr);
  const plain = await box.run(['receipt', 'verify', 'up.receipt']);
  t.is(plain.code, 0, plain.stderr);
  t.is(plain.stderr, '');
  t.regex(plain.stdout, /^name +\/in\/report\.pdf$/m);
  t.regex(plain.stdout, /^server +SHA256:\S+ \(not compared: --server-key\)$/m);
  for (const key of [server.fingerprint, 'data/e2eeftp/known_server.pub', box.read('data/e2eeftp/known_server.pub')]) {
    const words = ['receipt', 'verify', 'down.receipt', '--server-key', key, '--file', 'copy', '--json'];
    const done = await box.run([...words, '--client-key', 'config/e2eeftp/client_id.pub']);
    t.is(done.code, 0, done.stderr);
    const [event] = events(done.stdout);
    t.like(event, { type: 'result', verb: 'receipt' });
    if (event?.type !== 'result') throw new Error('no result');
    t.like(event.result, {
      direction: 'get',
      path: '/in/report.pdf',
      bytes: 7,
      serverKey: server.fingerprint,
      compared: { serverKey: true, clientKey: true, file: 'copy' },
    });
  }
  // A file of known servers, which names this one among others.
  await box.run(['trust', `127.0.0.1:${server.port}`, server.fingerprint]);
  const known = ['receipt', 'verify', 'up.receipt', '--server-key', 'config/e2eeftp/known_servers'];
  t.is((await box.run(known)).code, 0);
});

test('receipt verify: exit code 8 for whatever does not hold', async (t) => {
  const { box, server } = await ready(t);
  const file = box.write('report.pdf', 'content');
  await box.run(['send', file, '127.0.0.1:', '--receipt', 'good', ...server.at]);
  const good = box.read('good');
  const lines = good.trimEnd().split('\n');
  t.is(lines.length, 25);
  for (const [index, line] of lines.entries()) {
    // One character of each line; crates/core/tests/receipt.rs changes every one.
    const at = line.length >> 1;
    const changed = [...lines];
    changed[index] = line.slice(0, at) + (line[at] === '0' ? '1' : '0') + line.slice(at + 1);
    writeFileSync(box.path('changed'), `${changed.join('\n')}\n`);
    assertError(t, await box.run(['receipt', 'verify', 'changed']), 8, 'RECEIPT');
  }
  box.write('other', 'another content');
  for (const words of [
    ['--server-key', `SHA256:${'A'.repeat(43)}`],
    ['--client-key', server.fingerprint],
    ['--file', 'other'],
  ]) {
    assertError(t, await box.run(['receipt', 'verify', 'good', ...words]), 8, 'RECEIPT');
  }
  assertError(t, await box.run(['receipt', 'verify', 'report.pdf']), 8, 'RECEIPT');
  assertError(t, await box.run(['receipt', 'verify', '/dev/zero']), 8, 'RECEIPT');
  assertError(t, await box.run(['receipt', 'verify', 'none']), 6, 'NOT_FOUND');
  assertError(t, await box.run(['receipt', 'verify', 'good', '--server-key', 'SHA256:x']), 2, 'INVALID_ARGUMENT');
  assertError(t, await box.run(['receipt', 'verify', 'good', '--client-key', 'none']), 4, 'KEY_FILE');
  t.is((await box.run(['receipt', 'sign', 'good'])).code, 2);
});

test('ssh-keygen accepts both signatures by the commands of docs/CLI.md, and no others', async (t) => {
  const { box, server } = await ready(t);
  const file = box.write('report.pdf', 'content');
  await box.run(['send', file, '127.0.0.1:', '--receipt', 'good', ...server.at]);
  const good = box.read('good');
  const { code, output } = bySshKeygen(box, good);
  t.is(code, 0, output);
  t.is(output.match(/^Good "receipt@e2eeftp" signature for (client|server) with ED25519 key SHA256:/gm)?.length, 2);
  const hidden = bySshKeygen(box, good.replace(/^(name|salt) .*\n/gm, ''));
  t.is(hidden.code, 0, hidden.output);
  for (const changed of [good.replace(/^size 7$/m, 'size 8'), good.replace(/^time 2/m, 'time 3')]) {
    t.not(bySshKeygen(box, changed).code, 0);
  }
});

test('a security key in an ssh-agent signs a receipt, which ssh-keygen accepts', async (t) => {
  const box = sandbox(t);
  const agent = await SshAgent.start(t);
  agent.add('token', 'ed25519-sk');
  await box.run(['authorize', agent.path('token.pub')]);
  const server = await box.serve();
  const file = box.write('report.pdf', 'content');
  const words = ['send', file, '127.0.0.1:', '-i', agent.path('token.pub'), '--receipt', 'good', ...server.at];
  const sent = await box.run(words, { env: agent.env });
  t.is(sent.code, 0, sent.stderr);
  t.is(sent.stderr.match(/Touch your security key/g)?.length, 2, 'once to log in, once to sign');
  const verified = await box.run(['receipt', 'verify', 'good', '--client-key', agent.path('token.pub')]);
  t.is(verified.code, 0, verified.stderr);
  const { code, output } = bySshKeygen(box, box.read('good'));
  t.is(code, 0, output);
  t.regex(output, /signature for client with ED25519-SK key/);
});

test('--receipt is refused where there is none, before anything is moved', async (t) => {
  const { box, server } = await ready(t);
  const [one, two] = [box.write('one', '1'), box.write('two', '2')];
  const receipt = ['--receipt', 'r', ...server.at];
  assertError(t, await box.run(['send', one, two, '127.0.0.1:./', ...receipt]), 2, 'INVALID_ARGUMENT');
  assertError(t, await box.run(['get', '127.0.0.1:a', '127.0.0.1:b', '.', ...receipt]), 2, 'INVALID_ARGUMENT');
  for (const file of ['-', '', 'files']) {
    assertError(t, await box.run(['send', one, '127.0.0.1:', '--receipt', file, ...server.at]), 2, 'INVALID_ARGUMENT');
  }
  const nowhere = ['send', one, '127.0.0.1:', '--receipt', 'none/r', ...server.at];
  assertError(t, await box.run(nowhere), 6, 'NOT_FOUND');
  assertError(t, await box.run(['send', one, '127.0.0.1:', '--classic', '--receipt', 'r']), 1, 'UNSUPPORTED');
  assertError(t, await box.run(['get', '127.0.0.1:one', '.', '--classic', '--receipt', 'r']), 1, 'UNSUPPORTED');
  t.deepEqual(execFileSync('ls', [box.path('files')], { encoding: 'utf8' }), '');
  const dry = await box.run(['send', '-n', one, '127.0.0.1:', ...receipt]);
  t.is(dry.code, 0, dry.stderr);
  t.throws(() => box.read('r'));
});
