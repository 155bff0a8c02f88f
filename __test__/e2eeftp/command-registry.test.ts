import test from 'ava';
import { CommandRegistry } from '../../dist/e2eeftp/command-registry.js';
import type { CommandHandler } from '../../dist/e2eeftp/command-registry.js';
import { E2eeftpError } from '../../dist/errors.js';

test('verbs are not case-sensitive; a later definition replaces an earlier one', (t) => {
  const registry = new CommandRegistry();
  registry.set('ping', { summary: 'one' });
  registry.set('PING', { summary: 'two' });
  t.is(registry.get('Ping')?.summary, 'two');
  t.deepEqual(
    [...registry.entries()].map(([verb]) => verb),
    ['PING'],
  );
  t.true(registry.delete('pinG'));
  t.false(registry.delete('PING'));
  t.is(registry.get('PING'), undefined);
});

test('a peer’s verb never reaches a prototype', (t) => {
  const registry = new CommandRegistry();
  for (const verb of ['__proto__', 'constructor', 'TOSTRING', 'hasOwnProperty']) t.is(registry.get(verb), undefined);
});

test('what is no command is refused', (t) => {
  const registry = new CommandRegistry();
  const bad: [string, unknown, unknown][] = [
    ['', 'x', undefined],
    ['1A', 'x', undefined],
    ['A B', 'x', undefined],
    ['A'.repeat(33), 'x', undefined],
    ['A', '', undefined],
    ['A', 'x'.repeat(121), undefined],
    ['A', 'two\nlines', undefined],
    ['A', 5, undefined],
    ['A', 'x', 'no function'],
  ];
  for (const [verb, summary, handler] of bad) {
    const definition = { summary: summary as string, handler: handler as CommandHandler };
    const error = t.throws(() => registry.set(verb, definition), undefined, verb);
    t.true(E2eeftpError.is(error, 'E2EEFTP_INVALID_ARGUMENT'));
  }
});

test('the number of commands has a limit', (t) => {
  const registry = new CommandRegistry();
  for (let index = 0; index < 256; index += 1) registry.set(`C${index}`, { summary: 'x' });
  t.throws(() => registry.set('MORE', { summary: 'x' }));
  registry.set('C0', { summary: 'replaced' });
  t.is(registry.get('C0')?.summary, 'replaced');
});
