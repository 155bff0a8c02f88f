/**
 * A server of the library with commands that answer as no built-in one does, as a process of its own. Arguments: data
 * directory, root. It lets everybody in, tells its parent port and fingerprint, and ends when the parent does.
 */
import { createServer, E2eeftpError, type ErrorCode, fullGrant } from '../../dist/index.js';

const [dataDir = '', root = ''] = process.argv.slice(2);
const server = await createServer({
  dataDir,
  root,
  listen: { port: 0 },
  authorizedClients: () => fullGrant,
  hookTimeoutMs: 50,
});

server
  .command('NOTHING', { summary: 'Has nothing that runs' })
  .command('BREAKS', {
    summary: 'Has a fault',
    handler: () => {
      throw new Error('a fault');
    },
  })
  .command('PASSES_ON', {
    summary: 'Fails as what it asked has failed',
    handler: ({ input }) => {
      throw new E2eeftpError(input.text('code') as ErrorCode, 'what was asked has failed');
    },
  })
  .command('WAITS', { summary: 'Never gets its turn', handler: () => ({ text: 'not reached' }) })
  // Takes one piece of a file, wants no more, and finds nothing wrong with that.
  .command('SEND', {
    summary: 'Wants the beginning only',
    handler: async (context) => {
      for await (const piece of context.body()) return { text: `${piece.length} bytes are enough` };
      return { text: 'nothing came' };
    },
  });

server.before('waits', () => new Promise<never>(() => undefined));

await server.listen();
process.on('disconnect', () => void server.close({ graceMs: 0 }));
process.send?.({ port: server.addresses[0]?.port, fingerprint: server.fingerprint });
