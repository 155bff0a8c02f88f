//! Somebody on the path changes the messages of a handshake as they go by. A side that finishes
//! has seen exactly what the other side said.
#![no_main]

use e2eeftp_fuzz::edits::Edit;
use e2eeftp_fuzz::peers::Kind;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Attack {
    kind: u8,
    edits: Vec<Edit>,
}

fuzz_target!(|attack: Attack| {
    let kind = Kind::from_byte(attack.kind);
    let same = kind.recorded().messages();
    let other = Kind::from_byte(attack.kind.wrapping_add(1)).recorded().messages();
    // The peers are without chance, so what they say, undisturbed, is what was recorded.
    let mut is_changed = [false; 4];
    let mut deliver = |index: usize, sent: &[u8]| {
        let mut message = sent.to_vec();
        for edit in attack.edits.iter().filter(|edit| edit.target() == index) {
            edit.apply(&mut message, &same, &other);
        }
        is_changed[index] = message != sent;
        message
    };

    let (client, m1) = kind.start();
    let Ok((server, m3, m4)) = Kind::answer(&deliver(0, &m1)) else {
        assert!(is_changed[0], "an honest M1 was refused");
        return;
    };
    let (m3, mut m4) = (deliver(1, &m3), deliver(2, &m4));
    let proved = client.handle(&m3).and_then(|client| client.handle(&mut m4));
    let Ok(proved) = proved else {
        assert!(is_changed.contains(&true), "honest messages were refused");
        return;
    };
    let (m5, client) = kind.finish(proved).expect("the client finishes on its own");
    let mut m5 = deliver(3, &m5);
    let server = server.handle(&mut m5);
    assert_eq!(is_changed[..3], [false; 3], "the client accepted a changed message");
    let Ok(server) = server else {
        assert!(is_changed[3], "an honest M5 was refused");
        return;
    };
    assert!(!is_changed[3], "the server accepted a changed M5");
    let server = server.into_established();
    assert_eq!(client.exporter.channel_binding(), server.exporter.channel_binding());
});
