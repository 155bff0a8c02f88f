/**
 * A server of the library with commands that go wrong in every way, as a process of its own. Arguments: data directory,
 * root. It lets everybody in, tells its parent port and fingerprint, and ends when the parent does.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createServer, fullGrant } from '../../dist/index.js';

const [dataDir = '', root = ''] = process.argv.slice(2);
const log = (fields: object, text: string): void => {
  const error = (fields as { err?: unknown }).err;
  console.error(text, JSON.stringify(fields), error instanceof Error ? error.message : '');
};
const quiet = (): void => undefined;

const server = await createServer({
  dataDir,
  root,
  listen: { port: 0 },
  authorizedClients: () => fullGrant,
  durability: 'none',
  logger: { debug: quiet, info: quiet, warn: log, error: log },
});

class Unprintable {
  get message(): string {
    throw new Error('not even that');
  }
}

server
  .command('THROWS', {
    summary: 'Throws at once',
    handler: () => {
      throw new Error('secret detail of the server');
    },
  })
  .command('REJECTS', { summary: 'Throws later', handler: () => Promise.reject(new TypeError('secret detail')) })
  .command('THROWS_NOTHING', {
    summary: 'Throws undefined',
    handler: () => {
      // oxlint-disable-next-line no-throw-literal
      throw undefined;
    },
  })
  .command('THROWS_STRANGE', {
    summary: 'Throws an object that can’t be looked at',
    handler: () => {
      // oxlint-disable-next-line no-throw-literal
      throw new Unprintable();
    },
  })
  .command('BREAKS_IN_BODY', {
    summary: 'Throws in the middle of the body that it receives',
    handler: async (context) => {
      for await (const piece of context.body()) {
        if (piece.length > 0) throw new Error('secret detail');
      }
    },
  })
  .command('BREAKS_IN_REPLY', {
    summary: 'Throws in the middle of the body that it sends',
    handler: () => ({
      body: (async function* () {
        yield Buffer.alloc(100_000);
        await Promise.resolve();
        throw new Error('secret detail');
      })(),
    }),
  })
  .command('ASKS_TWICE', {
    summary: 'Asks for two bodies',
    handler: async (context) => {
      for await (const piece of context.body()) if (piece.length === 0) break;
      for await (const piece of context.body()) if (piece.length === 0) break;
    },
  })
  .command('IGNORES_BODY', {
    summary: 'Asks for a body and leaves after its first piece',
    handler: async (context) => {
      for await (const piece of context.body()) return { first: piece.length > 0 };
      return { first: false };
    },
  })
  .command('THROWS_LATE', {
    summary: 'Throws when the client has gone',
    handler: async () => {
      await delay(300);
      throw new Error('nobody is left to hear this');
    },
  })
  .command('NO_HANDLER', { summary: 'Has nothing that runs' });

/** What a handler must not return. */
const bad: Record<string, () => unknown> = {
  TEXT: () => 'text',
  NUMBER: () => 42,
  NULL: () => null,
  STATUS_99: () => ({ status: 99 }),
  STATUS_600: () => ({ status: 600 }),
  STATUS_TEXT: () => ({ status: '200' }),
  STATUS_NAN: () => ({ status: Number.NaN }),
  TEXT_NUMBER: () => ({ text: 5 }),
  BODY_TEXT: () => ({ body: 7 }),
  BODY_OF_NUMBERS: () => ({ body: [1, 2, 3] }),
  FUNCTION: () => ({ value: () => 1 }),
  DATE: () => ({ value: new Date() }),
  BIGINT: () => ({ value: 5n }),
  SURROGATE: () => ({ value: '\ud800' }),
  TOO_LONG: () => ({ value: 'x'.repeat(20_000) }),
  TOO_DEEP: () => ({ value: [[[[[[[[[[[[1]]]]]]]]]]]] }),
  CIRCULAR: () => {
    const value: Record<string, unknown> = {};
    value['value'] = value;
    return value;
  },
  GETTER: () => ({
    get value(): never {
      throw new Error('secret detail');
    },
  }),
};
for (const [name, make] of Object.entries(bad)) {
  server.command(`BAD_${name}`, { summary: 'Returns what can’t be sent', handler: () => make() as undefined });
}

await server.listen();
process.on('disconnect', () => void server.close({ graceMs: 0 }));
process.on('unhandledRejection', (error) => console.error('UNHANDLED', error));
process.send?.({ port: server.addresses[0]?.port, fingerprint: server.fingerprint, bad: Object.keys(bad) });
