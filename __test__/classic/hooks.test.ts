/** An application's hooks decide about what old clients ask, too. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { allow, deny, E2eeftpError, rewrite, supply } from '../../dist/index.js';
import type { Operation, OperationResult } from '../../dist/index.js';
import { until } from '../e2e/pair.js';
import { startClassic } from './pair.js';
import { rawConnect, rawSeal } from './raw-peer.js';

const seal = (plain: string) => (keys: Buffer) => rawSeal(keys, Buffer.from(plain));

test('the hooks see each operation as they see it of any client', async (t) => {
  const { server, raw, root } = await startClassic(t, { keyOptions: 'user="ann"', classicAllowDelete: true });
  const before: Operation[] = [];
  const after: [Operation, OperationResult][] = [];
  server.before('*', (operation) => {
    before.push(operation);
    return allow();
  });
  server.after('*', (operation, result) => after.push([operation, result]));
  writeFileSync(join(root, 'a'), 'content');
  await raw('SEND|b|64\n', { body: seal('hello') });
  await raw('GET|a\n');
  await raw('GET|none\n');
  await raw('LIST\n');
  await raw('HLIST\n');
  await raw('DELETE|a\n');
  await raw('SEND|c|64\n', { body: Buffer.alloc(64) });
  await raw('SEND|c|64\n', { body: Buffer.alloc(10), end: true });
  // Refused before any hook: what is no operation, and what is not permitted.
  await raw('NOPE\n');
  await raw('SEND|../x|64\n', { body: seal('x') });
  await until(() => after.length === 8);
  t.deepEqual(
    before.map(({ verb, path, size }) => [verb, path, size]),
    [
      ['SEND', '/b', 15],
      ['GET', '/a', null],
      ['GET', '/none', null],
      ['LIST', '/', null],
      ['HLIST', null, null],
      ['DELETE', '/a', null],
      ['SEND', '/c', 15],
      ['SEND', '/c', 15],
    ],
  );
  const [first] = before;
  t.true(Object.isFrozen(first));
  t.like(first, { user: 'ann', target: null, requestedPath: '/b', mode: null });
  t.deepEqual({ ...first?.args }, { name: 'b', size: '64' });
  t.is(first?.peer.host, '127.0.0.1');
  t.is(first?.grant.user, 'ann');
  t.deepEqual(
    after.map(([, { status, bytes, path, code }]) => [status, bytes, path, code]),
    [
      [226, 5, '/b', undefined],
      [200, 7, '/a', undefined],
      [404, 0, '/none', 'E2EEFTP_NOT_FOUND'],
      [200, 0, '/', undefined],
      [200, 0, null, undefined],
      [200, 0, '/a', undefined],
      [500, 0, '/c', 'E2EEFTP_INTEGRITY'],
      [null, 0, '/c', 'E2EEFTP_CONNECTION_LOST'],
    ],
  );
  t.is(after[0]?.[1].root?.length, 64);
});

test('a hook denies in its own words, on one line', async (t) => {
  const { server, raw, root, errors } = await startClassic(t, { classicAllowDelete: true });
  writeFileSync(join(root, 'a'), 'a');
  server.before('*', ({ verb }) => deny(451, `no ${verb}\n200|File deleted`));
  const told = (verb: string): string => `451|no ${verb}\\x0a200|File deleted\n`;
  t.is(await raw('SEND|b|64\n', { body: seal('x') }), told('SEND'));
  t.is(await raw('GET|a\n'), told('GET'));
  t.is(await raw('LIST\n'), told('LIST'));
  t.is(await raw('HLIST\n'), told('HLIST'));
  t.is(await raw('DELETE|a\n'), told('DELETE'));
  t.true(existsSync(join(root, 'a')));
  t.false(existsSync(join(root, 'b')));
  t.deepEqual(errors, []);
});

test('a hook sends an operation elsewhere in the root, and nowhere else', async (t) => {
  const { server, raw, root, outside } = await startClassic(t, { classicAllowDelete: true });
  mkdirSync(join(root, 'in'));
  writeFileSync(join(root, 'in', 'a'), 'a');
  server.before('*', ({ path }) =>
    path === '/up'
      ? rewrite({ path: '/../outside/canary' })
      : path === null
        ? allow()
        : rewrite({ path: `/in${path}` }),
  );
  t.is(await raw('SEND|b|64\n', { body: seal('bee') }), '226|Transfer Complete\n');
  t.is(readFileSync(join(root, 'in', 'b'), 'utf8'), 'bee');
  t.true((await raw('GET|a\n')).startsWith('200|64\n'));
  t.is(await raw('GET|none\n'), '404|File not found: none\n');
  t.is((await raw('LIST\n')).split('\n').toSorted().join(), '200|3,a,b');
  t.is(await raw('DELETE|a\n'), '200|File deleted\n');
  t.false(existsSync(join(root, 'in', 'a')));
  for (const line of ['GET|up\n', 'DELETE|up\n', 'SEND|up|64\n'])
    t.regex(await raw(line, { end: true }), /^400\|/, line);
  t.is(readFileSync(join(outside, 'canary'), 'utf8'), 'alive');
});

test('what a hook supplies is told where the old wire can carry it, and refused where it can’t', async (t) => {
  const { server, raw, root, errors } = await startClassic(t, { classicAllowDelete: true });
  writeFileSync(join(root, 'a'), 'a');
  server.before('*', ({ path }) =>
    path === '/refuse' ? supply({ status: 404, text: 'gone' }) : supply({ body: 'content of the hook' }),
  );
  t.is(await raw('GET|refuse\n'), '404|gone\n');
  t.is(await raw('DELETE|a\n'), '200|File deleted\n');
  t.true(existsSync(join(root, 'a')), 'the hook has answered in place of the server');
  for (const line of ['GET|a\n', 'LIST\n', 'HLIST\n']) t.is(await raw(line), '500|Server Misconfigured\n', line);
  t.is(await raw('SEND|b|64\n', { body: seal('x') }), '500|Server Misconfigured\n');
  t.false(existsSync(join(root, 'b')));
  await until(() => errors.length === 4);
});

test('a hook that throws, hangs or answers nonsense denies', async (t) => {
  const { server, raw, root, errors } = await startClassic(t, { classicAllowDelete: true, hookTimeoutMs: 100 });
  writeFileSync(join(root, 'a'), 'a');
  server.before('SEND', () => {
    throw new Error('broken');
  });
  server.before('GET', () => new Promise(() => undefined));
  server.before('LIST', () => ({ kind: 'allow' }) as never);
  server.before('DELETE', () => {
    throw new E2eeftpError('E2EEFTP_BUSY', 'come back later');
  });
  t.is(await raw('SEND|b|64\n', { body: seal('x') }), '500|Server Misconfigured\n');
  t.regex(await raw('GET|a\n'), /^503\|/);
  t.is(await raw('LIST\n'), '500|Server Misconfigured\n');
  t.is(await raw('DELETE|a\n'), '409|come back later\n');
  t.true(existsSync(join(root, 'a')));
  t.false(existsSync(join(root, 'b')));
  await until(() => errors.length >= 3);
  t.true(errors.some((error) => E2eeftpError.is(error, 'E2EEFTP_HOOK_TIMEOUT')));
});

test('an after hook that throws or hangs changes nothing, and the client hears last', async (t) => {
  const { server, raw, root, errors } = await startClassic(t, { hookTimeoutMs: 100 });
  let isThere = false;
  server.after('SEND', ({ path }, { status }) => {
    isThere = status === 226 && existsSync(join(root, String(path)));
    throw new Error('broken');
  });
  server.after('LIST', () => new Promise(() => undefined));
  t.is(await raw('SEND|b|64\n', { body: seal('x') }), '226|Transfer Complete\n');
  t.true(isThere);
  t.is(await raw('LIST\n'), '200|1\nb');
  t.is(errors.length, 2);
});

test('a hook that waits when the server ends is left to itself', async (t) => {
  const { server, port, identity, root, errors } = await startClassic(t);
  let asked: AbortSignal | null = null;
  server.before('SEND', ({ signal }) => {
    asked = signal;
    return new Promise(() => undefined);
  });
  const client = await rawConnect(port, identity);
  client?.connection.send('SEND|b|64\n');
  await until(() => asked !== null);
  await server.close({ graceMs: 0 });
  t.true((asked as AbortSignal | null)?.aborted);
  t.is((await client?.connection.ended)?.said.length, 132);
  t.false(existsSync(join(root, 'b')));
  t.deepEqual(errors, []);
});
