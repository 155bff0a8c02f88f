/** Durability: a client's wish, and what a server makes of it. */
import test from 'ava';
import { chosenDurability } from '../../dist/e2eeftp/commands/send.js';
import { startPair } from './pair.js';

test('a wish is granted unless it is for less than the server’s least', (t) => {
  const usual = { durability: 'file', leastDurability: 'none' } as const;
  const strict = { durability: 'none', leastDurability: 'file' } as const;
  t.is(chosenDurability(null, usual), 'file');
  t.is(chosenDurability('none', usual), 'none');
  t.is(chosenDurability('directory', usual), 'directory');
  t.is(chosenDurability(null, strict), 'file');
  t.is(chosenDurability('none', strict), 'file');
  t.is(chosenDurability('directory', strict), 'directory');
});

test('the reply says what was done', async (t) => {
  const { client } = await startPair(t, { leastDurability: 'file' });
  const peer = await client();
  for (const [wish, done] of [
    [undefined, 'file'],
    ['none', 'file'],
    ['directory', 'directory'],
  ] as const) {
    const args = { path: Buffer.from('/f'), ...(wish === undefined ? {} : { durability: wish }) };
    t.is((await peer.call('SEND', args, { body: 'x' })).fields['durability'], done);
  }
  const wrong = { path: Buffer.from('/f'), durability: 'for ever' };
  await t.throwsAsync(peer.call('SEND', wrong, { body: 'x' }), { code: 'E2EEFTP_BAD_REQUEST' });
});
