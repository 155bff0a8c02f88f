//! Peers that do not play by the rules.

use std::fs;

use e2eeftp_core::tree::{Answer, FileEntry, Message, TreeTime};
use e2eeftp_net::{Error, Session, Transfer, TreeOptions};

use crate::common::{root, within};
use crate::world::{Run, World, write};

const TIME: TreeTime = TreeTime { seconds: 1, nanoseconds: 2 };

fn enter(name: &[u8]) -> Message<'_> {
    Message::Enter { name, modified: TIME, mode: 0o755 }
}

fn file(name: &[u8], size: u64, is_inline: bool) -> Message<'_> {
    let entry = FileEntry {
        name,
        size,
        modified: TIME,
        mode: 0o644,
        root: None,
        is_inline,
        is_large: false,
        link: None,
    };
    Message::File(entry)
}

const LEAVE: Message<'_> = Message::Leave { is_complete: true };

/// Says `messages` in one record; both ends of the body are the session's own.
async fn say(session: &Session, messages: &[Message<'_>]) {
    let mut bytes = Vec::new();
    for message in messages {
        message.write(&mut bytes);
    }
    say_bytes(session, &bytes).await;
}

async fn say_bytes(session: &Session, bytes: &[u8]) {
    let mut writer = session.body_writer(7);
    // The other side may have given up already.
    drop(within(writer.write(bytes)).await);
    drop(within(writer.finish()).await);
}

/// What a sink makes of it.
async fn sink_hears(world: &World, messages: &[Message<'_>]) -> Error {
    sink_hears_as(world, Run::deleting(), messages).await
}

async fn sink_hears_as(world: &World, run: Run, messages: &[Message<'_>]) -> Error {
    let writer = world.writer(&run).unwrap();
    let transfer = Transfer::new();
    let (client, server) = (&world.pair.client, &world.pair.server);
    let receive = server.receive_tree(&transfer, writer, 7, run.options, None);
    let (received, ()) = tokio::join!(within(receive), say(client, messages));
    received.unwrap_err()
}

fn is_fault(error: &Error) -> bool {
    matches!(error, Error::Protocol(_) | Error::Core(_))
}

#[tokio::test]
async fn a_source_out_of_order_is_cut_off() {
    let cases: &[&[Message<'_>]] = &[
        &[enter(b"")],
        &[Message::Begin, enter(b"a")],
        &[Message::Begin, enter(b""), enter(b"")],
        &[Message::Begin, LEAVE],
        &[Message::Begin, enter(b""), LEAVE, LEAVE],
        &[Message::Begin, enter(b""), LEAVE, enter(b"")],
        &[Message::Begin, enter(b""), LEAVE, enter(b"a")],
        &[Message::Begin, enter(b""), LEAVE, file(b"a", 1, false)],
        &[Message::Begin, file(b"a", 1, false)],
        &[Message::Begin, enter(b""), Message::Content(b"x")],
        &[Message::Begin, enter(b""), Message::ContentFailed],
        &[Message::Begin, enter(b""), file(b"a", 1, true), LEAVE],
        &[Message::Begin, enter(b""), file(b"a", 1, true), Message::Content(b"xy")],
        &[Message::Begin, enter(b""), file(b"a", 1, true), Message::ContentEnd(b"xy", [0; 32])],
        &[Message::Begin, enter(b""), Message::Finished],
        &[Message::Begin, Message::Finished],
        &[Message::Begin, enter(b""), file(b"a", 1, false), LEAVE, Message::Finished],
        &[Message::Begin, enter(b""), LEAVE],
        &[Message::Begin, enter(b""), LEAVE, Message::Finished, enter(b"x")],
        &[Message::Begin, Message::Answer(Answer::Want(1))],
        &[Message::Begin, Message::Begin],
        &[Message::Begin, Message::Rule { is_include: true, pattern: b"x" }],
        &[Message::Chosen(b"x")],
    ];
    for case in cases {
        let world = World::new().await;
        let error = sink_hears(&world, case).await;
        assert!(is_fault(&error), "{case:?}: {error:?}");
        let left: Vec<_> = fs::read_dir(world.top()).unwrap().collect();
        assert!(left.is_empty(), "{case:?} leaves {left:?}");
    }
}

#[tokio::test]
async fn names_that_lead_elsewhere_never_reach_the_disk() {
    for name in [&b".."[..], b".", b"a/b", b"/etc", b"", b"a\0b"] {
        for message in [enter(name), file(name, 1, false)] {
            let world = World::new().await;
            let mut bytes = Vec::new();
            Message::Begin.write(&mut bytes);
            enter(b"").write(&mut bytes);
            message.write(&mut bytes);
            let writer = world.writer(&Run::default()).unwrap();
            let transfer = Transfer::new();
            let (client, server) = (&world.pair.client, &world.pair.server);
            let options = TreeOptions::default();
            let receive = server.receive_tree(&transfer, writer, 7, options, None);
            let (received, ()) = tokio::join!(within(receive), say_bytes(client, &bytes));
            assert!(is_fault(&received.unwrap_err()), "{name:?}");
            assert_eq!(fs::read_dir(&world.to).unwrap().count(), 1);
        }
    }
}

#[tokio::test]
async fn a_content_that_is_not_the_announced_one_is_not_stored() {
    let world = World::new().await;
    let good = root(b"good");
    let messages = [
        Message::Begin,
        enter(b""),
        file(b"short", 4, true),
        Message::ContentEnd(b"goo", root(b"goo")),
        file(b"wrong-root", 4, true),
        Message::ContentEnd(b"evil", good),
        file(b"failed", 4, true),
        Message::Content(b"go"),
        Message::ContentFailed,
        file(b".e2eeftp-00000000000000000000000000000000.part", 4, true),
        Message::ContentEnd(b"good", good),
        file(b"good", 4, true),
        Message::ContentEnd(b"good", good),
        LEAVE,
        Message::Finished,
    ];
    let run = Run::default();
    let writer = world.writer(&run).unwrap();
    let transfer = Transfer::new();
    let (client, server) = (&world.pair.client, &world.pair.server);
    let receive = server.receive_tree(&transfer, writer, 7, run.options, None);
    // The end of a body that is fed by hand has a root over contents, too: that is the last fault.
    let (received, ()) = tokio::join!(within(receive), say(client, &messages));
    assert!(is_fault(&received.unwrap_err()));
    let names: Vec<_> =
        fs::read_dir(world.top()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["good"]);
}

#[tokio::test]
async fn a_source_that_ignores_the_window_is_cut_off() {
    let world = World::new().await;
    write(&world.top(), "x", b"x");
    let names: Vec<_> = (0..80_000).map(|number| format!("n{number}")).collect();
    let run = Run::default();
    let writer = world.writer(&run).unwrap();
    let transfer = Transfer::new();
    let (client, server) = (&world.pair.client, &world.pair.server);
    let receive = server.receive_tree(&transfer, writer, 7, run.options, None);
    let speak = async {
        let mut writer = client.body_writer(7);
        let mut first = Vec::new();
        Message::Begin.write(&mut first);
        enter(b"").write(&mut first);
        drop(within(writer.write(&first)).await);
        for chunk in names.chunks(1000) {
            let mut bytes = Vec::new();
            for name in chunk {
                file(name.as_bytes(), 1, false).write(&mut bytes);
            }
            if within(writer.write(&bytes)).await.is_err() {
                return;
            }
        }
    };
    let (received, ()) = tokio::join!(within(receive), speak);
    // The answers, which come while it still speaks, make the other end of this test break off, too.
    let error = received.unwrap_err();
    assert!(is_fault(&error) || !error.keeps_session(), "{error:?}");
}

/// What a source makes of a sink.
async fn source_hears(messages: &[Message<'_>]) -> Error {
    let world = World::new().await;
    write(&world.from, "a", b"a");
    write(&world.from, "b", b"b");
    let transfer = Transfer::new();
    let (client, server) = (&world.pair.client, &world.pair.server);
    let reader = world.reader(e2eeftp_vfs::LinkPolicy::AsLinks);
    let send = server.send_tree(&transfer, reader, 7, TreeOptions::default(), None);
    let (sent, ()) = tokio::join!(within(send), say(client, messages));
    sent.unwrap_err()
}

#[tokio::test]
async fn a_sink_that_answers_what_was_not_asked_is_cut_off() {
    use Answer::{DirectoryOld, Skip, Want};
    let counts = e2eeftp_core::tree::TreeCounts::default();
    let answer = Message::Answer;
    let cases: &[&[Message<'_>]] = &[
        &[Message::Begin, answer(Want(1))],
        &[Message::Begin, answer(DirectoryOld), answer(DirectoryOld)],
        &[Message::Begin, answer(DirectoryOld), answer(Want(3))],
        &[Message::Begin, answer(DirectoryOld), answer(Skip(u32::MAX.into()))],
        &[Message::Begin, answer(DirectoryOld), answer(Skip(2)), answer(Skip(1))],
        &[Message::Begin, Message::Counts(counts)],
        &[Message::Begin, answer(DirectoryOld), answer(Skip(2))],
        &[Message::Begin, Message::Begin],
        &[Message::Begin, Message::Chosen(b"x")],
        &[Message::Begin, enter(b"")],
        &[Message::Content(b"x")],
        &[answer(DirectoryOld)],
        &[Message::Begin, Message::Counts(counts), Message::Counts(counts)],
    ];
    for case in cases {
        let error = source_hears(case).await;
        assert!(is_fault(&error), "{case:?}: {error:?}");
    }
}

/// A client that goes away in the middle: nothing but whole files is left.
#[tokio::test]
async fn a_connection_that_breaks_leaves_whole_files_only() {
    let world = World::new().await;
    let body = vec![7; 300_000];
    let hash = root(&body);
    let run = Run::default();
    let writer = world.writer(&run).unwrap();
    let transfer = Transfer::new();
    let (client, server) = (&world.pair.client, &world.pair.server);
    let receive = server.receive_tree(&transfer, writer, 7, run.options, None);
    let speak = async {
        let mut writer = client.body_writer(7);
        let mut bytes = Vec::new();
        for message in [
            Message::Begin,
            enter(b""),
            file(b"whole", 4, true),
            Message::ContentEnd(b"good", root(b"good")),
            file(b"half", body.len() as u64, true),
            Message::Content(&body[..100_000]),
        ] {
            message.write(&mut bytes);
        }
        within(writer.write(&bytes)).await.unwrap();
        // It is stored before the connection goes.
        crate::common::until("stored", || world.top().join("whole").exists()).await;
        client.destroy();
    };
    let (received, ()) = tokio::join!(within(receive), speak);
    assert!(received.is_err());
    let _ = hash;
    let names: Vec<_> =
        fs::read_dir(world.top()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["whole"]);
}
