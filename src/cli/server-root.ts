/** The root that `serve` is asked for: a misspelt one should not become a new, empty store without a word. */
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { E2eeftpError, isSystemError } from '../index.js';

/** The root that a command line means, if it means one. @throws E2eeftpError `E2EEFTP_INVALID_ARGUMENT` for two. */
export function requestedRoot(
  operand: string | undefined,
  option: string | undefined,
  isFlag: boolean,
): string | undefined {
  if (operand !== undefined && option !== undefined && isFlag && resolve(operand) !== resolve(option)) {
    throw new E2eeftpError('E2EEFTP_INVALID_ARGUMENT', `two roots are given: ${operand} and --root ${option}`);
  }
  const root = operand ?? option;
  return root === undefined ? undefined : resolve(root);
}

/**
 * Whether a root is still to be made.
 * @throws E2eeftpError `E2EEFTP_NOT_FOUND` when the directory that it is to be made in is missing, too;
 * `E2EEFTP_NOT_DIRECTORY` when something else has the name.
 */
export async function isRootMissing(root: string): Promise<boolean> {
  const kind = await kindOf(root);
  if (kind === 'directory') return false;
  if (kind === 'other') throw new E2eeftpError('E2EEFTP_NOT_DIRECTORY', `${root} is not a directory`);
  if ((await kindOf(dirname(root))) !== 'nothing') return true;
  throw new E2eeftpError('E2EEFTP_NOT_FOUND', `${root}: there is no directory ${dirname(root)} to make it in`, {
    hint: 'check the spelling of ROOT; if it is right, make the directory first',
  });
}

async function kindOf(path: string): Promise<'directory' | 'other' | 'nothing'> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'other';
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return 'nothing';
    throw error;
  }
}
