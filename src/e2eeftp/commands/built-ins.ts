/**
 * The commands that every server has, and the permission that each one needs.
 */
import type { CommandRegistry, CommandReply } from '../command-registry.js';
import type { RequestContext } from '../request-context.js';
import { BENCH_REQUIREMENT } from './bench.js';
import { SPACE_REQUIREMENT } from './space.js';

/** The methods that answer the built-in commands. A server has them; a subclass may override them. */
export interface BuiltInHandlers {
  handleSend(context: RequestContext): Promise<CommandReply>;
  handleGet(context: RequestContext): Promise<CommandReply>;
  handleList(context: RequestContext): Promise<CommandReply>;
  handleDelete(context: RequestContext): Promise<CommandReply>;
  handleHlist(context: RequestContext): Promise<CommandReply>;
  handleStat(context: RequestContext): Promise<CommandReply>;
  handleMkdir(context: RequestContext): Promise<CommandReply>;
  handleMove(context: RequestContext): Promise<CommandReply>;
  handleCopy(context: RequestContext): Promise<CommandReply>;
  handleHash(context: RequestContext): Promise<CommandReply>;
  handleSpace(context: RequestContext): Promise<CommandReply>;
  handleReceipt(context: RequestContext): Promise<CommandReply>;
  handleBench(context: RequestContext): Promise<CommandReply>;
  handlePush(context: RequestContext): Promise<CommandReply>;
  handlePull(context: RequestContext): Promise<CommandReply>;
}

/** Registers SEND, GET, LIST, DELETE, HLIST, STAT, MKDIR, MOVE, COPY, HASH, SPACE, RECEIPT, BENCH, PUSH and PULL. */
export function registerBuiltIns(registry: CommandRegistry, handlers: BuiltInHandlers): void {
  registry.set('SEND', {
    summary: 'Stores a file',
    permission: 'write',
    handler: (context) => handlers.handleSend(context),
  });
  registry.set('GET', {
    summary: 'Fetches a file',
    permission: 'read',
    handler: (context) => handlers.handleGet(context),
  });
  registry.set('LIST', {
    summary: 'Lists a directory',
    permission: 'list',
    handler: (context) => handlers.handleList(context),
  });
  registry.set('DELETE', {
    summary: 'Deletes a file, or a directory when told so',
    permission: 'delete',
    handler: (context) => handlers.handleDelete(context),
  });
  registry.set('HLIST', {
    summary: 'Lists the commands that you may use',
    handler: (context) => handlers.handleHlist(context),
  });
  registry.set('STAT', {
    summary: 'Tells type, size, time and mode of an entry',
    permission: 'list',
    handler: (context) => handlers.handleStat(context),
  });
  registry.set('MKDIR', {
    summary: 'Makes a directory',
    permission: 'write',
    handler: (context) => handlers.handleMkdir(context),
  });
  registry.set('MOVE', {
    summary: 'Gives a file or directory another name',
    permission: ['delete', 'write'],
    handler: (context) => handlers.handleMove(context),
  });
  registry.set('COPY', {
    summary: 'Copies a file, or a directory when told so',
    permission: ['read', 'write'],
    handler: (context) => handlers.handleCopy(context),
  });
  registry.set('HASH', {
    summary: 'Tells length and BLAKE3 hash of a file',
    permission: 'read',
    handler: (context) => handlers.handleHash(context),
  });
  registry.set('SPACE', {
    summary: 'Tells how much room there is',
    permission: SPACE_REQUIREMENT,
    handler: (context) => handlers.handleSpace(context),
  });
  registry.set('BENCH', {
    summary: 'Measures the way of the bytes; stores nothing',
    permission: BENCH_REQUIREMENT,
    handler: (context) => handlers.handleBench(context),
  });
  registry.set('RECEIPT', {
    summary: 'Counter-signs the receipt of a file that was moved',
    handler: (context) => handlers.handleReceipt(context),
  });
  registry.set('PUSH', {
    summary: 'Stores a directory with all that is in it',
    permission: 'write',
    handler: (context) => handlers.handlePush(context),
  });
  registry.set('PULL', {
    summary: 'Fetches a directory with all that is in it',
    permission: ['read', 'list'],
    handler: (context) => handlers.handlePull(context),
  });
}
