/**
 * HLIST: the commands that this server offers this client. → 200 `{commands: [{verb, summary}]}`.
 */
import type { CommandRegistry, CommandReply } from '../command-registry.js';
import { MAX_CONTROL_LENGTH, encodeValue } from '../control-codec.js';
import type { RequestContext } from '../request-context.js';
import { missingPermission } from '../requirement.js';

/** Room for the other members of the reply. */
const REPLY_OVERHEAD = 256;

/** Answers an HLIST: only commands that have a handler and that the client's grant allows. */
export function hlistCommand(context: RequestContext, registry: CommandRegistry): CommandReply {
  const commands = [...registry.entries()]
    .filter(
      ([, { handler, permission = null }]) =>
        handler !== undefined && (permission === null || missingPermission(context.grant, permission) === null),
    )
    .map(([verb, { summary }]) => ({ verb, summary }));
  const fits = encodeValue(commands).length <= MAX_CONTROL_LENGTH - REPLY_OVERHEAD;
  // The verbs alone always fit: at most 256 of at most 32 characters.
  return { text: 'Commands follow', commands: fits ? commands : commands.map(({ verb }) => ({ verb, summary: '' })) };
}
