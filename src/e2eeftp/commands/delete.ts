/**
 * DELETE: removes a file; a directory only with `recursive`. `{path, recursive?}` → 200.
 */
import { E2eeftpError } from '../../errors.js';
import { native } from '../../native.js';
import type { CommandReply } from '../command-registry.js';
import type { RequestContext } from '../request-context.js';

/** Answers a DELETE. */
export async function deleteCommand(context: RequestContext): Promise<CommandReply> {
  context.require('delete');
  const { input, exchange } = context;
  const path = input.bytes('path');
  const recursive = input.boolean('recursive', false);
  const { view } = exchange.session;
  try {
    await native(() => view.removeFile(path));
  } catch (error) {
    if (E2eeftpError.is(error, 'E2EEFTP_NOT_FOUND')) {
      throw new E2eeftpError('E2EEFTP_NOT_FOUND', 'File not found', { cause: error });
    }
    if (!(recursive && E2eeftpError.is(error, 'E2EEFTP_IS_DIRECTORY'))) throw error;
    await native(() => view.removeDirectory(path, true));
    return { text: 'Directory deleted' };
  }
  return { text: 'File deleted' };
}
