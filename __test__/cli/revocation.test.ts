/** `authorize` and `revoke` against a running server with an open session, as an operator uses them. */
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { type Client, connect, E2eeftpError } from '../../dist/index.js';
import { until } from '../e2e/pair.js';
import { type RunningServer, Sandbox } from './run.js';

/** The server looks at its list every two seconds and acts on what it has seen twice. */
const NOTICED_MS = 30_000;

interface Site {
  box: Sandbox;
  server: RunningServer;
  /** The public line of the client's key. */
  key: string;
  client(): Promise<Client>;
}

async function site(t: ExecutionContext, ...options: string[]): Promise<Site> {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  await box.keygen();
  const key = box.read('config/e2eeftp/client_id.pub').trim();
  const server = await box.serve();
  const words = options.flatMap((option) => ['--option', option]);
  t.is((await box.run(['authorize', key, ...words])).code, 0);
  const client = async (): Promise<Client> => {
    const identity = box.path('config/e2eeftp/client_id.key');
    const opened = await connect({ host: '127.0.0.1', port: server.port, serverKey: server.fingerprint, identity });
    t.teardown(() => opened.close());
    return opened;
  };
  return { box, server, key, client };
}

async function isEnded(client: Client): Promise<boolean> {
  try {
    await client.call('HLIST');
    return false;
  } catch (error) {
    if (E2eeftpError.is(error, 'E2EEFTP_CONNECTION_LOST')) return true;
    throw error;
  }
}

test('revoke: open sessions end by themselves, and the key can’t come back', async (t) => {
  const { box, server, key, client } = await site(t);
  const open = await client();
  const revoked = await box.run(['revoke', key]);
  t.is(revoked.code, 0);
  t.regex(revoked.stderr, /end within seconds/);
  await until(() => isEnded(open), NOTICED_MS);
  await server.run.until(/ends a session: its key was revoked/);
  const refused = await box.run(['ls', '127.0.0.1:/', ...server.at]);
  t.is(refused.code, 4);
  t.regex(refused.stderr, /E2EEFTP_AUTH_REFUSED/);
  t.is((await server.stop()).code, 0);
});

test('SIGHUP after revoke ends a session now; after a new option it ends too, and the next one obeys', async (t) => {
  const { box, server, key, client } = await site(t);
  const first = await client();
  t.is((await box.run(['authorize', key, '--option', 'read-only'])).code, 0);
  server.run.kill('SIGHUP');
  await server.run.until(/ends a session: new options/);
  await until(() => isEnded(first), NOTICED_MS);
  box.write('f', 'x');
  const refused = await box.run(['send', 'f', '127.0.0.1:/f', ...server.at]);
  t.is(refused.code, 5, refused.stderr);
  const second = await client();
  t.is((await box.run(['revoke', key])).code, 0);
  server.run.kill('SIGHUP');
  await server.run.until(/authorized clients reloaded .*keys=0/);
  await until(() => isEnded(second), NOTICED_MS);
  t.is((await server.stop()).code, 0);
});

test('SIGHUP with a list that can’t be read: nobody is let in, open sessions go on', async (t) => {
  const { box, server, key, client } = await site(t);
  const open = await client();
  t.is((await box.run(['revoke', key])).code, 0);
  t.is((await box.run(['authorize', key])).code, 0);
  const list = box.read('data/e2eeftp/authorized_clients.pub');
  // Larger than any list: it is not read at all.
  box.write('data/e2eeftp/authorized_clients.pub', Buffer.alloc(17 * 1024 * 1024, '\n'));
  server.run.kill('SIGHUP');
  await server.run.until(/authorized clients not reloaded; nobody is let in, and open sessions go on/);
  t.is((await box.run(['ls', '127.0.0.1:/', ...server.at])).code, 4);
  t.is((await open.call('HLIST')).status, 200);
  box.write('data/e2eeftp/authorized_clients.pub', list);
  server.run.kill('SIGHUP');
  await server.run.until(/authorized clients reloaded .*keys=1/);
  t.is((await box.run(['ls', '127.0.0.1:/', ...server.at])).code, 0);
  t.is((await open.call('HLIST')).status, 200);
});

test('from: a key is let in from its networks only', async (t) => {
  const { box, server, key } = await site(t, 'from="10.0.0.0/8,2001:db8::/32"');
  const refused = await box.run(['ls', '127.0.0.1:/', ...server.at]);
  t.is(refused.code, 4);
  await server.run.until(/refused a client.*reason=.?address/);
  const bad = await box.run(['authorize', key, '--option', 'from="10.0.0.0/8,example.org"']);
  t.is(bad.code, 2);
  t.regex(bad.stderr, /example\.org" is not a network/);
  t.is((await box.run(['authorize', key, '--option', 'from="10.0.0.0/8,127.0.0.0/8"'])).code, 0);
  t.is((await box.run(['ls', '127.0.0.1:/', ...server.at])).code, 0);
});
