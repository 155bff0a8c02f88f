//! Trees: one dialog per request, its counts and its events.

use std::sync::{Arc, Mutex, PoisonError};

use e2eeftp_core::tree::{ChosenPaths, Filter, TreeCounts};
use e2eeftp_net::{TreeChoice, TreeEvent, TreeEvents, TreeOptions};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw};
use napi_derive::napi;

use crate::error::{IntoThrown, closed, number, promise, thrown};
use crate::file::durability;
use crate::session::NativeSession;
use crate::transfer::NativeTransfer;
use crate::tree_files::{NativeTreeReader, NativeTreeWriter};

/// How a tree is moved.
#[napi(object)]
#[expect(clippy::struct_excessive_bools, reason = "independent options")]
pub struct NativeTreeOptions {
    pub checksum: bool,
    pub dry_run: bool,
    pub skip_links: bool,
    pub preserve: bool,
    /// `none`, `file` or `directory`.
    pub durability: String,
}

/// What a sink has done, or would have done.
#[napi(object)]
pub struct NativeTreeCounts {
    pub files: f64,
    pub bytes: f64,
    pub skipped: f64,
    pub directories: f64,
    pub links: f64,
    pub deleted: f64,
    pub failed: f64,
}

impl From<TreeCounts> for NativeTreeCounts {
    fn from(counts: TreeCounts) -> Self {
        Self {
            files: number(counts.files),
            bytes: number(counts.bytes),
            skipped: number(counts.skipped),
            directories: number(counts.directories),
            links: number(counts.links),
            deleted: number(counts.deleted),
            failed: number(counts.failed),
        }
    }
}

/// What happened to a name.
#[napi(object)]
pub struct NativeTreeEvent {
    /// `moved`, `large`, `deleted` or `failed`.
    pub kind: String,
    pub path: Buffer,
    pub size: f64,
    /// Of a failure.
    pub code: Option<String>,
    /// Of a failure.
    pub text: Option<String>,
}

impl From<TreeEvent> for NativeTreeEvent {
    fn from(event: TreeEvent) -> Self {
        let (code, text) = event.failure.unzip();
        let (kind, size) = (event.kind.as_str().to_owned(), number(event.size));
        Self { kind, path: event.path.into(), size, code, text }
    }
}

/// Counts of a running dialog.
#[napi(object)]
pub struct NativeTreeProgress {
    pub found: f64,
    pub found_bytes: f64,
    pub moved: f64,
    pub skipped: f64,
    pub failed: f64,
}

/// Which names a client takes, and what it hears of them. Serves one dialog.
#[napi]
pub struct NativeTreeClient {
    events: Arc<TreeEvents>,
    choice: Mutex<TreeChoice>,
}

#[napi]
impl NativeTreeClient {
    /// With `wants_moved` each file that moves is an event.
    #[napi(constructor)]
    pub fn new(wants_moved: bool) -> Self {
        Self { events: Arc::new(TreeEvents::new(wants_moved)), choice: Mutex::default() }
    }

    /// Adds a rule behind the others.
    #[napi(catch_unwind)]
    pub fn add_rule(&self, is_include: bool, pattern: &[u8]) -> napi::Result<()> {
        let mut choice = self.choice.lock().unwrap_or_else(PoisonError::into_inner);
        push_rule(&mut choice.filter, is_include, pattern)
    }

    /// Takes only the paths that are added.
    #[napi(catch_unwind)]
    pub fn choose(&self, path: &[u8]) -> napi::Result<()> {
        let mut choice = self.choice.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen = choice.chosen.get_or_insert_with(ChosenPaths::new);
        chosen.push(path).map_err(|_| {
            thrown(
                "E2EEFTP_INVALID_ARGUMENT",
                "a listed path leads out of the tree, or the list is too long",
            )
        })
    }

    /// Whether a path is taken, for a caller that walks by itself; what is above it was taken.
    #[napi(catch_unwind)]
    pub fn takes(&self, path: &[u8], is_directory: bool) -> bool {
        let mut choice = self.choice.lock().unwrap_or_else(PoisonError::into_inner);
        let TreeChoice { filter, chosen } = &mut *choice;
        filter.takes(path, is_directory)
            && chosen.as_mut().is_none_or(|chosen| chosen.takes(path, is_directory))
    }

    /// Whether the rules protect a name that is not in the source.
    #[napi(catch_unwind)]
    pub fn protects(&self, path: &[u8], is_directory: bool) -> bool {
        let choice = self.choice.lock().unwrap_or_else(PoisonError::into_inner);
        !choice.filter.takes(path, is_directory)
    }

    /// The next events; empty when the dialog is over.
    #[napi]
    pub fn events<'env>(
        &self,
        env: &'env Env,
        max: u32,
    ) -> napi::Result<PromiseRaw<'env, Vec<NativeTreeEvent>>> {
        let events = Arc::clone(&self.events);
        let max = usize::try_from(max).unwrap_or(1);
        promise(env, async move {
            Ok(events.next(max).await.into_iter().map(NativeTreeEvent::from).collect())
        })
    }

    /// One large file has come to its end.
    #[napi]
    pub fn settle(&self) {
        self.events.settle();
    }

    /// No dialog runs, or none will.
    #[napi]
    pub fn finish(&self) {
        self.events.finish();
    }

    #[napi]
    pub fn progress(&self) -> NativeTreeProgress {
        let progress = self.events.progress();
        NativeTreeProgress {
            found: number(progress.found),
            found_bytes: number(progress.found_bytes),
            moved: number(progress.moved),
            skipped: number(progress.skipped),
            failed: number(progress.failed),
        }
    }
}

fn push_rule(filter: &mut Filter, is_include: bool, pattern: &[u8]) -> napi::Result<()> {
    filter.push(is_include, pattern).map_err(|_| {
        thrown("E2EEFTP_INVALID_ARGUMENT", "an empty rule, or rules that are too many or too long")
    })
}

fn options(
    options: NativeTreeOptions,
    client: Option<&NativeTreeClient>,
) -> napi::Result<TreeOptions> {
    let choice = client.map(|client| {
        std::mem::take(&mut *client.choice.lock().unwrap_or_else(PoisonError::into_inner))
    });
    Ok(TreeOptions {
        choice,
        checksum: options.checksum,
        dry_run: options.dry_run,
        skip_links: options.skip_links,
        preserve: options.preserve,
        durability: durability(&options.durability)?,
    })
}

#[napi]
impl NativeSession {
    /// Sends a tree in dialog `stream`; `client` on the client's side only.
    #[napi]
    pub fn send_tree<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        reader: &NativeTreeReader,
        stream: u32,
        how: NativeTreeOptions,
        client: Option<&NativeTreeClient>,
    ) -> napi::Result<PromiseRaw<'env, NativeTreeCounts>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        let events = client.map(|client| Arc::clone(&client.events));
        let how = options(how, client)?;
        let reader = reader.take();
        let reader = reader.ok_or_else(|| closed("the tree"))?;
        promise(env, async move {
            let sent = session.send_tree(&transfer, reader, stream, how, events).await;
            sent.map(NativeTreeCounts::from).or_throw()
        })
    }

    /// Gives dialog `stream` up before it has begun here.
    #[napi]
    pub fn abandon_tree<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        stream: u32,
    ) -> napi::Result<PromiseRaw<'env, ()>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        promise(env, async move { session.abandon_tree(&transfer, stream).await.or_throw() })
    }

    /// Receives a tree in dialog `stream`; `client` on the client's side only.
    #[napi]
    pub fn receive_tree<'env>(
        &self,
        env: &'env Env,
        transfer: &NativeTransfer,
        writer: &NativeTreeWriter,
        stream: u32,
        how: NativeTreeOptions,
        client: Option<&NativeTreeClient>,
    ) -> napi::Result<PromiseRaw<'env, NativeTreeCounts>> {
        let (session, transfer) = (self.session.clone(), transfer.transfer.clone());
        let events = client.map(|client| Arc::clone(&client.events));
        let how = options(how, client)?;
        let writer = writer.take();
        let writer = writer.ok_or_else(|| closed("the tree"))?;
        promise(env, async move {
            let received = session.receive_tree(&transfer, writer, stream, how, events).await;
            received.map(NativeTreeCounts::from).or_throw()
        })
    }
}
