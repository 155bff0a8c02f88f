import test from 'ava';
import { createServer } from '../../dist/index.js';
import type { Server } from '../../dist/index.js';
import { events, Sandbox } from './run.js';

async function customServer(box: Sandbox): Promise<Server> {
  await box.keygen();
  await box.run(['authorize', box.path('config/e2eeftp/client_id.pub')]);
  const server = await createServer({
    root: box.path('files'),
    dataDir: box.path('data/e2eeftp'),
    listen: { host: '127.0.0.1', port: 0 },
  });
  server.command('ECHO', {
    summary: 'Answers what it was sent',
    handler: (context) => ({ status: 200, text: 'echoed', got: context.args, raw: Buffer.from([0, 255]) }),
  });
  server.command('COUNT', {
    summary: 'Answers a body',
    handler: () => ({ status: 200, text: 'counted', lines: 3, body: ['one\n', 'two\u001b\n', 'three\n'] }),
  });
  server.command('BROKEN', {
    summary: 'Never works',
    handler: () => {
      throw new Error('secret detail');
    },
  });
  return server.listen();
}

test('call: arguments, fields, bodies and failures', async (t) => {
  const box = new Sandbox();
  t.teardown(() => box.dispose());
  const server = await customServer(box);
  t.teardown(() => server.close({ graceMs: 0 }));
  const at = ['-P', String(server.addresses[0]?.port), '--server-key', server.fingerprint];
  const call = (...words: string[]) => box.run(['call', '127.0.0.1', ...words, ...at]);

  const stat = await call('STAT', 'path@=/', '--json');
  t.is(stat.code, 0, stat.stderr);
  const echo = await call('ECHO', 'a=1', 'b:=[2,null,"x"]', 'c==', 'd=');
  t.is(echo.code, 0, echo.stderr);
  t.is(echo.stderr, '200 echoed\n');
  const lines = Object.fromEntries(
    echo.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(': ', 2) as [string, string]),
  );
  t.like(JSON.parse(lines['got'] ?? ''), { a: '1', b: [2, null, 'x'], c: '=', d: '' });
  t.is(lines['raw'], '"AP8="');

  const count = await call('count');
  t.is(count.code, 0, count.stderr);
  t.is(count.stdout, 'one\ntwo\u001b\nthree\n');
  t.is(count.stderr, '200 counted\nlines: 3\n');
  const [json] = events((await call('COUNT', '--json')).stdout);
  t.deepEqual(json?.type === 'result' ? json.result : {}, {
    status: 200,
    text: 'counted',
    fields: { lines: 3 },
    body: Buffer.from('one\ntwo\u001b\nthree\n').toString('base64'),
  });
  const terminal = await box.terminal(['call', '127.0.0.1', 'COUNT', ...at, '--no-color']).result;
  t.is(terminal.code, 0, terminal.stdout);
  t.false(terminal.stdout.includes('\u001b'));

  const broken = await call('BROKEN');
  t.is(broken.code, 1, broken.stderr);
  t.regex(broken.stderr, /^error\[E2EEFTP_SERVER_ERROR\]: /);
  t.false(broken.stderr.includes('secret detail'));
});
