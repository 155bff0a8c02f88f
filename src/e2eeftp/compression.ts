/**
 * Compression of the body of a file: asked for in the request, and done only if the reply says so. `docs/PROTOCOL.md` §8.1.
 */
import type { ControlReader } from './control-value.js';

/** `zstd`: every piece that gets shorter; `auto`: while it pays; `none`: the bytes as they are. */
export type Compression = 'none' | 'zstd' | 'auto';

/** What a reply says about a body that is compressed, however hard its sender tries. */
export const COMPRESSED = 'zstd';

/** What a request asks for. @throws E2eeftpError `E2EEFTP_BAD_REQUEST` for what is not known. */
export function readCompression(input: ControlReader): Compression {
  return input.choice('compress', ['none', 'zstd', 'auto']);
}

/** The member of a request; a body that is not compressed is not spoken of. */
export function askFor(compress: Compression | undefined): { compress?: Compression } {
  return compress === undefined || compress === 'none' ? {} : { compress };
}
