import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { E2eeftpError, Server, allow, deny, fullGrant, rewrite, supply } from '../../dist/index.js';
import type {
  Client,
  CommandReply,
  ErrorCode,
  Operation,
  OperationResult,
  RequestContext,
  Verdict,
} from '../../dist/index.js';
import { leftovers, startPair, until } from './pair.js';
import type { Pair, PairOptions } from './pair.js';

interface Scene extends Pair {
  readonly peer: Client;
  /** A local file with the content `new`. */
  readonly source: string;
}

/** A server whose root has `old` and an empty `dir`. */
async function scene(t: ExecutionContext, options: PairOptions = {}): Promise<Scene> {
  const pair = await startPair(t, options);
  const source = join(pair.local, 'source');
  await writeFile(source, 'new');
  await writeFile(join(pair.root, 'old'), 'old');
  await mkdir(join(pair.root, 'dir'));
  return { ...pair, source, peer: await pair.client() };
}

async function fails(t: ExecutionContext, work: Promise<unknown>, code: ErrorCode, what = ''): Promise<E2eeftpError> {
  const error = await t.throwsAsync(work, undefined, what);
  t.true(E2eeftpError.is(error, code), `${what} ${String(error)}`);
  return error as E2eeftpError;
}

/** A promise and what settles it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

test('a before hook is told everything about the operation, in one form', async (t) => {
  const { server, peer, source, identity } = await scene(t, { grant: { ...fullGrant, user: 'ann' } });
  const seen: Operation[] = [];
  server.before('*', (operation) => void seen.push(operation));
  server.command('MINE', { summary: 'x', handler: () => ({}) });
  await peer.send(source, 'dir//./a');
  await peer.get('/dir/a/', join(source, '..', 'copy'));
  await peer.call('mine', { colour: 'blue', note: 'a text is no path' });
  t.deepEqual(
    seen.map(({ verb, path, target, requestedPath, user, size }) => [verb, path, target, requestedPath, user, size]),
    [
      ['SEND', '/dir/a', null, '/dir/a', 'ann', 3],
      ['GET', '/dir/a', null, '/dir/a', 'ann', null],
      ['MINE', null, null, null, 'ann', null],
    ],
  );
  const [sent, , mine] = seen;
  t.is(sent?.peer.fingerprint, identity.publicKey.fingerprint);
  t.is(sent?.peer.host, '127.0.0.1');
  t.is(sent?.mode, 0o644);
  t.true(sent?.grant.write);
  t.false(sent?.signal.aborted);
  t.is(mine?.args['colour'], 'blue');
  t.is(mine?.args['toString'], undefined);
  t.true(Object.isFrozen(sent) && Object.isFrozen(sent?.args));
});

test('names of any bytes reach a hook without loss, and the file is the one that it saw', async (t) => {
  const { server, peer } = await scene(t);
  const seen: (string | null)[] = [];
  server.before('send', ({ path }) => void seen.push(path));
  const name = Buffer.from([0x2f, 0x66, 0xff, 0x5c, 0x20]);
  const reply = await peer.call('SEND', { path: name }, { body: 'x' });
  t.deepEqual(seen, ['/f\udcff\\ ']);
  t.deepEqual(Buffer.from(reply.fields['path'] as Uint8Array), name);
});

test('deny: its status and text, nothing has happened, the session lives', async (t) => {
  const { server, peer, source, root, errors } = await scene(t);
  let verdict = deny(403, 'Closed for today');
  const handled: string[] = [];
  server.command('MINE', { summary: 'x', handler: () => void handled.push('MINE') });
  server.before('*', ({ verb }) => (verb === 'HLIST' ? allow() : verdict));
  t.is((await fails(t, peer.send(source, '/new'), 'E2EEFTP_NOT_PERMITTED')).message, 'Closed for today');
  verdict = deny(423, 'Locked', 'E2EEFTP_BUSY');
  t.is((await fails(t, peer.delete('/old'), 'E2EEFTP_BUSY')).status, 423);
  verdict = deny(502, 'The scanner is down');
  const failed = await fails(t, peer.call('MINE'), 'E2EEFTP_SERVER_ERROR');
  t.deepEqual([failed.status, failed.message, failed.reference], [502, 'The scanner is down', undefined]);
  t.deepEqual((await readdir(root)).toSorted(), ['dir', 'old']);
  t.deepEqual([handled, errors], [[], []]);
  t.true((await peer.commands()).length > 5);
});

test('a text of any length and kind reaches the client in part, and the session lives', async (t) => {
  const { server, peer } = await scene(t);
  for (const text of ['x'.repeat(100_000), `x${'😀'.repeat(50_000)}`, '\ud800', '\n', 'a\0b']) {
    server.command('MINE', { summary: 'x', handler: () => ({}) });
    let denied = false;
    server.before('MINE', () => {
      if (denied) return allow();
      denied = true;
      return deny(403, text);
    });
    const error = await fails(t, peer.call('MINE'), 'E2EEFTP_NOT_PERMITTED');
    t.true(error.message.length <= 1_000);
    await peer.call('MINE');
  }
});

test('a grant that ends while a hook decides permits nothing any more', async (t) => {
  let moment = 0;
  const { server, peer } = await scene(t, {
    authorizedClients: () => {
      moment ||= Date.now() + 3_000;
      return { ...fullGrant, expiresAt: new Date(moment) };
    },
  });
  let handled = 0;
  server.command('MINE', { summary: 'x', handler: () => void (handled += 1) });
  let verdict = allow();
  server.before('MINE', async () => {
    await until(() => Date.now() > moment, 30_000);
    return verdict;
  });
  const [first, second] = [peer.call('MINE'), peer.call('MINE')];
  await fails(t, first, 'E2EEFTP_EXPIRED');
  verdict = supply({ secret: 1 });
  await fails(t, second, 'E2EEFTP_EXPIRED');
  t.is(handled, 0);
});

test('deny, rewrite and supply check what they are given', (t) => {
  const bad: (() => unknown)[] = [
    () => deny(200, 'x'),
    () => deny(399, 'x'),
    () => deny(600, 'x'),
    () => deny(403.5, 'x'),
    () => deny('403' as never, 'x'),
    () => deny(403, ''),
    () => deny(403, undefined as never),
    () => deny(403, 'x', 'E2EEFTP_NO_SUCH' as never),
    () => deny(403, 'x', 'E2EEFTP_ABORTED'),
    () => rewrite({}),
    () => rewrite(null as never),
    () => rewrite({ path: 5 as never }),
    () => supply(null as never),
  ];
  for (const each of bad) {
    t.true(E2eeftpError.is(t.throws(each, undefined, String(each)), 'E2EEFTP_INVALID_ARGUMENT'), String(each));
  }
});

test('a hook that throws denies with a reference that is in the log', async (t) => {
  const lines: object[] = [];
  const log = (fields: object): void => void lines.push(fields);
  const { server, peer, source, root, errors } = await scene(t, {
    logger: { debug: log, info: log, warn: log, error: log },
  });
  const secret = new Error('secret detail');
  let hook: () => unknown = () => {
    throw secret;
  };
  server.before('send', () => hook() as undefined);
  const failed = await fails(t, peer.send(source, '/new'), 'E2EEFTP_SERVER_ERROR');
  t.is(failed.status, 500);
  t.false(failed.message.includes('secret'));
  await until(() => errors.length > 0);
  t.true(lines.some((line) => 'reference' in line && line.reference === failed.reference));
  t.deepEqual(errors, [secret]);
  hook = () => Promise.reject(new Error('later'));
  await fails(t, peer.send(source, '/new'), 'E2EEFTP_SERVER_ERROR');
  hook = () => {
    throw new E2eeftpError('E2EEFTP_NO_SPACE', 'Quota reached');
  };
  t.is((await fails(t, peer.send(source, '/new'), 'E2EEFTP_NO_SPACE')).message, 'Quota reached');
  t.deepEqual((await readdir(root)).toSorted(), ['dir', 'old']);
});

test('a hook that returns something strange denies', async (t) => {
  const { server, peer, root, errors } = await scene(t);
  const strange = [true, false, null, 'allow', 200, {}, { kind: 'allow' }, { allow: true }, allow, [allow()]];
  let answer: unknown;
  server.before('delete', () => answer as Verdict);
  for (answer of strange) await fails(t, peer.delete('/old'), 'E2EEFTP_SERVER_ERROR', JSON.stringify(answer));
  await until(() => errors.length === strange.length);
  t.true((await readdir(root)).includes('old'));
  answer = undefined;
  await peer.delete('/old');
});

test('a hook that hangs denies when its time is over, its signal tells it, and the session lives', async (t) => {
  const { server, peer, root, errors } = await scene(t, { hookTimeoutMs: 100 });
  const told: unknown[] = [];
  server.before('delete', async ({ signal }) => {
    signal.addEventListener('abort', () => told.push(signal.reason));
    await new Promise(() => undefined);
  });
  const failed = await fails(t, peer.delete('/old'), 'E2EEFTP_HOOK_TIMEOUT');
  t.is(failed.status, 503);
  t.is(told.length, 1);
  t.true(errors.length === 1 && E2eeftpError.is(errors[0], 'E2EEFTP_HOOK_TIMEOUT'));
  t.true((await readdir(root)).includes('old'));
  t.is((await peer.call('HLIST')).status, 200);
});

test('a hook that allows too late has allowed nothing', async (t) => {
  const { server, peer, root } = await scene(t, { hookTimeoutMs: 50 });
  const late = gate();
  const ended = gate();
  server.before('delete', async () => {
    await late.opened;
    ended.open();
    return allow();
  });
  await fails(t, peer.delete('/old'), 'E2EEFTP_HOOK_TIMEOUT');
  late.open();
  await ended.opened;
  t.is((await peer.call('HLIST')).status, 200);
  t.true((await readdir(root)).includes('old'));
});

test('hooks run in order of registration, for all and for one verb; the first that denies ends it', async (t) => {
  const { server, peer } = await scene(t);
  const order: string[] = [];
  const note = (name: string, verdict?: Verdict) => async (): Promise<Verdict | undefined> => {
    await delay(1);
    order.push(name);
    return verdict;
  };
  server
    .before('stat', note('first'))
    .before('*', note('second', allow()))
    .before('delete', note('of another verb'))
    .before('Stat', note('third', deny(404, 'Gone')))
    .before('*', note('never'));
  await fails(t, peer.stat('/old'), 'E2EEFTP_NOT_FOUND');
  t.deepEqual(order, ['first', 'second', 'third']);
});

test('rewrite: as if the client had asked for that path, and later hooks see it', async (t) => {
  const { server, peer, source, root, local } = await scene(t);
  const seen: (string | null)[] = [];
  const results: OperationResult[] = [];
  server.before('*', ({ path, user }) =>
    path === null ? allow() : rewrite({ path: `dir//${user.length}/./x${path}/` }),
  );
  server.before('*', ({ path, requestedPath }) => void seen.push(requestedPath, path));
  server.after('send', (_operation, result) => void results.push(result));
  const length = 50;
  t.is((await peer.send(source, '/new', { parents: true })).path, `/dir/${length}/x/new`);
  t.deepEqual(seen, ['/new', `/dir/${length}/x/new`]);
  t.is(await readFile(join(root, 'dir', String(length), 'x', 'new'), 'utf8'), 'new');
  t.is(results[0]?.path, `/dir/${length}/x/new`);
  await peer.get('/new', join(local, 'back'));
  t.is(await readFile(join(local, 'back'), 'utf8'), 'new');
});

test('rewrite leads out of neither the root nor the grant', async (t) => {
  const { server, root, client, local } = await startPair(t, {
    grant: { ...fullGrant, path: '/in', overwrite: false },
  });
  await mkdir(join(root, 'in'));
  await writeFile(join(root, 'secret'), 'secret');
  await writeFile(join(root, 'in', 'there'), 'there');
  await symlink(join(root, 'secret'), join(root, 'in', 'leak'));
  let path = '';
  server.before('*', (operation) => (operation.path === null ? allow() : rewrite({ path })));
  const peer = await client();
  const source = join(local, 'x');
  await writeFile(source, 'x');
  for (path of ['/../secret', '..', '/in/../../secret', '/a\0b', '/leak', '/secret', '/.e2eeftp-0.part']) {
    const work: Promise<unknown>[] = [peer.get('/there', join(local, 'y')), peer.stat('/there'), peer.list('/').next()];
    if (path !== '/leak') work.push(peer.delete('/there'));
    for (const each of work) {
      const error = await t.throwsAsync(each, undefined, path);
      t.true(E2eeftpError.is(error) && [400, 403, 404].includes(error.status ?? 0), `${path}: ${String(error)}`);
    }
  }
  path = '/there';
  await fails(t, peer.send(source, '/free'), 'E2EEFTP_EXISTS');
  t.is(await readFile(join(root, 'in', 'there'), 'utf8'), 'there');
  t.is(await readFile(join(root, 'secret'), 'utf8'), 'secret');
  path = '\ud800';
  await fails(t, peer.stat('/there'), 'E2EEFTP_BAD_PATH');
});

test('rewrite of what an operation does not have denies', async (t) => {
  const { server, peer } = await scene(t);
  server.command('MINE', { summary: 'x', handler: () => ({}) });
  server.before('MINE', () => rewrite({ path: '/x' }));
  server.before('stat', () => rewrite({ target: '/x' }));
  await t.throwsAsync(peer.call('MINE'));
  await t.throwsAsync(peer.stat('/old'));
});

test('rewrite uses the values that it has checked, and takes no others', async (t) => {
  const { server, peer, source, root } = await scene(t);
  class Elsewhere {
    get path(): string {
      return '/safe';
    }
  }
  let looks = 0;
  const once = {
    get path(): string {
      looks += 1;
      return looks === 1 ? '/once' : '/twice';
    },
  };
  const answers: (() => ReturnType<typeof rewrite>)[] = [
    () => rewrite(new Elsewhere()),
    () => rewrite(once),
    () => rewrite({ path: '/misspelt', traget: '/x' } as { path: string }),
  ];
  server.before('send', () => answers.shift()?.());
  t.is((await peer.send(source, '/first')).path, '/safe');
  t.is((await peer.send(source, '/second')).path, '/once');
  await t.throwsAsync(peer.send(source, '/third'));
  const names = await readdir(root);
  t.deepEqual(
    names.filter((name) => ['first', 'second', 'third', 'twice', 'misspelt'].includes(name)),
    [],
  );
});

test('a path that no hook can judge is refused before the hooks', async (t) => {
  const { server, peer } = await scene(t);
  let asked = 0;
  server.before('*', () => void (asked += 1));
  server.command('MINE', { summary: 'x', handler: () => ({}) });
  // A text is no path, whatever the handler would take it for.
  await fails(t, peer.call('MINE', { path: '/secret' }), 'E2EEFTP_BAD_PATH', 'a text');
  await fails(t, peer.call('MOVE', { from: Buffer.from('/old'), to: '/secret' }), 'E2EEFTP_BAD_PATH', 'a text');
  for (const path of ['/dir/../old', '..', '/a\0b']) await fails(t, peer.stat(path), 'E2EEFTP_BAD_PATH', path);
  t.is(asked, 0);
});

test('supply: the handler does not run, and the client gets what the hook gave', async (t) => {
  const { server, peer, local } = await scene(t);
  const handled: string[] = [];
  const transfers: string[] = [];
  server.on('transfer', ({ path, root }) => transfers.push(`${path} ${root.length}`));
  server.command('MINE', { summary: 'x', handler: () => void handled.push('MINE') });
  server.before('MINE', () => supply({ status: 203, text: 'From the cache', answer: 42 }));
  const reply = await peer.call('MINE');
  t.deepEqual([reply.status, reply.text, reply.fields['answer']], [203, 'From the cache', 42]);
  server.before('stat', () => supply({ type: 'f', size: 7, mtime: 0, mode: 0o600 }));
  t.is((await peer.stat('/nowhere')).size, 7);
  const bodies: Record<string, Verdict> = {
    '/bytes': supply({ body: Buffer.from('made up'), mtime: 1_000, mode: 0o600 }),
    '/text': supply({ body: 'grüße' }),
    '/stream': supply({ body: Readable.from([Buffer.alloc(300_000, 1), Buffer.alloc(300_000, 2)]), size: 600_000 }),
    '/empty': supply({ body: '' }),
    '/gone': supply({ status: 410, text: 'Gone for good' }),
  };
  server.before('get', ({ path }) => bodies[path ?? '']);
  for (const [path, length] of Object.entries({ '/bytes': 7, '/text': 7, '/stream': 600_000, '/empty': 0 })) {
    const file = join(local, path);
    const { bytes } = await peer.get(path, file);
    t.deepEqual([bytes, (await readFile(file)).length], [length, length], path);
  }
  t.is(await readFile(join(local, 'text'), 'utf8'), 'grüße');
  t.is((await fails(t, peer.get('/gone', join(local, 'x')), 'E2EEFTP_BAD_REQUEST')).status, 410);
  await peer.get('/old', join(local, 'old'));
  t.is(await readFile(join(local, 'old'), 'utf8'), 'old');
  t.is((await buffer(peer.createReadStream('/bytes'))).toString(), 'made up');
  t.deepEqual(handled, []);
  await until(() => transfers.length >= 6);
  t.is(transfers[0], '/bytes 64');
});

test('a supplied file of another length than announced never arrives', async (t) => {
  const { server, peer, local, errors } = await scene(t);
  const bodies: Record<string, Verdict> = {
    '/short': supply({ body: 'four', size: 5 }),
    '/long': supply({ body: ['four', Buffer.from('more')], size: 5 }),
    '/unknown': supply({ body: Readable.from(['x']) }),
    '/none': supply({}),
    '/odd': supply({ body: 'x', size: -1 }),
  };
  server.before('get', ({ path }) => bodies[path ?? '']);
  for (const path of Object.keys(bodies)) {
    await fails(t, peer.get(path, join(local, 'target')), 'E2EEFTP_SERVER_ERROR', path);
  }
  await until(() => errors.length === Object.keys(bodies).length);
  t.false((await readdir(local)).includes('target'));
  t.deepEqual(await leftovers(local), []);
  t.is((await peer.call('HLIST')).status, 200);
});

test('the grant comes first: no hook is asked about what is not permitted, but after hooks hear of it', async (t) => {
  const { server, peer } = await scene(t, { grant: { ...fullGrant, delete: false } });
  const heard: unknown[] = [];
  server.before('delete', () => t.fail('asked'));
  server.after('delete', ({ path }, { status, code }) => heard.push([path, status, code]));
  await fails(t, peer.delete('/old'), 'E2EEFTP_NOT_PERMITTED');
  t.deepEqual(heard, [['/old', 403, 'E2EEFTP_NOT_PERMITTED']]);
});

test('after hooks know the outcome before the client does, whatever it is', async (t) => {
  const { server, peer, source, root, local } = await scene(t);
  const events: string[] = [];
  const results = new Map<string, OperationResult>();
  server.before('stat', () => deny(403, 'No'));
  server.command('BREAK', {
    summary: 'x',
    handler: () => {
      throw new Error('broken');
    },
  });
  server.command('STREAM', { summary: 'x', handler: () => ({ status: 201, body: [Buffer.alloc(10)] }) });
  server.after('*', async ({ verb, path }, result) => {
    if (verb === 'SEND') events.push(`hook sees ${await readFile(join(root, path ?? ''), 'utf8')}`);
    await delay(20);
    results.set(verb, result);
    events.push(`after ${verb}`);
  });
  const sent = await peer.send(source, '/new');
  events.push('client');
  t.deepEqual(events, ['hook sees new', 'after SEND', 'client']);
  await peer.get('/new', join(local, 'copy'));
  await t.throwsAsync(peer.stat('/new'));
  const broken = await fails(t, peer.call('BREAK'), 'E2EEFTP_SERVER_ERROR');
  await peer.call('STREAM');
  await t.throwsAsync(peer.call('DELETE', { path: Buffer.from('/none') }));
  const { seconds, ...send } = results.get('SEND') ?? { seconds: -1 };
  t.true(seconds > 0);
  t.deepEqual(send, { status: 226, bytes: 3, root: sent.root, path: '/new' });
  t.is(results.get('GET')?.root, sent.root);
  t.like(results.get('STAT'), { status: 403, code: 'E2EEFTP_NOT_PERMITTED', root: null, path: '/new' });
  t.like(results.get('BREAK'), { status: 500, code: 'E2EEFTP_SERVER_ERROR', path: null });
  const error = results.get('BREAK')?.error as E2eeftpError;
  t.is(error.reference, broken.reference);
  t.is((error.cause as Error).message, 'broken');
  t.like(results.get('STREAM'), { status: 201, root: null });
  t.is(results.get('DELETE')?.status, 404);
  t.is((await peer.call('SEND', { path: Buffer.from('/old'), overwrite: 'rename' }, { body: '' })).status, 226);
  t.is(results.get('SEND')?.path, '/old (1)');
});

test('after hooks that throw or hang are reported and change nothing', async (t) => {
  const { server, peer, source, root, errors } = await scene(t, { hookTimeoutMs: 50 });
  const failure = new Error('ledger down');
  let last = 0;
  server.after('send', () => {
    throw failure;
  });
  server.after('send', () => new Promise(() => undefined));
  server.after('send', () => 'whatever it returns');
  server.after('send', () => void (last += 1));
  t.is((await peer.send(source, '/new')).bytes, 3);
  t.is(errors.length, 2);
  t.is(errors[0], failure);
  t.true(E2eeftpError.is(errors[1], 'E2EEFTP_HOOK_TIMEOUT'));
  t.is(last, 1);
  t.is(await readFile(join(root, 'new'), 'utf8'), 'new');
});

test('a client that goes away in the middle of its file is heard of', async (t) => {
  const { server, client, root } = await scene(t);
  const results: OperationResult[] = [];
  server.after('send', (_operation, result) => void results.push(result));
  const peer = await client();
  const stream = peer.createWriteStream('/cut');
  stream.on('error', () => undefined);
  await new Promise<void>((resolve) => stream.write(Buffer.alloc(100_000), () => resolve()));
  stream.destroy();
  await until(() => results.length === 1);
  t.is(results[0]?.root, null);
  t.not(results[0]?.error, undefined);
  await until(async () => (await leftovers(root)).length === 0);
  t.false((await readdir(root)).includes('cut'));
});

test('a hook delays its own operation only', async (t) => {
  const { server, client, peer, source } = await scene(t);
  const events: string[] = [];
  const waiting = gate();
  const released = gate();
  server.before('send', async ({ path }) => {
    if (path !== '/slow') return;
    waiting.open();
    await released.opened;
    events.push('the hook decides');
  });
  const slow = peer.send(source, '/slow').then(() => events.push('the slow one is stored'));
  await waiting.opened;
  // Another session, a stream of the same client, and many more go on meanwhile.
  const other = await client();
  await other.send(source, '/quick');
  events.push('another client');
  t.is((await buffer(peer.createReadStream('/quick'))).toString(), 'new');
  events.push('another connection of the same client');
  await Promise.all(Array.from({ length: 20 }, async (_, n) => (await client()).send(source, `/many-${n}`)));
  events.push('many others');
  released.open();
  await slow;
  t.deepEqual(events, [
    'another client',
    'another connection of the same client',
    'many others',
    'the hook decides',
    'the slow one is stored',
  ]);
});

test('a client that waits for a hook does not take the server for dead', async (t) => {
  const { server, client, source, local } = await scene(t);
  const replyTimeoutMs = 4_000;
  server.before('send', () => delay(6_000));
  server.before('get', () => delay(6_000));
  server.after('stat', () => delay(6_000));
  const [one, two, three, four] = await Promise.all([1, 2, 3, 4].map(() => client({ replyTimeoutMs })));
  const [sent, , content, entry] = await Promise.all([
    one?.send(source, '/patient'),
    two?.get('/old', join(local, 'patient')),
    three === undefined ? null : buffer(three.createReadStream('/old')),
    four?.stat('/old'),
  ]);
  t.deepEqual([sent?.bytes, content?.toString(), entry?.size], [3, 'old', 3]);
});

test('shutting down does not wait for a hook, and nothing it allows then runs', async (t) => {
  const { server, peer, root } = await scene(t);
  const asked = gate();
  let aborted = false;
  server.before('delete', async ({ signal }) => {
    asked.open();
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    aborted = true;
    return allow();
  });
  const deleting = fails(t, peer.delete('/old'), 'E2EEFTP_SHUTTING_DOWN');
  await asked.opened;
  await server.close({ graceMs: 0 });
  await deleting;
  t.true(aborted);
  t.true((await readdir(root)).includes('old'));
});

test('a hook for a verb that is not there is refused before anybody can connect', async (t) => {
  const refused = (work: () => unknown): void => {
    t.true(E2eeftpError.is(t.throws(work), 'E2EEFTP_INVALID_ARGUMENT'));
  };
  const { server } = await startPair(t);
  for (const name of ['', '**', 'a b', '1X', 'SENT', 'x'.repeat(33)]) refused(() => server.before(name, allow));
  refused(() => server.after('SENT', () => undefined));
  refused(() => server.before('send', undefined as never));
  refused(() => server.before(undefined as never, allow));
  const wrong = startPair(t, { make: (options) => new Server(options).before('sned', allow) });
  t.true(E2eeftpError.is(await t.throwsAsync(wrong), 'E2EEFTP_INVALID_ARGUMENT'));
  const late = await startPair(t, {
    make: (options) =>
      new Server(options).before('ping', () => deny(403, 'x')).command('PING', { summary: 'x', handler: () => ({}) }),
  });
  await fails(t, (await late.client()).call('PING'), 'E2EEFTP_NOT_PERMITTED');
});

test('hooks hold for a subclass that wraps a command, and for one that is replaced', async (t) => {
  const order: string[] = [];
  class Filing extends Server {
    override async handleSend(context: RequestContext): Promise<CommandReply> {
      order.push(`wrapper ${context.user} ${context.peer.host}`);
      const reply = await super.handleSend(context);
      order.push(`stored ${String(reply.status)}`);
      return { ...reply, text: 'Filed', ticket: 7 };
    }
  }
  const { server, peer, source } = await scene(t, {
    grant: { ...fullGrant, user: 'ann' },
    make: (options) => new Filing(options),
  });
  server.before('send', ({ path }) => (path === '/no' ? deny(403, 'No') : void order.push('before')));
  server.after('send', (_operation, { status }) => void order.push(`after ${status}`));
  const reply = await peer.call('SEND', { path: Buffer.from('/yes') }, { body: 'x' });
  t.deepEqual([reply.text, reply.fields['ticket']], ['Filed', 7]);
  t.deepEqual(order.splice(0), ['before', 'wrapper ann 127.0.0.1', 'stored 226', 'after 226']);
  await fails(t, peer.send(source, '/no'), 'E2EEFTP_NOT_PERMITTED');
  t.deepEqual(order.splice(0), ['after 403']);
  server.command('SEND', {
    summary: 'Echoes',
    handler: async (context) => {
      const pieces: Buffer[] = [];
      for await (const piece of context.body()) pieces.push(piece);
      return { body: pieces };
    },
  });
  const echoed: Buffer[] = [];
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      echoed.push(chunk);
      done();
    },
  });
  await peer.call('SEND', { path: Buffer.from('/yes') }, { body: Buffer.alloc(600_000, 7), output });
  t.is(Buffer.concat(echoed).length, 600_000);
  t.deepEqual(order, ['before', 'after 200']);
});
