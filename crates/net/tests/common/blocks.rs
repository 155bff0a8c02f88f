//! A file by blocks with a peer that is driven by hand on the other side.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use e2eeftp_core::record::InnerType;
use e2eeftp_core::transfer::{BlockHead, BlockLayout, BlockMap, End};
use e2eeftp_net::{BlocksResult, Error, Lanes, Session, Transfer};
use e2eeftp_vfs::{BlockStageOptions, BlockStaged, CommitOptions, Durability, StageOptions, local};
use tempfile::TempDir;

use super::raw::RawPeer;
use super::{root, within};

pub(crate) const MIB: usize = 1 << 20;
/// The stream of every such body.
pub(crate) const STREAM: u32 = 7;
const QUICK: CommitOptions = CommitOptions { modified: None, durability: Durability::None };

/// Where a received file goes.
pub(crate) struct Target {
    pub(crate) directory: TempDir,
    pub(crate) size: usize,
}

impl Target {
    pub(crate) fn new(size: usize) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), size }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("file")
    }

    /// What is staged for the file, with what an earlier transfer has left.
    pub(crate) fn stage(&self) -> Arc<dyn BlockStaged> {
        let expected_len = Some(self.size as u64);
        let options = BlockStageOptions {
            stage: StageOptions { expected_len, needed: Some(0), ..StageOptions::default() },
            key: Some([1; 16]),
            ..BlockStageOptions::default()
        };
        Arc::from(local::stage_blocks(&self.path(), &options).unwrap())
    }

    /// The blocks that the next transfer would find.
    pub(crate) fn kept(&self) -> Vec<u32> {
        self.stage().kept().iter().map(|block| block.index).collect()
    }

    /// Nothing has the final name, and nothing beside the staged file and its journal is there.
    pub(crate) fn assert_no_file(&self) {
        for entry in fs::read_dir(self.directory.path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(name.starts_with(".e2eeftp-"), "{name}");
        }
    }

    pub(crate) fn assert_commits(&self, staged: &dyn BlockStaged, bytes: &[u8]) {
        staged.commit(&QUICK).unwrap();
        assert!(fs::read(self.path()).unwrap() == bytes);
        assert_eq!(fs::read_dir(self.directory.path()).unwrap().count(), 1);
    }
}

pub(crate) async fn receive(
    session: &Session,
    staged: &Arc<dyn BlockStaged>,
    lanes: Lanes,
) -> Result<BlocksResult, Error> {
    let transfer = Transfer::new();
    within(session.receive_blocks(&transfer, Arc::clone(staged), STREAM, lanes)).await
}

pub(crate) fn head(index: u32, is_last: bool, offset: usize, len: usize) -> Vec<u8> {
    let (offset, len) = (offset as u64, len as u64);
    BlockHead { index, is_last, offset, len }.to_wire().to_vec()
}

pub(crate) fn end_of(bytes: &[u8]) -> Vec<u8> {
    End { total: bytes.len() as u64, root: root(bytes) }.to_wire().to_vec()
}

/// The bytes of block `index` of a file.
pub(crate) fn block_of(bytes: &[u8], index: u32) -> &[u8] {
    let layout = BlockLayout::for_size(bytes.len() as u64).unwrap();
    let range = layout.range(index).unwrap();
    &bytes[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

impl RawPeer {
    /// The records of one whole block, sealed.
    pub(crate) fn seal_block(&mut self, index: u32, block: &[u8]) -> Vec<u8> {
        let mut out = self.seal(InnerType::Block, STREAM, &head(index, true, 0, block.len()));
        for piece in block.chunks(MIB / 4) {
            out.extend_from_slice(&self.seal(InnerType::Data, STREAM, piece));
        }
        out
    }

    pub(crate) async fn send_block(&mut self, index: u32, block: &[u8]) {
        let records = self.seal_block(index, block);
        self.send_bytes(&records).await;
    }

    /// The map of a receiver, as far as it is well-formed.
    pub(crate) async fn receive_map(&mut self, size: usize) -> BlockMap {
        let mut bytes = Vec::new();
        loop {
            let (kind, stream, content) = self.receive().await;
            assert_eq!(stream, STREAM);
            match kind {
                InnerType::Data => bytes.extend_from_slice(&content),
                InnerType::End => {
                    assert_eq!(content, end_of(&bytes));
                    let layout = BlockLayout::for_size(size as u64).unwrap();
                    return BlockMap::from_wire(&layout, &bytes).unwrap();
                }
                _ => panic!("{kind:?} in a map"),
            }
        }
    }

    /// Sends `map` as a receiver does.
    pub(crate) async fn send_map(&mut self, map: &[u8]) {
        self.send(InnerType::Data, STREAM, map).await;
        self.send(InnerType::End, STREAM, &end_of(map)).await;
    }

    /// All of a body by blocks, up to its end, of which nothing is judged but the order: the content of
    /// each block by its number, in the order in which they came, and how the body ended.
    pub(crate) async fn receive_blocks(&mut self) -> (Vec<(u32, Vec<u8>)>, InnerType, Vec<u8>) {
        let mut blocks: Vec<(u32, Vec<u8>)> = Vec::new();
        loop {
            let (kind, stream, content) = self.receive().await;
            match kind {
                InnerType::Block => {
                    let index = u32::from_be_bytes(content[..4].try_into().unwrap());
                    blocks.push((index, Vec::new()));
                }
                InnerType::Data if !content.is_empty() => {
                    blocks.last_mut().unwrap().1.extend_from_slice(&content);
                }
                InnerType::KeyUpdate | InnerType::Data => {}
                _ => {
                    assert_eq!(stream, STREAM);
                    return (blocks, kind, content);
                }
            }
        }
    }
}
