/**
 * GET: fetches a file, or a part of it. `{path, start?, end?, compress?, stats?}` → 150 `{size, mtime, mtimeNs, mode,
 * fileSize?, compress?}` → body → 226 `{bytes, root, stats?}`. `size`, `bytes` and `root` are those of the body.
 */
import { E2eeftpError } from '../../errors.js';
import { native, nativeSync } from '../../native.js';
import { displayName } from '../../storage/display-name.js';
import { pathFromBytes, remoteBaseName } from '../../storage/path-text.js';
import { partOf, readRange } from '../byte-range.js';
import type { CommandReply } from '../command-registry.js';
import { readCompression } from '../compression.js';
import type { RequestContext } from '../request-context.js';
import { STATUS_OK, STATUS_TRANSFER_COMPLETE } from '../status.js';
import { isSameStamp, readStamp } from '../unchanged.js';
import { MIN_BLOCKS_SIZE } from './send.js';

/** Answers a GET. */
export async function getCommand(context: RequestContext): Promise<CommandReply> {
  context.require('read');
  const { input, exchange } = context;
  const path = input.bytes('path');
  const range = readRange(input);
  const lanes = input.count('lanes', 1024) ?? 0;
  const wantsStats = input.boolean('stats', false);
  const compress = readCompression(input);
  const text = pathFromBytes(path);
  const source = await native(() => exchange.session.view.openSource(path)).catch((error: unknown) => {
    if (!E2eeftpError.is(error, 'E2EEFTP_NOT_FOUND')) throw error;
    const name = displayName(remoteBaseName(text));
    throw new E2eeftpError('E2EEFTP_NOT_FOUND', `File not found: ${name}`, { cause: error });
  });
  try {
    const stamp = readStamp(input, 'unless');
    if (
      stamp !== null &&
      isSameStamp(
        stamp,
        nativeSync(() => source.metadata),
      )
    ) {
      return { status: STATUS_OK, text: 'Unchanged', unchanged: true };
    }
    const { size: fileSize, modifiedMs, modifiedNs, mode } = nativeSync(() => source.metadata);
    const part = range === null ? { offset: 0, length: fileSize } : partOf(range, fileSize);
    const times = { mtime: modifiedMs, mtimeNs: modifiedNs };
    const members = { size: part.length, ...times, mode, ...(range === null ? {} : { fileSize }) };
    const byBlocks =
      range === null && compress === 'none' && input.boolean('blocks', false) && fileSize >= MIN_BLOCKS_SIZE;
    const { bytes, root } = byBlocks
      ? await exchange.sendBlocks(source, { ...members, sparse: nativeSync(() => source.isSparse) }, fileSize, lanes)
      : await exchange.sendFile(source, members, part, compress);
    const isWhole = part.length === fileSize;
    exchange.completed = {
      direction: 'out',
      path: text,
      bytes,
      root: root.toString('hex'),
      ...(isWhole ? {} : { offset: part.offset }),
    };
    const stats = wantsStats ? exchange.stats() : {};
    return { status: STATUS_TRANSFER_COMPLETE, text: 'Transfer Complete', bytes, root, ...stats };
  } finally {
    source.close();
  }
}
