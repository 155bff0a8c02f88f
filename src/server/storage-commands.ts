/**
 * The built-in commands that move no files over the connection.
 */
import { EventEmitter } from 'node:events';
import type { CommandReply } from '../e2eeftp/command-registry.js';
import { benchCommand } from '../e2eeftp/commands/bench.js';
import { copyCommand } from '../e2eeftp/commands/copy.js';
import { hashCommand } from '../e2eeftp/commands/hash.js';
import { mkdirCommand } from '../e2eeftp/commands/mkdir.js';
import { moveCommand } from '../e2eeftp/commands/move.js';
import type { Durability } from '../e2eeftp/commands/send.js';
import { spaceCommand } from '../e2eeftp/commands/space.js';
import type { RequestContext } from '../e2eeftp/request-context.js';
import type { ServerEvents } from './events.js';

/** The part of a server that answers them. A subclass may override each. */
export abstract class StorageCommands extends EventEmitter<ServerEvents> {
  /** How far a change must be on disk before the client is told that it is done. */
  protected abstract get durability(): Durability;

  /** Answers MKDIR. */
  handleMkdir(context: RequestContext): Promise<CommandReply> {
    return mkdirCommand(context);
  }

  /** Answers MOVE. */
  handleMove(context: RequestContext): Promise<CommandReply> {
    return moveCommand(context, this.durability);
  }

  /** Answers COPY. */
  handleCopy(context: RequestContext): Promise<CommandReply> {
    return copyCommand(context, this.durability);
  }

  /** Answers HASH. */
  handleHash(context: RequestContext): Promise<CommandReply> {
    return hashCommand(context);
  }

  /** Answers BENCH. */
  handleBench(context: RequestContext): Promise<CommandReply> {
    return benchCommand(context);
  }

  /** Answers SPACE. */
  handleSpace(context: RequestContext): Promise<CommandReply> {
    return spaceCommand(context);
  }
}
