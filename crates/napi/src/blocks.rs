//! Files that travel by blocks: what is there is not sent again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use e2eeftp_net::{BlocksResult, ClientLimits, LaneOffer, Lanes, OpenLanes};
use e2eeftp_vfs::{BlockStageOptions, BlockStaged, CommitOptions, StageOptions, local};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi_derive::napi;

use crate::error::{IntoThrown, blocking, closed, len, number, promise, thrown};
use crate::file::{NativeCommitOptions, NativeMetadata, NativeSource, NativeStageOptions};
use crate::session::NativeSession;
use crate::storage::NativeView;
use crate::transfer::NativeTransfer;

/// How to start a file that is filled by blocks.
#[napi(object)]
pub struct NativeBlocksOptions {
    /// As for every new file; with its length.
    pub stage: NativeStageOptions,
    /// 16 bytes: what an earlier transfer with the same ones has left is gone on with.
    pub key: Option<Buffer>,
    /// The file has holes.
    pub is_sparse: bool,
    /// Blocks may be taken from the file that has the target's name.
    pub adopt: bool,
    /// The journal claims only what a loss of power can't take.
    pub is_durable: bool,
}

impl TryFrom<NativeBlocksOptions> for BlockStageOptions {
    type Error = napi::Error;

    fn try_from(options: NativeBlocksOptions) -> napi::Result<Self> {
        let key = options.key.map(|key| {
            <[u8; 16]>::try_from(&key[..])
                .map_err(|_| thrown("E2EEFTP_INVALID_ARGUMENT", "a key has 16 bytes"))
        });
        Ok(Self {
            stage: StageOptions::try_from(options.stage)?,
            key: key.transpose()?,
            is_sparse: options.is_sparse,
            adopt: options.adopt,
            is_durable: options.is_durable,
        })
    }
}

/// What a finished transfer by blocks amounts to.
#[napi(object)]
pub struct NativeBlocksResult {
    /// Length of the file.
    pub bytes: f64,
    /// BLAKE3 root, 32 bytes.
    pub root: Buffer,
    /// Bytes that were there and were proved instead of sent.
    pub kept: f64,
}

impl From<BlocksResult> for NativeBlocksResult {
    fn from(result: BlocksResult) -> Self {
        let BlocksResult { bytes, root, kept, .. } = result;
        Self { bytes: number(bytes), root: root.to_vec().into(), kept: number(kept) }
    }
}

/// A new file that is filled by blocks and not visible yet.
#[napi]
pub struct NativeBlocks {
    slot: Arc<Slot>,
}

/// `None` once it is given away; true once a transfer has verified it.
struct Slot(Mutex<Option<(Arc<dyn BlockStaged>, bool)>>);

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Option<(Arc<dyn BlockStaged>, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn staged(&self) -> napi::Result<Arc<dyn BlockStaged>> {
        let slot = self.lock();
        slot.as_ref().map(|(staged, _)| Arc::clone(staged)).ok_or_else(|| closed("the staged file"))
    }
}

impl NativeBlocks {
    fn new(staged: Box<dyn BlockStaged>) -> Self {
        Self { slot: Arc::new(Slot(Mutex::new(Some((Arc::from(staged), false))))) }
    }
}

#[napi]
impl NativeBlocks {
    /// Bytes that an earlier transfer has left.
    #[napi(getter, catch_unwind)]
    pub fn kept_bytes(&self) -> napi::Result<f64> {
        let staged = self.slot.staged()?;
        let layout = staged.layout();
        Ok(number(staged.kept().iter().map(|block| layout.len_of(block.index)).sum()))
    }

    /// Makes the file appear under its name. Only after a transfer into it was verified.
    #[napi]
    pub fn commit<'env>(
        &self,
        env: &'env Env,
        options: NativeCommitOptions,
    ) -> napi::Result<PromiseRaw<'env, NativeMetadata>> {
        let options = CommitOptions::try_from(options)?;
        let slot = Arc::clone(&self.slot);
        promise(
            env,
            blocking(move || {
                let staged = slot.staged()?;
                if !slot.lock().as_ref().is_some_and(|(_, is_verified)| *is_verified) {
                    return Err(thrown("E2EEFTP_INTEGRITY", "the content was not verified"));
                }
                let metadata = staged.commit(&options).or_throw()?;
                *slot.lock() = None;
                Ok((&metadata).into())
            }),
        )
    }

    /// Lets go of the file. What its journal claims stays for a later transfer; `discard` removes that,
    /// too. Idempotent.
    #[napi]
    pub fn release<'env>(
        &self,
        env: &'env Env,
        discard: bool,
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        let slot = Arc::clone(&self.slot);
        promise(
            env,
            blocking(move || {
                let Some((staged, _)) = slot.lock().take() else { return Ok(()) };
                if discard { staged.abort() } else { staged.leave() }.or_throw()
            }),
        )
    }

    /// Why there is no journal any more, where that is so; told once.
    #[napi]
    pub fn take_journal_error(&self) -> Option<String> {
        let staged = self.slot.staged().ok()?;
        staged.take_journal_error().map(|error| error.to_string())
    }
}

#[napi]
impl NativeView {
    /// Starts a new file that is filled by blocks, or goes on with one.
    #[napi]
    pub fn stage_blocks<'env>(
        &self,
        env: &'env Env,
        path: &[u8],
        options: NativeBlocksOptions,
    ) -> napi::Result<PromiseRaw<'env, NativeBlocks>> {
        let options = BlockStageOptions::try_from(options)?;
        self.with(env, path, move |view, path| {
            view.stage_blocks(path, &options).map(NativeBlocks::new)
        })
    }
}

/// Starts a new file that is filled by blocks among the user's own, or goes on with one.
#[napi]
pub fn stage_local_blocks<'env>(
    env: &'env Env,
    path: &[u8],
    options: NativeBlocksOptions,
) -> napi::Result<PromiseRaw<'env, NativeBlocks>> {
    let options = BlockStageOptions::try_from(options)?;
    let path = path.to_vec();
    let stage = move || {
        let path = local::path_from_bytes(&path);
        let staged = path.and_then(|path| local::stage_blocks(path, &options));
        staged.map(NativeBlocks::new).or_throw()
    };
    promise(env, blocking(stage))
}

/// Connections that the peer may open for one transfer. To be used with that, or closed.
#[napi]
pub struct NativeLaneOffer {
    offer: Mutex<Option<LaneOffer>>,
    ids: Vec<u8>,
}

impl NativeLaneOffer {
    fn take(&self) -> Option<LaneOffer> {
        self.offer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[napi]
impl NativeLaneOffer {
    /// The ids, 32 bytes each, one behind the other.
    #[napi(getter)]
    pub fn ids(&self) -> Buffer {
        self.ids.clone().into()
    }

    /// Takes back what was not used. Idempotent.
    #[napi]
    pub fn close(&self) {
        drop(self.take());
    }
}

/// Connections to open for one transfer.
#[napi(object)]
pub struct NativeOpenLanes {
    /// The ids that the server has told, 32 bytes each, one behind the other.
    pub ids: Buffer,
    /// Open all of them at once; otherwise as long as each makes it faster.
    pub at_once: bool,
}

impl TryFrom<NativeOpenLanes> for OpenLanes {
    type Error = napi::Error;

    fn try_from(lanes: NativeOpenLanes) -> napi::Result<Self> {
        let (ids, rest) = lanes.ids.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(thrown("E2EEFTP_INVALID_ARGUMENT", "a join id has 32 bytes"));
        }
        let limits = ClientLimits::default();
        Ok(Self { ids: ids.to_vec(), limits, at_once: lanes.at_once })
    }
}

fn lanes(offer: Option<&NativeLaneOffer>, open: Option<NativeOpenLanes>) -> napi::Result<Lanes> {
    Ok(match (offer.and_then(NativeLaneOffer::take), open) {
        (Some(offer), _) => Lanes::Offered(offer),
        (None, Some(open)) => Lanes::Opened(open.try_into()?),
        (None, None) => Lanes::None,
    })
}

#[napi]
impl NativeSession {
    /// Hands out ids for `count` lanes, or fewer: the server's side only.
    #[napi]
    pub fn offer_lanes<'env>(
        &self,
        env: &'env Env,
        count: u32,
    ) -> napi::Result<PromiseRaw<'env, NativeLaneOffer>> {
        let session = self.session.clone();
        promise(env, async move {
            let offer = session.offer_lanes(usize::try_from(count).unwrap_or(0)).or_throw()?;
            let ids = offer.ids().concat();
            Ok(NativeLaneOffer { offer: Mutex::new(Some(offer)), ids })
        })
    }

    /// Sends `size` bytes of `source` by blocks.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "those of sendFile, and lanes")]
    pub fn send_blocks<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        source: &NativeSource,
        stream: u32,
        size: f64,
        offer: Option<&NativeLaneOffer>,
        open: Option<NativeOpenLanes>,
    ) -> napi::Result<PromiseRaw<'env, NativeBlocksResult>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        let (source, size, lanes) = (source.open()?, len(size)?, lanes(offer, open)?);
        promise(env, async move {
            let sent = session.send_blocks(&transfer, source, stream, size, lanes).await;
            sent.map(NativeBlocksResult::from).or_throw()
        })
    }

    /// Receives a file by blocks into `blocks`, which can be committed afterwards.
    #[napi]
    pub fn receive_blocks<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        blocks: &NativeBlocks,
        stream: u32,
        offer: Option<&NativeLaneOffer>,
        open: Option<NativeOpenLanes>,
    ) -> napi::Result<PromiseRaw<'env, NativeBlocksResult>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        let slot = Arc::clone(&blocks.slot);
        let (staged, lanes) = (slot.staged()?, lanes(offer, open)?);
        promise(env, async move {
            let received =
                session.receive_blocks(&transfer, staged, stream, lanes).await.or_throw()?;
            if let Some((_, is_verified)) = &mut *slot.lock() {
                *is_verified = true;
            }
            Ok(received.into())
        })
    }
}
