/**
 * The public API of e2eeftp. What is not exported here may change at any time.
 *
 * @module e2eeftp
 */
export { E2eeftpError, errorTable, isErrorCode } from './errors.js';
export type { Blame, ErrorCode, ErrorOptions, ErrorRow } from './errors.js';

export { connect, fetchServerKey } from './e2eeftp/client/connect.js';
export type { ConnectOptions, UnknownServer } from './e2eeftp/client/connect.js';
export type { RotatedServer } from './e2eeftp/client/follow-rotation.js';
export { Client } from './e2eeftp/client/client.js';
export type { OfferedCommand, SignalOptions } from './e2eeftp/client/client.js';
export type { BenchOptions, BenchResult } from './e2eeftp/client/bench.js';
export type { CallOptions, CallReply } from './e2eeftp/client/call.js';
export type { RequestArgs } from './e2eeftp/client/channel.js';
export type { CopyOptions, CopyResult, MoveOptions } from './e2eeftp/client/copy.js';
export { hashFile } from './e2eeftp/client/hash.js';
export type { HashOptions, HashResult } from './e2eeftp/client/hash.js';
export type { ListOptions } from './e2eeftp/client/list.js';
export { ProgressReporter } from './e2eeftp/client/progress.js';
export type { OnProgress, Progress, ProgressSource } from './e2eeftp/client/progress.js';
export type { StandardInputOptions, StandardOutputOptions } from './e2eeftp/client/standard-streams.js';
export type { Compression } from './e2eeftp/compression.js';
export { RemoteReadStream, RemoteWriteStream } from './e2eeftp/client/streams.js';
export type { ReadStreamOptions, WriteStreamOptions } from './e2eeftp/client/streams.js';
export { limitingFactor } from './e2eeftp/client/limiting-factor.js';
export type { Limit, LimitingFactor, TransferFigures } from './e2eeftp/client/limiting-factor.js';
export type { TransferStats } from './e2eeftp/client/measured.js';
export type { ConnectionStats, SideStats, StageSeconds } from './e2eeftp/transfer-stats.js';
export { verifyReceipt } from './e2eeftp/client/verify-receipt.js';
export type { VerifyReceiptOptions } from './e2eeftp/client/verify-receipt.js';
export { readReceipt } from './e2eeftp/receipt.js';
export type { Receipt } from './e2eeftp/receipt.js';
export type { SpaceResult } from './e2eeftp/client/space.js';
export type {
  GetOptions,
  Overwrite,
  TransferOptions,
  TransferResult,
  Skip,
} from './e2eeftp/client/transfer-options.js';
export type { Retry, RetryOptions } from './e2eeftp/client/line.js';
export type { WorkOptions } from './e2eeftp/client/work-progress.js';

export { ClassicClient } from './classic/client/classic-client.js';
export { connectClassic } from './classic/client/connect-classic.js';
export type { ClassicConnectOptions } from './classic/client/connect-classic.js';
export type { ClassicGetOptions, ClassicSendOptions } from './classic/client/classic-transfers.js';

export type {
  FilterRule,
  GetTreeOptions,
  TreeFailure,
  TreeLinks,
  TreeName,
  TreeOptions,
  TreeResult,
} from './e2eeftp/client/tree-options.js';

export { Server, createServer } from './server/server.js';
export type { CloseOptions } from './server/server.js';
export type { Authorize, ClientInfo, Endpoint, ServerOptions } from './server/options.js';
export type {
  LoginEvent,
  LoginRefusal,
  ReceiptEvent,
  ServerEvents,
  ServerWarning,
  TransferEvent,
} from './server/events.js';
export { refuseExposedPaths } from './server/exposed-paths.js';
export type { Logger } from './server/logger.js';
export { Session } from './server/session.js';

export { allow, deny, rewrite, supply } from './hooks/verdict.js';
export type { Rewritten, SuppliedBody, SuppliedReply, Verdict } from './hooks/verdict.js';
export type { AfterHook, BeforeHook, HookResult } from './hooks/hook-registry.js';
export type { Operation, OperationResult } from './hooks/operation.js';

export type {
  BodySource,
  CommandDefinition,
  CommandHandler,
  CommandReply,
  HandlerResult,
} from './e2eeftp/command-registry.js';
export type { Durability } from './e2eeftp/commands/send.js';
export { ControlReader } from './e2eeftp/control-value.js';
export type { ControlMap, ControlValue } from './e2eeftp/control-value.js';
export type { Entry, EntryType } from './e2eeftp/entry-codec.js';
export { RequestContext } from './e2eeftp/request-context.js';
export type { Peer } from './e2eeftp/request-context.js';
export type { Requirement } from './e2eeftp/requirement.js';

export { isSystemError, withFileLock, writeAtomically } from './identity/atomic-file.js';
export type { WriteOptions } from './identity/atomic-file.js';
export { AuthorizedClients, authorizeClient, revokeClient } from './identity/authorized-clients.js';
export type { AuthorizeOptions } from './identity/authorized-clients.js';
export { parseAuthorizedClients } from './identity/authorized-clients-text.js';
export type { AuthorizedClient, AuthorizedClientsText, LineWarning } from './identity/authorized-clients-text.js';
export { parseClientOptions } from './identity/client-options.js';
export { clientDirectory, serverDirectory } from './identity/default-directories.js';
export { isFingerprint, looksLikeFingerprint } from './identity/fingerprint.js';
export { Identity, isKeyFileExposed, publicHalf } from './identity/identity.js';
export type { SaveOptions } from './identity/identity.js';
export { openIdentity } from './identity/open-identity.js';
export type { OpenIdentityOptions } from './identity/open-identity.js';
export type { Passphrase, PassphraseRequest, Secret } from './identity/passphrase.js';
export { KnownServers } from './identity/known-servers.js';
export type { KnownServer, KnownServersOptions, Lookup } from './identity/known-servers.js';
export { fingerprintWords } from './identity/fingerprint-words.js';
export { randomart } from './identity/randomart.js';
export { looksLikePublicKey, parsePublicKey } from './identity/public-key.js';
export type { PublicKey } from './identity/public-key.js';
export { DEFAULT_PORT, parseServerName, serverName } from './identity/server-address.js';
export { readRotationFile, rotateServerKey } from './identity/rotation.js';
export type { RotateOptions, Rotated, RotationFile, RotationPaths } from './identity/rotation.js';
export type { KeyRotation } from './native.js';
export { openServerData, serverDataPaths } from './identity/server-data.js';
export type { ServerData, ServerDataPaths } from './identity/server-data.js';
export { resolveServerKey } from './identity/server-pin.js';

export type { ByteCount } from './storage/byte-count.js';
export { hasAesHardware } from './native.js';
export { displayName } from './storage/display-name.js';
export { completeGrant, fullGrant, readOnlyGrant } from './storage/grant.js';
export type { GivenGrant, Grant, Permission } from './storage/grant.js';
export { joinRemote, pathFromBytes, pathToBytes, remoteBaseName } from './storage/path-text.js';

export type {
  CliCompleteEvent,
  CliEntryEvent,
  CliErrorEvent,
  CliEvent,
  CliEventBase,
  CliFileEvent,
  CliResumeEvent,
  CliRetryEvent,
  CliPhaseEvent,
  CliProgressEvent,
  CliReceiptEvent,
  CliResultEvent,
  CliStartEvent,
  CliStatsEvent,
} from './cli/events.js';
