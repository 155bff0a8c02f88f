/**
 * Refuses a root that holds the server's own secrets: a client could fetch the private key or authorize itself.
 */
import { readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { E2eeftpError } from '../errors.js';
import { isSystemError, reason } from '../identity/atomic-file.js';

/** As many links in a row as Linux follows. */
const MAX_LINKS = 40;

/**
 * Checks that none of `paths` lies at or below `root`, after symbolic links. What does not exist yet counts, too, also
 * behind a dangling link. A link inside `root` counts wherever it leads, because a client could replace it.
 *
 * @throws E2eeftpError `E2EEFTP_CONFIG` naming the first one that does; `E2EEFTP_IO` when a path can't be resolved.
 */
export async function refuseExposedPaths(root: string, paths: readonly string[]): Promise<void> {
  const top = await locate(root);
  for (const path of paths) {
    const whole = resolve(path);
    const places = [await locate(whole), join(await locate(dirname(whole)), basename(whole))];
    if (!places.some((place) => isWithin(top, place))) continue;
    throw new E2eeftpError('E2EEFTP_CONFIG', `${path} is inside the root ${root}, where clients could reach it`, {
      hint: 'serve a directory that holds neither the data directory nor the server key nor the list of clients',
    });
  }
}

/** The real path, also of something that does not exist yet. */
async function locate(path: string, links = 0): Promise<string> {
  const whole = resolve(path);
  try {
    return await realpath(whole);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT') || dirname(whole) === whole || links >= MAX_LINKS) {
      throw new E2eeftpError('E2EEFTP_IO', `cannot resolve ${whole}: ${reason(error)}`, { cause: error });
    }
  }
  const parent = await locate(dirname(whole), links);
  const target = await linkTarget(join(parent, basename(whole)));
  return target === null ? join(parent, basename(whole)) : locate(resolve(parent, target), links + 1);
}

/** Where a link points; `null` for anything else and for nothing. */
async function linkTarget(path: string): Promise<string | null> {
  try {
    return await readlink(path);
  } catch (error) {
    if (isSystemError(error, 'ENOENT') || isSystemError(error, 'EINVAL')) return null;
    throw new E2eeftpError('E2EEFTP_IO', `cannot resolve ${path}: ${reason(error)}`, { cause: error });
  }
}

function isWithin(top: string, place: string): boolean {
  const way = relative(top, place);
  // On Windows the way to another drive is an absolute path.
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && resolve(top, way) !== way);
}
