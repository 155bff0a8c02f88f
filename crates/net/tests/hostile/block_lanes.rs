//! Further lanes of a transfer by blocks whose peer is driven by hand: what goes wrong on one of them costs
//! its block, and nothing that was verified can be written to.

use std::sync::Arc;

use e2eeftp_core::record::InnerType::{self, Abort, Block, Control, Data};
use e2eeftp_core::transfer::Reason;
use e2eeftp_net::{BlocksResult, Error, Lanes, Listener, ServerLimits, Session, Transfer};
use e2eeftp_vfs::BlockStaged;
use tokio::io::AsyncReadExt;

use crate::common::blocks::{MIB, STREAM, Target, block_of, end_of, head};
use crate::common::files::content;
use crate::common::raw::RawPeer;
use crate::common::{NO_LIMIT, listen, next, until, within};

const SIZE: usize = 3 * MIB + 5;

/// A server's session and its client, driven by hand.
struct Peers {
    listener: Listener,
    session: Session,
    main: RawPeer,
}

impl Peers {
    async fn new() -> Self {
        let listener = listen(ServerLimits::default());
        let main = RawPeer::client(listener.address()).await;
        let session = next(&listener).await.accept();
        Self { listener, session, main }
    }

    /// Starts to receive and joins a lane, whose receiver has said its word. Ends with what `client` makes
    /// of the two.
    async fn receive<T>(
        &mut self,
        staged: &Arc<dyn BlockStaged>,
        transfer: &Transfer,
        client: impl AsyncFnOnce(&mut RawPeer, &mut RawPeer) -> T,
    ) -> (Result<BlocksResult, Error>, T, RawPeer) {
        let offer = self.session.offer_lanes(1).unwrap();
        let id = offer.ids()[0];
        let (address, main) = (self.listener.address(), &mut self.main);
        let receiving = self.session.receive_blocks(
            transfer,
            Arc::clone(staged),
            STREAM,
            Lanes::Offered(offer),
        );
        let saying = async {
            main.receive_map(SIZE).await;
            let mut lane = RawPeer::lane(address, main.join(&id)).await;
            assert_eq!(lane.receive().await, (Data, STREAM, Vec::new()));
            let made = client(main, &mut lane).await;
            (made, lane)
        };
        let (received, (made, lane)) = within(async { tokio::join!(receiving, saying) }).await;
        (received, made, lane)
    }

    async fn assert_in_step(&mut self) {
        self.main.send(Control, 0, b"still here").await;
        let next = within(self.session.next_control(NO_LIMIT)).await.unwrap();
        assert_eq!(next.as_deref(), Some(&b"still here"[..]));
    }
}

/// The other end has closed the lane, in whatever way.
async fn assert_closed(lane: &mut RawPeer) {
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = within(lane.stream.read_to_end(&mut rest)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_lane_says_costs_its_block_only() {
    let bytes = content(SIZE, "lane");
    let cases: [(InnerType, u32, Vec<u8>); 7] = [
        (Control, 0, b"hello?".to_vec()),
        (InnerType::End, STREAM, end_of(&bytes)),
        (Data, STREAM, b"announced by nobody".to_vec()),
        (Data, STREAM + 1, Vec::new()),
        (Block, STREAM, head(4, true, 0, 1)),
        (Abort, STREAM, Reason::Io.to_wire().to_vec()),
        (InnerType::Close, 0, Reason::Done.to_wire().to_vec()),
    ];
    for (kind, stream, content) in cases {
        let mut peers = Peers::new().await;
        let target = Target::new(SIZE);
        let staged = target.stage();
        let client = async |main: &mut RawPeer, lane: &mut RawPeer| {
            lane.send_block(2, block_of(&bytes, 2)).await;
            // Half of a block, which is lost with the lane.
            lane.send(Block, STREAM, &head(1, false, 0, 1000)).await;
            lane.send(Data, STREAM, &bytes[MIB..MIB + 1000]).await;
            lane.send(kind, stream, &content).await;
            assert_closed(lane).await;
            for index in [0, 1, 3] {
                main.send_block(index, block_of(&bytes, index)).await;
            }
            main.send(InnerType::End, STREAM, &end_of(&bytes)).await;
        };
        let (received, (), _lane) = peers.receive(&staged, &Transfer::new(), client).await;
        received.unwrap();
        target.assert_commits(&*staged, &bytes);
        peers.assert_in_step().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_was_lost_with_its_lane_is_missing_and_the_others_are_kept() {
    let bytes = content(SIZE, "lost");
    let mut peers = Peers::new().await;
    let target = Target::new(SIZE);
    let staged = target.stage();
    let client = async |main: &mut RawPeer, lane: &mut RawPeer| {
        lane.send(Block, STREAM, &head(1, true, 0, MIB)).await;
        lane.send(Data, STREAM, &bytes[MIB..MIB + 1000]).await;
        lane.send(Control, 0, b"gone").await;
        for index in [0, 2, 3] {
            main.send_block(index, block_of(&bytes, index)).await;
        }
        main.send(InnerType::End, STREAM, &end_of(&bytes)).await;
    };
    let (received, (), _lane) = peers.receive(&staged, &Transfer::new(), client).await;
    assert!(matches!(received, Err(Error::Integrity(_))), "{received:?}");
    peers.assert_in_step().await;
    staged.leave().unwrap();
    assert_eq!(target.kept(), [0, 2, 3]);
}

/// The sender found the lane broken before this side did, and sends its block elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_that_comes_elsewhere_is_taken_from_its_lane() {
    let bytes = content(SIZE, "twice");
    let mut peers = Peers::new().await;
    let target = Target::new(SIZE);
    let staged = target.stage();
    let transfer = Transfer::new();
    let client = async |main: &mut RawPeer, lane: &mut RawPeer| {
        lane.send(Block, STREAM, &head(1, true, 0, MIB)).await;
        lane.send(Data, STREAM, &[7; 1000]).await;
        until("it has arrived", || transfer.progress().transferred == 1000).await;
        for index in 0..4 {
            main.send_block(index, block_of(&bytes, index)).await;
        }
        main.send(InnerType::End, STREAM, &end_of(&bytes)).await;
        assert_closed(lane).await;
    };
    let (received, (), _lane) = peers.receive(&staged, &transfer, client).await;
    received.unwrap();
    target.assert_commits(&*staged, &bytes);
    peers.assert_in_step().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_of_the_first_lane_is_not_taken_from_it() {
    let bytes = content(SIZE, "first");
    let mut peers = Peers::new().await;
    let target = Target::new(SIZE);
    let staged = target.stage();
    let transfer = Transfer::new();
    let client = async |main: &mut RawPeer, lane: &mut RawPeer| {
        let block = block_of(&bytes, 1);
        main.send(Block, STREAM, &head(1, true, 0, MIB)).await;
        main.send(Data, STREAM, &block[..1000]).await;
        until("it has arrived", || transfer.progress().transferred == 1000).await;
        lane.send(Block, STREAM, &head(1, true, 0, MIB)).await;
        assert_closed(lane).await;
        for piece in block[1000..].chunks(100_000) {
            main.send(Data, STREAM, piece).await;
        }
        for index in [0, 2, 3] {
            main.send_block(index, block_of(&bytes, index)).await;
        }
        main.send(InnerType::End, STREAM, &end_of(&bytes)).await;
    };
    let (received, (), _lane) = peers.receive(&staged, &transfer, client).await;
    received.unwrap();
    target.assert_commits(&*staged, &bytes);
    peers.assert_in_step().await;
}

/// What was compared with the root is what gets the name: a lane that is still open changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_once_the_file_was_verified() {
    let bytes = content(SIZE, "verified");
    let mut peers = Peers::new().await;
    let target = Target::new(SIZE);
    let staged = target.stage();
    let client = async |main: &mut RawPeer, _: &mut RawPeer| {
        for index in 0..4 {
            main.send_block(index, block_of(&bytes, index)).await;
        }
        main.send(InnerType::End, STREAM, &end_of(&bytes)).await;
    };
    let (received, (), mut lane) = peers.receive(&staged, &Transfer::new(), client).await;
    received.unwrap();
    let forged = lane.seal_block(3, b"other");
    // The lane may be closed already.
    let _ = within(tokio::io::AsyncWriteExt::write_all(&mut lane.stream, &forged)).await;
    assert_closed(&mut lane).await;
    target.assert_commits(&*staged, &bytes);
    peers.assert_in_step().await;
}

/// After a cancel nobody writes any more, so that the next transfer may have the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_once_the_transfer_was_given_up() {
    let bytes = content(SIZE, "cancelled");
    let mut peers = Peers::new().await;
    let target = Target::new(SIZE);
    let staged = target.stage();
    let transfer = Transfer::new();
    let client = async |main: &mut RawPeer, lane: &mut RawPeer| {
        lane.send_block(2, block_of(&bytes, 2)).await;
        lane.send(Block, STREAM, &head(1, true, 0, MIB)).await;
        lane.send(Data, STREAM, &bytes[MIB..MIB + 1000]).await;
        let arrived = MIB as u64 + 1000;
        until("it has arrived", || transfer.progress().transferred == arrived).await;
        transfer.cancel();
        assert_eq!(main.receive().await.0, InnerType::Stop);
        main.send(Abort, STREAM, &Reason::Cancelled.to_wire()).await;
    };
    let (received, (), mut lane) = peers.receive(&staged, &transfer, client).await;
    assert!(matches!(received, Err(Error::Aborted)), "{received:?}");
    let moved = transfer.progress().transferred;
    let rest = lane.seal(Data, STREAM, &[7; 1000]);
    let _ = within(tokio::io::AsyncWriteExt::write_all(&mut lane.stream, &rest)).await;
    assert_closed(&mut lane).await;
    assert_eq!(transfer.progress().transferred, moved);
    staged.leave().unwrap();
    assert_eq!(target.kept(), [2]);
    peers.assert_in_step().await;
}
