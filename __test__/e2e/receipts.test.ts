import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { Identity, fullGrant, readReceipt, rewrite, verifyReceipt } from '../../dist/index.js';
import type { Client, Receipt, ReceiptEvent, RequestArgs, TransferResult } from '../../dist/index.js';
import { draftReceipt } from '../../dist/native.js';
import type { Pair } from './pair.js';
import { startPair } from './pair.js';

/** What a statement is made of, apart from the keys. */
interface Subject {
  direction: string;
  size: number;
  root: Buffer;
  path: string;
  time: number;
}

/** The arguments of an honest RECEIPT about `moved`, with changes; signed by `signer`. */
async function draft(
  pair: Pair,
  moved: TransferResult,
  changes: Partial<Subject> & { client?: Identity; server?: Identity; signer?: Identity } = {},
): Promise<Record<'statement' | 'salt' | 'signature', string | Buffer>> {
  const { client = pair.identity, server = pair.server.identity, signer = client, path, ...rest } = changes;
  const { statement, salt } = draftReceipt({
    direction: 'send',
    size: moved.bytes,
    root: Buffer.from(moved.root, 'hex'),
    path: Buffer.from(path ?? moved.path),
    client: client.publicKey.openssh,
    server: server.publicKey.openssh,
    time: Math.floor(Date.now() / 1000),
    ...rest,
  });
  return { statement, salt, signature: await signer.withKey((key) => key.signReceipt(statement)) };
}

async function sent(pair: Pair, client: Client, name: string, content = name): Promise<TransferResult> {
  const file = join(pair.local, name);
  await writeFile(file, content);
  return client.send(file, `/${name}`);
}

test('both sides sign what was sent and what was fetched', async (t) => {
  const pair = await startPair(t, { grant: { ...fullGrant, user: 'ann' } });
  const seen: ReceiptEvent[] = [];
  pair.server.on('receipt', (event) => seen.push(event));
  const client = await pair.client();
  const up = await sent(pair, client, 'Grüße \n 50 %');
  const copy = join(pair.local, 'copy');
  const down = await client.get('//./Grüße \n 50 %', copy);
  const receipts: Receipt[] = [await client.receipt(down), await client.receipt(up)];
  t.deepEqual(
    receipts.map(({ direction }) => direction),
    ['get', 'send'],
  );
  for (const receipt of receipts) {
    t.is(receipt.path, '/Grüße \n 50 %');
    t.is(receipt.bytes, up.bytes);
    t.is(receipt.root, up.root);
    t.is(receipt.clientKey.fingerprint, pair.identity.publicKey.fingerprint);
    t.is(receipt.serverKey.fingerprint, pair.server.fingerprint);
    t.true(Math.abs(receipt.time.getTime() - Date.now()) < 60_000);
    const serverKeys = [pair.server.fingerprint];
    t.deepEqual(await verifyReceipt(receipt.text, { serverKeys, file: copy }), receipt);
  }
  t.deepEqual(
    seen.map(({ receipt, ...who }) => [receipt.text, who]),
    receipts.map(({ text }) => [
      text,
      { user: 'ann', fingerprint: pair.identity.publicKey.fingerprint, host: '127.0.0.1' },
    ]),
  );
  t.not(receipts[0]?.id, receipts[1]?.id);
});

test('there is one receipt of a transfer, for the client that made it', async (t) => {
  const pair = await startPair(t);
  const [one, other] = [await pair.client(), await pair.client()];
  const moved = await sent(pair, one, 'a');
  await t.throwsAsync(other.receipt(moved), { code: 'E2EEFTP_INVALID_ARGUMENT' });
  await t.throwsAsync(one.receipt({ ...moved }), { code: 'E2EEFTP_INVALID_ARGUMENT' });
  // The same key, another session.
  const stolen = await draft(pair, moved);
  await t.throwsAsync(other.call('RECEIPT', stolen), { code: 'E2EEFTP_RECEIPT', message: /no such file/ });
  await one.receipt(moved);
  await t.throwsAsync(one.receipt(moved), { code: 'E2EEFTP_RECEIPT', message: /its receipt already/ });
  // Sent twice, there are two.
  const again = [await sent(pair, one, 'a'), await sent(pair, one, 'a')];
  for (const each of again) await one.receipt(each);
  await t.throwsAsync(one.call('RECEIPT', await draft(pair, moved)), { code: 'E2EEFTP_RECEIPT' });
});

test('the server signs nothing that differs from what it has recorded', async (t) => {
  const pair = await startPair(t);
  const signed: ReceiptEvent[] = [];
  pair.server.on('receipt', (event) => signed.push(event));
  const client = await pair.client();
  const moved = await sent(pair, client, 'a', 'content');
  const stranger = Identity.generate();
  const now = Math.floor(Date.now() / 1000);
  const honest = await draft(pair, moved);
  const text = String(honest.statement);
  const refused: [string, RequestArgs][] = [
    ['another direction', await draft(pair, moved, { direction: 'get' })],
    ['another size', await draft(pair, moved, { size: moved.bytes + 1 })],
    ['another root', await draft(pair, moved, { root: Buffer.alloc(32, 1) })],
    ['another path', await draft(pair, moved, { path: '/b' })],
    ['another client', await draft(pair, moved, { client: stranger })],
    ['another server', await draft(pair, moved, { server: stranger })],
    ['a client as server', await draft(pair, moved, { server: pair.identity })],
    ['the past', await draft(pair, moved, { time: now - 301 - 10 })],
    ['the future', await draft(pair, moved, { time: now + 301 + 10 })],
    ['another salt', { ...honest, salt: Buffer.alloc(32) }],
    ['a short salt', { ...honest, salt: Buffer.alloc(31) }],
    ['no signature', { ...honest, signature: Buffer.alloc(0) }],
    ['a damaged signature', { ...honest, signature: Buffer.from(honest.signature).fill(0, 60, 61) }],
    ['a signature of another statement', { ...honest, signature: (await draft(pair, moved)).signature }],
    ['a blank line', { ...honest, statement: `${text}\n` }],
    ['other line ends', { ...honest, statement: text.replaceAll('\n', '\r\n') }],
    ['upper case', { ...honest, statement: text.replace(/^root .*/m, (line) => line.toUpperCase()) }],
    ['a further line', { ...honest, statement: `${text}note x\n` }],
    ['nothing', { ...honest, statement: '' }],
    ['far too much', { ...honest, statement: text.repeat(20) }],
  ];
  for (const [what, args] of refused) {
    await t.throwsAsync(client.call('RECEIPT', args), { code: 'E2EEFTP_RECEIPT' }, what);
  }
  const malformed: [string, RequestArgs][] = [
    ['no statement', { salt: honest.salt, signature: honest.signature }],
    ['a statement of bytes', { ...honest, statement: Buffer.from(text) }],
    ['a salt of text', { ...honest, salt: 'salt' }],
  ];
  for (const [what, args] of malformed) {
    await t.throwsAsync(client.call('RECEIPT', args), { code: 'E2EEFTP_BAD_REQUEST' }, what);
  }
  t.deepEqual(signed, []);
  // None of it has used up the receipt that there is.
  t.is((await client.receipt(moved)).bytes, 7);
  t.is(signed.length, 1);
  t.deepEqual(pair.errors, []);
});

test('of parts, of what failed and of what a handler made up there is no receipt', async (t) => {
  const pair = await startPair(t);
  const client = await pair.client();
  const moved = await sent(pair, client, 'a', 'content');
  await client.receipt(moved);
  const part = await client.call('GET', { path: Buffer.from('/a'), start: 0, end: 2 });
  const root = part.fields['root'];
  if (!(root instanceof Uint8Array)) throw new Error('no root');
  const args = await draft(pair, moved, { direction: 'get', size: 3, root: Buffer.from(root) });
  await t.throwsAsync(client.call('RECEIPT', args), { code: 'E2EEFTP_RECEIPT', message: /no such file/ });
  await t.throwsAsync(client.send(join(pair.local, 'a'), '/a', { overwrite: 'refuse' }));
  await t.throwsAsync(client.call('RECEIPT', await draft(pair, moved)), { code: 'E2EEFTP_RECEIPT' });
});

test('a receipt bears the name that the client knows', async (t) => {
  const pair = await startPair(t);
  pair.server.before('send', ({ path }) => rewrite({ path: `/by/ann${path ?? ''}` }));
  pair.server.before('get', ({ path }) => (path === '/alias' ? rewrite({ path: '/by/ann/a' }) : undefined));
  const client = await pair.client();
  const moved = await sent(pair, client, 'a', 'content');
  t.is((await client.receipt(moved)).path, '/by/ann/a');
  const got = await client.get('alias', join(pair.local, 'copy'));
  t.is((await client.receipt(got)).path, '/alias');
});

test('the last 64 transfers of a session have receipts to come', async (t) => {
  const pair = await startPair(t);
  const client = await pair.client();
  const results: TransferResult[] = [];
  for (let index = 0; index < 65; index += 1) results.push(await sent(pair, client, String(index)));
  const [first, second, ...others] = results;
  if (first === undefined || second === undefined) throw new Error('nothing was sent');
  await t.throwsAsync(client.receipt(first), { code: 'E2EEFTP_RECEIPT' });
  await client.receipt(second);
  const last = others.at(-1);
  if (last !== undefined) await client.receipt(last);
});

test('a client takes nothing but the server’s signature under its own statement', async (t) => {
  const pair = await startPair(t);
  const thief = Identity.generate();
  const old: Uint8Array[] = [];
  let answer: (args: RequestArgs) => Promise<RequestArgs> = () => Promise.resolve({});
  const sign = async (identity: Identity, statement: unknown): Promise<Buffer> => {
    if (typeof statement !== 'string') throw new Error('no statement');
    return identity.withKey((key) => key.signReceipt(statement));
  };
  pair.server.command('RECEIPT', {
    summary: 'Answers what the test says',
    handler: async ({ args }) => ({ text: 'OK', ...(await answer(args)) }),
  });
  const client = await pair.client();
  const moved = await sent(pair, client, 'a', 'content');
  const { identity } = pair.server;
  const other = async (changes: Parameters<typeof draft>[2]): Promise<RequestArgs> => {
    const { statement } = await draft(pair, moved, changes);
    return { signature: await sign(identity, statement) };
  };
  const honest = async (args: RequestArgs): Promise<RequestArgs> => {
    const signature = await sign(identity, args['statement']);
    old.push(signature);
    return { signature };
  };
  const lies: [string, typeof answer][] = [
    ['another root', () => other({ root: Buffer.alloc(32, 1) })],
    ['another file', () => other({ path: '/b' })],
    ['another time', () => other({ time: 1_000_000_000 })],
    ['an old receipt', () => Promise.resolve({ signature: old[0] ?? null })],
    ['the client’s own signature', (args) => Promise.resolve({ signature: args['signature'] })],
    [
      'half a signature',
      async (args) => ({ signature: Buffer.from((await honest(args))['signature'] as Buffer).subarray(1) }),
    ],
    [
      'a signature and more',
      async (args) => ({ signature: Buffer.concat([(await honest(args))['signature'] as Buffer, Buffer.of(0)]) }),
    ],
    ['nothing', () => Promise.resolve({ signature: Buffer.alloc(0) })],
    [
      'a statement with the thief as server',
      async () => {
        const { statement } = await draft(pair, moved, { server: thief });
        return { signature: await sign(thief, statement) };
      },
    ],
  ];
  answer = honest;
  await client.receipt(moved);
  for (const [what, lie] of lies) {
    answer = lie;
    await t.throwsAsync(client.receipt(moved), { code: 'E2EEFTP_RECEIPT' }, what);
  }
  for (const signature of [undefined, 'text', 5]) {
    answer = () => Promise.resolve({ signature });
    await t.throwsAsync(client.receipt(moved), { code: 'E2EEFTP_PROTOCOL' });
  }
  pair.server.command('RECEIPT', { summary: 'Not here' });
  await t.throwsAsync(client.receipt(moved), { code: 'E2EEFTP_NOT_IMPLEMENTED' });
  t.true(client.isOpen);
});

test('an identity signs only statements of which it is a side, and nothing else', async (t) => {
  const pair = await startPair(t);
  const stranger = Identity.generate();
  const { statement } = draftReceipt({
    direction: 'get',
    size: 0,
    root: Buffer.alloc(32),
    path: Buffer.from('/a'),
    client: pair.identity.publicKey.openssh,
    server: pair.server.identity.publicKey.openssh,
    time: 0,
  });
  await t.throwsAsync(
    stranger.withKey((key) => key.signReceipt(statement)),
    { code: 'E2EEFTP_INTERNAL' },
  );
  for (const text of ['', 'a text', statement.slice(1)]) {
    await t.throwsAsync(
      pair.identity.withKey((key) => key.signReceipt(text)),
      { code: 'E2EEFTP_RECEIPT' },
    );
  }
});

test('verifyReceipt holds a receipt against keys and a file', async (t) => {
  const pair = await startPair(t);
  const client = await pair.client();
  const moved = await sent(pair, client, 'a', 'content');
  const { text } = await client.receipt(moved);
  const file = join(pair.local, 'a');
  const serverKeys = [pair.server.fingerprint];
  const clientKeys = [pair.identity.publicKey.fingerprint];
  await verifyReceipt(text, { serverKeys, clientKeys, file });
  const code = 'E2EEFTP_RECEIPT';
  await t.throwsAsync(verifyReceipt(text, { serverKeys: clientKeys }), { code, message: /by the server key/ });
  await t.throwsAsync(verifyReceipt(text, { clientKeys: serverKeys }), { code, message: /by the client key/ });
  await t.throwsAsync(verifyReceipt(text, { serverKeys: [] }), { code });
  await writeFile(file, 'CONTENT');
  await t.throwsAsync(verifyReceipt(text, { file }), { code, message: /another content/ });
  await writeFile(file, 'contents');
  await t.throwsAsync(verifyReceipt(text, { file }), { code, message: /8 bytes.*7/ });
  await t.throwsAsync(verifyReceipt(text, { file: join(pair.local, 'none') }), { code: 'E2EEFTP_NOT_FOUND' });
  await t.throwsAsync(verifyReceipt(text, { signal: AbortSignal.abort(new Error('stop')), file }), { message: 'stop' });
  const hidden = text.replace(/^(name|salt) .*\n/gm, '');
  t.is(readReceipt(hidden).path, null);
  t.throws(() => readReceipt(text.replace(/^salt .*\n/m, '')), { code });
  t.throws(() => readReceipt(' '.repeat(40_000)), { code });
  t.throws(() => readReceipt(5 as unknown as string), { code: 'E2EEFTP_INVALID_ARGUMENT' });
  t.is((await readFile(file)).length, 8);
});
