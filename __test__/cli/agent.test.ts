import { copyFileSync } from 'node:fs';
import test from 'ava';
import { SshAgent } from '../ssh-agent.js';
import { Sandbox } from './run.js';

test('a key in the ssh-agent logs in: by name, by fingerprint, by its public key', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const agent = await SshAgent.start(t);
  const line = agent.add('work', 'ed25519');
  t.is((await box.run(['authorize', line])).code, 0);
  const server = await box.serve();
  const { env } = agent;
  const fingerprint = (await box.run(['fingerprint', line])).stdout.trim();
  const ls = ['ls', '127.0.0.1:', ...server.at];
  for (const identity of ['agent', 'agent:work', `agent:${fingerprint}`, agent.path('work.pub')]) {
    const done = await box.run([...ls, '-i', identity], { env });
    t.is(done.code, 0, done.stderr);
  }
  t.is((await box.run(ls, { env: { ...env, E2EEFTP_IDENTITY: 'agent:work' } })).code, 0);
  // The default key: without its private half, the agent is asked for the public one.
  t.regex((await box.run(ls, { env })).stderr, /error\[E2EEFTP_KEY_FILE\]/);
  box.write('config/e2eeftp/client_id.pub', `${line}\n`);
  const byDefault = await box.run(ls, { env });
  t.is(byDefault.code, 0, byDefault.stderr);
  for (const [identity, more] of [
    ['agent:home', env],
    ['agent', {}],
    ['agent', { SSH_AUTH_SOCK: box.path('nothing') }],
    [agent.path('work.pub'), {}],
  ] as const) {
    const refused = await box.run([...ls, '-i', identity], { env: more });
    t.is(refused.code, 4, refused.stderr);
    t.regex(refused.stderr, /error\[E2EEFTP_AGENT\]: .*\n {2}→ /);
  }
  await server.stop();
});

test('a security key in the agent logs in, and the person is told to touch it', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const agent = await SshAgent.start(t);
  const line = agent.add('token', 'ed25519-sk');
  t.true(line.startsWith('sk-ssh-ed25519@openssh.com '));
  const added = await box.run(['authorize', agent.path('token.pub'), '--option', 'no-delete']);
  t.is(added.code, 0, added.stderr);
  t.is(box.read('data/e2eeftp/authorized_clients.pub'), `no-delete ${line}\n`);
  const server = await box.serve();
  const { env } = agent;
  const send = ['send', box.write('a', 'content'), '127.0.0.1:a', '-i', agent.path('token.pub'), ...server.at];
  const sent = await box.run(send, { env });
  t.is(sent.code, 0, sent.stderr);
  t.regex(sent.stderr, /Touch your security key \(SHA256:/);
  t.is(box.read('files/a'), 'content');
  const quiet = await box.run([...send, '-q'], { env });
  t.regex(quiet.stderr, /Touch your security key/, 'nothing silences it');
  t.is((await box.run(['rm', '127.0.0.1:a', '-i', 'agent:token', ...server.at], { env })).code, 5);
  // The file that ssh-keygen wrote for the security key says which key it is.
  copyFileSync(agent.path('token'), box.path('token.key'));
  const byFile = await box.run(['ls', '127.0.0.1:', '-i', 'token.key', ...server.at], { env });
  t.is(byFile.code, 0, byFile.stderr);
  const fingerprint = (await box.run(['fingerprint', line])).stdout.trim();
  t.is((await box.run(['revoke', fingerprint])).code, 0);
  const revoked = await box.run(['ls', '127.0.0.1:', '-i', 'agent:token', ...server.at], { env });
  t.is(revoked.code, 4, revoked.stderr);
  t.regex(revoked.stderr, /error\[E2EEFTP_AUTH_REFUSED\]: .*\n {2}→ .*authorize 'sk-ssh-ed25519@openssh\.com /);
  await server.stop();
});

test('of several identities the first that the server accepts is used, and none after it', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const agent = await SshAgent.start(t);
  agent.add('stranger', 'ed25519');
  const line = agent.add('friend', 'ed25519');
  agent.make('locked', 'ed25519', 'secret');
  t.is((await box.run(['keygen', 'own.key'])).code, 0);
  t.is((await box.run(['authorize', line])).code, 0);
  const server = await box.serve();
  const { env } = agent;
  const words = ['ls', '127.0.0.1:', ...server.at, '-i', 'own.key', '-i', 'agent', '-i', agent.path('locked')];
  const done = await box.run(words, { env });
  t.is(done.code, 0, done.stderr);
  await box.run(['revoke', line]);
  agent.clear();
  agent.add('other', 'ed25519');
  const refused = await box.run(['ls', '127.0.0.1:', ...server.at, '-i', 'own.key', '-i', 'agent'], { env });
  t.is(refused.code, 4, refused.stderr);
  t.regex(refused.stderr, /accepts none of the keys SHA256:\S+, SHA256:/);
  // A key that can't be opened ends it, after those before it were refused.
  t.regex((await box.run(words, { env })).stderr, /error\[E2EEFTP_KEY_ENCRYPTED\]: .*locked/);
  const log = (await server.stop()).stderr;
  // own, stranger, friend; own, other; own, other and nothing for the one that was not opened.
  t.is(log.match(/refused a client/g)?.length, 2 + 2 + 2, log);
  t.is(log.match(/session opened/g)?.length, 1);
});
