/** `e2eeftp call`: calls a custom command of a server. */
import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { displayName, E2eeftpError, pathToBytes, type RequestArgs } from '../../index.js';
import { parsePeer } from '../address.js';
import type { CliContext, Verb } from '../context.js';
import { plainValue } from '../plain-value.js';
import { withClient } from '../open-client.js';

function usage(message: string): E2eeftpError {
  return new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', message, {
    hint: 'write KEY=TEXT, KEY:=JSON for numbers, true, false, null, lists and objects, or KEY@=PATH for a byte string',
  });
}

/**
 * Reads `KEY=TEXT`, `KEY:=JSON` and `KEY@=PATH` words; the last is a byte string, as paths are sent.
 * @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` for a word of another form, bad JSON, or a key given twice.
 */
export function parseArguments(words: readonly string[]): RequestArgs {
  const result = Object.create(null) as Record<string, RequestArgs[string]>;
  for (const word of words) {
    const match = /^([^=:@\s]+)([:@]?=)([\s\S]*)$/.exec(word);
    if (match === null) throw usage(`'${word}' is not KEY=VALUE`);
    const [, key = '', sign, text = ''] = match;
    if (key === 'id' || key === 'verb') throw usage(`'${key}' is set by the protocol itself`);
    if (key in result) throw usage(`'${key}' is given twice`);
    try {
      if (sign === '@=') result[key] = pathToBytes(text);
      else result[key] = sign === '=' ? text : (JSON.parse(text) as RequestArgs[string]);
    } catch {
      throw usage(`'${word}': what follows ':=' is not JSON`);
    }
  }
  return result;
}

async function run(context: CliContext, operands: string[]): Promise<void> {
  const { output, signal } = context;
  const [peer = '', name = '', ...words] = operands;
  const args = parseArguments(words);
  await withClient(context, parsePeer(peer), async (client) => {
    const body = new BodyOutput();
    const { status, text, fields, ...reply } = await client.call(name.toUpperCase(), args, {
      signal,
      // A terminal must not get raw bytes of a peer, and JSON has to quote them: both take them whole.
      ...(output.json || process.stdout.isTTY ? {} : { output: body }),
    });
    context.alive();
    if (output.json) {
      const result = plainValue({ status, text, fields, body: reply.body }) as Record<string, unknown>;
      output.event({ type: 'result', verb: 'call', result });
      return;
    }
    output.note(`${status} ${displayName(text)}`);
    if (reply.body !== null) output.data(displayName(reply.body.toString('utf8')));
    // Where the body has taken standard output, the fields may not mix with it.
    const carriesBody = body.length > 0 || reply.body !== null;
    for (const [key, value] of Object.entries(fields)) {
      const shown = typeof value === 'string' ? value : JSON.stringify(plainValue(value));
      const line = `${displayName(key)}: ${displayName(shown)}`;
      if (carriesBody) output.note(line);
      else output.data(line);
    }
  });
}

/** Standard output for a body: counts what went through, and waits as long as the reader does. */
class BodyOutput extends Writable {
  length = 0;

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.length += chunk.length;
    process.stdout.write(chunk, callback);
  }
}

export const verb: Verb = {
  examples: ['e2eeftp call files.example.org PING', 'e2eeftp call files.example.org QUOTA user=ann limit:=1000000'],
  configure(command: Command): void {
    command
      .argument('<peer>', 'a server')
      .argument('<command>', 'the name of the command')
      .argument('[key=value...]', 'arguments: KEY=TEXT, KEY:=JSON, or KEY@=PATH for a byte string');
  },
  run,
};
