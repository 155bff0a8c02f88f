//! Any sequence of interruptions, reconnects, edits of the source, deaths of lanes and reordered
//! completions ends with the exact bytes of the source or with a named failure.
//!
//! Blocks are stood for by one number each; their values are hashes of it.
#![allow(clippy::cast_possible_truncation, reason = "the numbers of a test are small")]

use e2eeftp_core::crypto::{BlockValue, root_of_blocks};
use e2eeftp_core::transfer::{
    BlockLayout, BlockMap, End, JournalContent, JournalHeader, KeptBlock, Next, ReceivePlan,
    SendPlan, Shortfall, encode_entry,
};
use proptest::prelude::*;

const MIB: u64 = 1 << 20;
const KEY: [u8; 16] = [1; 16];

/// What happens next. Numbers choose among what is there.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A lane takes a block and reads it from the source.
    Take,
    /// A block in flight arrives.
    Arrive(usize),
    /// A lane dies with its block; the sender may or may not have believed it sent.
    LaneDies(usize, bool),
    /// The prover takes a kept block.
    Prove,
    /// The receiver's disk has lost what it kept of a block, and the receiver finds out.
    Rot(usize),
    /// What has arrived is claimed in the journal.
    Checkpoint,
    /// The connection ends; a new one starts with a new map.
    Reconnect,
    /// The receiver is killed: only what the journal claims is known afterwards.
    Crash,
    /// The journal loses its tail.
    TearJournal(usize),
    /// Somebody changes a block of the source.
    Edit(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Take),
        6 => any::<usize>().prop_map(Step::Arrive),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(which, sent)| Step::LaneDies(which, sent)),
        3 => Just(Step::Prove),
        1 => any::<usize>().prop_map(Step::Rot),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Crash),
        1 => any::<usize>().prop_map(Step::TearJournal),
        1 => any::<usize>().prop_map(Step::Edit),
    ]
}

fn value(content: u32) -> BlockValue {
    *blake3::hash(&content.to_be_bytes()).as_bytes()
}

struct World {
    layout: BlockLayout,
    source: Vec<u32>,
    /// Whether the source changed since the sender opened it: its check at the end says so.
    edited: bool,
    /// What the staged file holds on the disk.
    disk: Vec<u32>,
    journal: Vec<u8>,
    check: [u8; 16],
    unclaimed: Vec<KeptBlock>,
    send: SendPlan,
    receive: ReceivePlan,
    /// Blocks on the way: number and content as it was read.
    flying: Vec<(u32, u32)>,
}

impl World {
    fn new(count: u32) -> Self {
        let layout = BlockLayout::for_size(u64::from(count) * MIB).expect("sound");
        let header = JournalHeader { key: KEY, size: layout.size(), boot_id: None };
        let receive = ReceivePlan::new(layout, []);
        Self {
            layout,
            source: (0..count).collect(),
            edited: false,
            disk: vec![u32::MAX; count as usize],
            journal: header.encode().to_vec(),
            check: header.check(),
            unclaimed: Vec::new(),
            send: SendPlan::new(layout, &receive.map()),
            receive,
            flying: Vec::new(),
        }
    }

    /// A new connection: the map travels, and the plan of the sender is made from it.
    fn connect(&mut self, kept: Vec<KeptBlock>) {
        self.receive = ReceivePlan::new(self.layout, kept);
        let wire = self.receive.map().to_wire();
        assert!(wire.len() as u64 <= BlockMap::max_wire_len(&self.layout));
        let map = BlockMap::from_wire(&self.layout, &wire).expect("sound");
        self.send = SendPlan::new(self.layout, &map);
        self.flying.clear();
        // The sender opens its source anew.
        self.edited = false;
    }

    fn claimed(&mut self) -> Vec<KeptBlock> {
        let content = JournalContent::decode(&KEY, &self.layout, &self.journal).expect("sound");
        self.journal.truncate(content.valid_len);
        self.check = content.check;
        content.blocks
    }

    /// The receiver reads its kept blocks; those that are not what was claimed don't count.
    fn verify_kept(&mut self) {
        let kept: Vec<KeptBlock> = self.receive.kept().collect();
        for block in kept {
            if value(self.disk[block.index as usize]) != block.value {
                self.receive.damaged(block.index);
            }
        }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Take => {
                if let Next::Block(index) = self.send.next_block() {
                    self.receive.begin(index).expect("sound");
                    // From here on the old content is being overwritten.
                    self.disk[index as usize] = u32::MAX;
                    self.flying.push((index, self.source[index as usize]));
                }
            }
            Step::Arrive(which) if !self.flying.is_empty() => {
                let (index, content) = self.flying.swap_remove(which % self.flying.len());
                self.disk[index as usize] = content;
                self.send.sent(index, value(content));
                self.receive.finish(index, value(content));
                self.unclaimed.push(KeptBlock { index, value: value(content) });
            }
            Step::LaneDies(which, sent) if !self.flying.is_empty() => {
                let (index, content) = self.flying.swap_remove(which % self.flying.len());
                self.receive.lose(index);
                if sent {
                    self.send.sent(index, value(content));
                } else {
                    self.send.unsent(index);
                }
            }
            Step::Prove => {
                if let Some((index, claimed)) = self.send.next_proof() {
                    let actual = value(self.source[index as usize]);
                    self.send.proved(index, actual, actual == claimed);
                }
            }
            Step::Rot(which) => {
                let kept: Vec<KeptBlock> = self.receive.kept().collect();
                if !kept.is_empty() {
                    self.disk[kept[which % kept.len()].index as usize] = u32::MAX - 1;
                }
            }
            Step::Checkpoint => {
                let mut entry = Vec::new();
                self.check = encode_entry(&self.check, &self.unclaimed, &mut entry);
                self.journal.extend_from_slice(&entry);
                self.unclaimed.clear();
            }
            Step::Reconnect => {
                self.apply(Step::Checkpoint);
                let present = self.receive.present().collect();
                self.connect(present);
            }
            Step::Crash => {
                self.unclaimed.clear();
                let claimed = self.claimed();
                self.connect(claimed);
            }
            Step::TearJournal(len) => {
                let keep = JournalHeader::LEN.max(self.journal.len().saturating_sub(len % 90));
                self.journal.truncate(keep);
                self.unclaimed.clear();
                let claimed = self.claimed();
                self.connect(claimed);
            }
            Step::Edit(which) => {
                let which = which % self.source.len();
                self.source[which] = self.source[which].wrapping_add(1000);
                self.edited = true;
            }
            Step::Arrive(_) | Step::LaneDies(..) => {}
        }
    }

    /// Plays to the end without further mishaps: how it ends, or `None` when another attempt is owed.
    fn finish(&mut self) -> Option<Result<(), &'static str>> {
        loop {
            while !self.flying.is_empty() {
                self.apply(Step::Arrive(0));
            }
            self.apply(Step::Prove);
            match self.send.next_block() {
                Next::Block(index) => {
                    self.send.unsent(index);
                    self.apply(Step::Take);
                }
                Next::Wait => {}
                Next::Done => break,
            }
        }
        if self.edited {
            return Some(Err("source changed"));
        }
        self.verify_kept();
        let end = End { total: self.layout.size(), root: self.send.root().expect("complete") };
        match self.receive.check(&end) {
            Ok(()) => Some(Ok(())),
            Err(Shortfall::Missing(_)) => None,
            Err(Shortfall::Length | Shortfall::Root) => Some(Err("integrity")),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_story_ends_with_the_source_or_a_named_failure(
        count in 1_u32..12,
        steps in proptest::collection::vec(step(), 0..80),
    ) {
        let mut world = World::new(count);
        for step in steps {
            world.apply(step);
        }
        let mut attempts = 0;
        let ended = loop {
            match world.finish() {
                Some(Err("source changed")) if attempts == 0 => {
                    // The next run opens the source anew.
                    let present = world.receive.present().collect();
                    world.connect(present);
                }
                Some(ended) => break ended,
                None => {
                    world.apply(Step::Reconnect);
                }
            }
            attempts += 1;
            prop_assert!(attempts < 4, "it never ends");
        };
        prop_assert_eq!(ended, Ok(()));
        prop_assert_eq!(&world.disk, &world.source);
        let values: Vec<BlockValue> = world.source.iter().map(|&content| value(content)).collect();
        prop_assert_eq!(world.send.root().unwrap(), root_of_blocks(&values));
        prop_assert_eq!(world.send.kept_bytes() + world.send.sent_bytes() >= world.layout.size(), true);
    }

    #[test]
    fn a_map_is_read_as_it_was_written_and_nothing_else_is(
        count in 0_u32..40,
        kept in proptest::collection::btree_map(0_u32..40, any::<[u8; 32]>(), 0..40),
        flip in any::<usize>(),
    ) {
        let layout = BlockLayout::for_size(u64::from(count) * MIB).expect("sound");
        let mut map = BlockMap::empty(&layout);
        for (&index, &value) in &kept {
            map.keep(index, value);
        }
        let wire = map.to_wire();
        prop_assert_eq!(&BlockMap::from_wire(&layout, &wire).unwrap(), &map);
        prop_assert_eq!(map.missing().count() + map.kept().count(), count as usize);
        prop_assert!(BlockMap::from_wire(&layout, &wire[..wire.len() - 1]).is_err());
        prop_assert!(BlockMap::from_wire(&layout, &[&wire[..], &[0]].concat()).is_err());
        // A changed bit in head or bitmap is refused, or is a map that says so when written.
        let head_len = 8 + (count as usize).div_ceil(8);
        let mut changed = wire;
        changed[flip % 8 / 8 + flip / 8 % head_len] ^= 1 << (flip % 8);
        prop_assert!(BlockMap::from_wire(&layout, &changed).is_err());
    }
}
