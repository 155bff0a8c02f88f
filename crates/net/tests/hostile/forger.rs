//! A client that computes its proof itself, and gets it wrong on purpose. The refusal is the same
//! for every reason.

use e2eeftp_core::crypto::OsRandom;
use e2eeftp_core::identity::Signer as _;
use e2eeftp_core::{Error as CoreError, Random};
use tokio::io::AsyncWriteExt;

use crate::common::raw::{HalfOpen, read_to_end};
use crate::common::{identity, listen, next, until, within};
use crate::{assert_nobody, refusal};
use e2eeftp_net::{Listener, ServerLimits};
use reference::{Schedule, message, messages, signed_data};

/// An implementation of the key schedule that shares no code with the crates.
#[path = "../../../core/tests/common/reference.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod reference;

/// Gives a known key share, then real randomness.
struct KnownShare(Option<[u8; 32]>);

impl Random for KnownShare {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), CoreError> {
        match self.0.take() {
            Some(share) => {
                out.copy_from_slice(&share);
                Ok(())
            }
            None => OsRandom::new().fill(out),
        }
    }
}

/// What the forged proof does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Forgery {
    None,
    /// Signed by another key than the one that is shown.
    OtherSigner,
    /// One bit of the signature is wrong.
    BrokenSignature,
    /// A signature over the server's words.
    OtherRole,
    /// The code over the whole handshake is wrong.
    BrokenFinished,
    /// The record does not authenticate.
    BrokenTag,
    /// The server's own proof, sent back.
    Reflected,
}

fn lv16(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn ssh_strings(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap().to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// Everything the server says to this client after its own proof.
async fn answer_to(listener: &Listener, forgery: Forgery) -> Vec<u8> {
    let share = [7; 32];
    let mut half_open = HalfOpen::new(listener.address(), KnownShare(Some(share))).await;
    let mut schedule = Schedule::new(share, None, &half_open.m1, &half_open.m3);
    let m4 = reference::open(schedule.suite, &schedule.server_handshake, 0, &half_open.m4);
    schedule.add(&messages(&m4).concat());

    let (shown, other) = (identity(), identity());
    let blob = ssh_strings(&[b"ssh-ed25519", shown.public_key().as_bytes()]);
    let id = message(8, &[&[1][..], &lv16(&blob)].concat());
    schedule.add(&id);
    let role = if forgery == Forgery::OtherRole { "server" } else { "client" };
    let signer = if forgery == Forgery::OtherSigner { &other } else { &shown };
    let mut signature = signer.sign(&signed_data(role, &schedule.hash())).unwrap();
    if forgery == Forgery::BrokenSignature {
        signature[10] ^= 1;
    }
    let signature = message(9, &lv16(&ssh_strings(&[b"ssh-ed25519", &signature])));
    schedule.add(&signature);
    let mut finished = schedule.finished(&schedule.client_handshake);
    if forgery == Forgery::BrokenFinished {
        finished[47] ^= 1;
    }
    let flight = [id, signature, message(10, &finished)];
    let mut m5 = schedule.flight(&schedule.client_handshake, &flight);
    match forgery {
        Forgery::BrokenTag => *m5.last_mut().unwrap() ^= 1,
        Forgery::Reflected => m5.clone_from(&half_open.m4),
        _ => {}
    }
    half_open.stream.write_all(&m5).await.unwrap();
    if forgery == Forgery::None {
        let incoming = next(listener).await;
        assert_eq!(incoming.client_key(), shown.public_key());
        // The caller does not know this key.
        let (answer, ()) =
            within(async { tokio::join!(read_to_end(&mut half_open.stream), incoming.refuse()) })
                .await;
        return answer;
    }
    read_to_end(&mut half_open.stream).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_key_and_a_bad_proof_get_the_same_answer() {
    let listener = listen(ServerLimits::default());
    assert_eq!(answer_to(&listener, Forgery::None).await, refusal());
    let forgeries = [
        Forgery::OtherSigner,
        Forgery::BrokenSignature,
        Forgery::OtherRole,
        Forgery::BrokenFinished,
        Forgery::BrokenTag,
        Forgery::Reflected,
    ];
    for forgery in forgeries {
        assert_eq!(answer_to(&listener, forgery).await, refusal(), "{forgery:?}");
    }
    assert_nobody(&listener).await;
    until("all are counted", || listener.stats().failed == 6).await;
    assert_eq!(listener.stats().refused, 1);
}
