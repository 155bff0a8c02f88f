/** What the command line makes of the decisions of a server's hooks. */
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { createServer, deny, fullGrant, rewrite, type Server, supply } from '../../dist/index.js';
import { Sandbox } from './run.js';

interface Site {
  box: Sandbox;
  server: Server;
  run(...words: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>;
}

async function site(t: ExecutionContext): Promise<Site> {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  await box.keygen();
  const server = await createServer({
    root: box.path('files'),
    dataDir: box.path('server'),
    listen: { port: 0 },
    authorizedClients: () => fullGrant,
    hookTimeoutMs: 200,
  });
  await server.listen();
  t.teardown(() => server.close({ graceMs: 0 }));
  const at = ['-P', String(server.addresses[0]?.port), '--server-key', server.fingerprint];
  return { box, server, run: (...words) => box.run([...words, ...at]) };
}

test('denied, failed and timed out operations have their exit codes', async (t) => {
  const { box, server, run } = await site(t);
  box.write('f', 'content');
  server
    .before('send', () => deny(403, 'Closed \u001b[31mfor today'))
    .before('delete', () => new Promise(() => undefined))
    .before('list', () => {
      throw new Error('secret');
    })
    .before('get', () => deny(507, 'Over quota'));
  const denied = await run('send', 'f', '127.0.0.1:/f');
  t.is(denied.code, 5);
  t.true(denied.stderr.includes(String.raw`error[E2EEFTP_NOT_PERMITTED]: Closed \x1b[31mfor today`), denied.stderr);
  const late = await run('rm', '127.0.0.1:/f');
  t.is(late.code, 1);
  t.regex(late.stderr, /error\[E2EEFTP_HOOK_TIMEOUT\]/);
  const broken = await run('ls', '127.0.0.1:/');
  t.is(broken.code, 1);
  t.regex(broken.stderr, /error\[E2EEFTP_SERVER_ERROR\]: Server error, reference [0-9a-f]{12}/);
  t.notRegex(broken.stderr, /secret/);
  t.is((await run('get', '127.0.0.1:/f', 'g')).code, 9);
  t.deepEqual(box.list('files'), []);
});

test('rewritten names are told, supplied files are verified', async (t) => {
  const { box, server, run } = await site(t);
  box.write('f', 'content');
  server.before('send', ({ path }) => rewrite({ path: `/inbox${path}` }));
  server.before('get', () => supply({ body: 'made by a hook' }));
  const sent = await run('send', 'f', '127.0.0.1:/f', '--json');
  t.is(sent.code, 0, sent.stdout);
  t.true(sent.stdout.includes('"target":"127.0.0.1:/inbox/f"'));
  t.is(box.read('files/inbox/f'), 'content');
  const got = await run('get', '127.0.0.1:/anything', 'copy');
  t.is(got.code, 0, got.stderr);
  t.regex(got.stderr, /verified/);
  t.is(box.read('copy'), 'made by a hook');
  t.is((await run('get', '127.0.0.1:/anything', '-')).stdout, 'made by a hook');
});
