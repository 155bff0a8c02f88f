//! Each comparison, as the public interface of the core reaches it.

use std::hint::black_box;

use crate::joined::{self, JOIN_SECRET};
use crate::watch::{make_public, make_secret};

/// Where the code that is compared is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is right.
    Nowhere,
    /// In its first byte: a comparison that stops early stops at once.
    First,
    /// In its last byte.
    Last,
}

impl Place {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nowhere, Self::First, Self::Last];

    /// Makes a code wrong there.
    pub fn spoil(self, code: &mut [u8]) {
        let at = match self {
            Self::Nowhere => return,
            Self::First => 0,
            Self::Last => code.len() - 1,
        };
        code[at] ^= 1;
    }
}

/// One comparison.
pub struct Comparison {
    pub name: &'static str,
    /// How many decisions on a secret there are when nothing leaks: the verdicts.
    pub decisions: u32,
    /// Makes everything that is needed and marks the secrets; what it returns compares, and answers
    /// whether the code was right.
    pub prepare: fn(Place) -> Box<dyn FnOnce() -> bool>,
}

/// The comparisons of the core. A new one is a line here and a function below.
pub const COMPARISONS: &[Comparison] = &[
    Comparison { name: "join binder", decisions: 1, prepare: join_binder },
    // The tag of the record is the first verdict.
    Comparison { name: "Finished of the server", decisions: 2, prepare: server_finished },
    Comparison { name: "Finished of the client", decisions: 2, prepare: client_finished },
    Comparison { name: "code of a classic piece", decisions: 1, prepare: classic_code },
];

/// Comparisons that leak, to see that they are found.
pub const LEAKS: &[Comparison] = &[
    Comparison { name: "slices with ==", decisions: 1, prepare: slices },
    Comparison { name: "a loop that stops early", decisions: 1, prepare: early_exit },
];

/// Where the binder stands in the record (`docs/PROTOCOL.md` §2), the record's header included.
const BINDER: std::ops::Range<usize> = 1292..1340;

/// The server compares the binder of a client that joins with the one that it computes from the
/// join secret, which is what is secret here.
fn join_binder(place: Place) -> Box<dyn FnOnce() -> bool> {
    let (_, mut m1) = joined::start();
    place.spoil(&mut m1[BINDER]);
    let hello = joined::hear(&m1);
    Box::new(move || {
        let mut secret = JOIN_SECRET;
        make_secret(&mut secret);
        joined::answer(hello, &secret).is_ok()
    })
}

/// The receiver of a piece in the old wire format compares its code with the one that it computes.
/// Secret is the code that was received.
fn classic_code(place: Place) -> Box<dyn FnOnce() -> bool> {
    let (opener, mut code) = joined::classic_piece();
    place.spoil(&mut code);
    make_secret(&mut code);
    Box::new(move || opener.finish(&code).is_ok())
}

/// The client compares the Finished in M4 with its own. Secret is the code that was received: only
/// its 48 bytes of the record, so that everything else about the record stays public.
fn server_finished(place: Place) -> Box<dyn FnOnce() -> bool> {
    let (client, mut m4) = joined::before_m4(place);
    make_secret(joined::finished_of(&mut m4, 4 + 40 + 4 + 48));
    Box::new(move || client.handle(&mut m4).is_ok())
}

/// The server compares the Finished in M5 with its own; as above.
fn client_finished(place: Place) -> Box<dyn FnOnce() -> bool> {
    let (server, mut m5) = joined::before_m5(place);
    make_secret(joined::finished_of(&mut m5, 4 + 48));
    Box::new(move || server.handle(&mut m5).is_ok())
}

fn slices(place: Place) -> Box<dyn FnOnce() -> bool> {
    leak(place, |ours, theirs| ours == theirs)
}

fn early_exit(place: Place) -> Box<dyn FnOnce() -> bool> {
    leak(place, |ours, theirs| {
        for (ours, theirs) in ours.iter().zip(theirs) {
            if black_box(*ours) != *theirs {
                return false;
            }
        }
        true
    })
}

fn leak(place: Place, compare: fn(&[u8], &[u8]) -> bool) -> Box<dyn FnOnce() -> bool> {
    let mut ours = vec![7; 48];
    let mut theirs = ours.clone();
    place.spoil(&mut theirs);
    make_secret(&mut ours);
    Box::new(move || {
        let mut verdict = [u8::from(compare(black_box(&ours), black_box(&theirs)))];
        make_public(&mut verdict);
        verdict == [1]
    })
}
