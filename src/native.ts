/**
 * The only module that imports the native addon. Everything else goes through {@link native} and {@link nativeSync},
 * so that no raw addon error reaches a caller.
 *
 * The addon's errors carry their code as a message prefix, `[E2EEFTP_CODE] text`.
 */
// First: it says in clear words when there is no addon for this machine.
import './native-binary.js';
import { E2eeftpError, isErrorCode } from './errors.js';

export {
  checkReceiptClient,
  classicSealedLen,
  composeReceipt,
  connect as connectNative,
  connectClassic as connectClassicNative,
  discardedTarget,
  draftReceipt,
  extendRotation,
  generatedSource,
  hasAesHardware,
  hashLocal,
  isClassicSealedLen,
  NativeBlocks,
  NativeBodyReader,
  NativeBodyWriter,
  NativeClassicConnection,
  NativeClassicIncoming,
  NativeClassicListener,
  NativeConnecting,
  NativeIdentity,
  NativeIncoming,
  NativeLaneOffer,
  NativeListener,
  NativeListing,
  NativeSession,
  NativeSource,
  NativeStaged,
  NativeStorage,
  NativeTransfer,
  NativeTreeClient,
  NativeView,
  listAgentKeys,
  openLocalSource,
  parseNetwork,
  parsePublicKey as parsePublicKeyNative,
  readLocalTree,
  readPublicHalf,
  readReceipt,
  readReceiptStatement,
  readRotation,
  receiptNames,
  stageLocal,
  stageLocalBlocks,
  writeLocalTree,
} from '../index.js';
export type {
  NativeBlocksResult as BlocksResult,
  NativeBodyResult as BodyResult,
  NativeClassicLine,
  NativeGrant,
  NativeOpenLanes as OpenLanes,
  NativeRotation as KeyRotation,
  NativeStats,
  NativeTcpInfo,
  NativeTreeCounts,
  PublicKeyInfo,
} from '../index.js';

const prefix = /^\[(E2EEFTP_[A-Z_]+)\] ?/;

/** Runs an asynchronous addon call; whatever it throws or rejects with becomes an {@link E2eeftpError}. */
export async function native<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw fromNative(error);
  }
}

/** Runs a synchronous addon call; whatever it throws becomes an {@link E2eeftpError}. */
export function nativeSync<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fromNative(error);
  }
}

/** Rebuilds the error of an addon call. An unknown shape becomes `E2EEFTP_INTERNAL` with the original as its cause. */
export function fromNative(error: unknown): E2eeftpError {
  if (E2eeftpError.is(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  const match = prefix.exec(message);
  const code = match?.[1];
  if (isErrorCode(code)) return new E2eeftpError(code, message.slice(match?.[0].length), { cause: error });
  return new E2eeftpError('E2EEFTP_INTERNAL', message, { cause: error });
}
