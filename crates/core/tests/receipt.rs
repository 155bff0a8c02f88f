//! Receipts: one form, both signatures, the name only for those who are told.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod common;

use common::identity;
use common::receipts::{client_signature, name, plain, server_signature, statement, touched};
use e2eeftp_core::identity::Signer as _;
use e2eeftp_core::receipt::{
    MAX_NAME_LEN, MAX_RECEIPT_LEN, MAX_SIZE, MAX_STATEMENT_LEN, Name, Receipt, Statement,
};
use e2eeftp_core::{Error, Misuse, ReceiptFault};
use proptest::prelude::*;

const FORM: Error = Error::Receipt(ReceiptFault::Form);

#[test]
fn a_receipt_is_read_as_it_was_written() {
    for receipt in [plain(), touched()] {
        let text = receipt.to_text().unwrap();
        assert!(text.is_ascii());
        assert_eq!(Receipt::from_text(&text).unwrap(), receipt);
        let statement = receipt.statement().to_text().unwrap();
        assert!(text.starts_with(&statement) && statement.lines().count() == 9);
        assert_eq!(Statement::from_text(&statement).unwrap(), *receipt.statement());
    }
}

#[test]
fn no_byte_of_a_receipt_can_be_changed_taken_out_or_put_in() {
    for receipt in [plain(), touched()] {
        let text = receipt.to_text().unwrap();
        let bytes = text.as_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            for change in [1, 2, 0x20] {
                changed[at] = bytes[at] ^ change;
                let changed = String::from_utf8(changed.clone()).unwrap();
                assert!(Receipt::from_text(&changed).is_err(), "byte {at}: {changed}");
            }
            let mut shorter = text.clone();
            shorter.remove(at);
            assert!(Receipt::from_text(&shorter).is_err(), "without byte {at}");
            for more in ["\n", " ", "\r", "0", "="] {
                let mut longer = text.clone();
                longer.insert_str(at, more);
                assert!(Receipt::from_text(&longer).is_err(), "{more:?} before byte {at}");
            }
            assert!(Receipt::from_text(text.get(..at).unwrap()).is_err(), "cut at {at}");
        }
        assert!(Receipt::from_text(&format!("{text}\n")).is_err());
    }
}

/// Each line exchanged for that of another genuine receipt.
#[test]
fn no_line_can_come_from_another_receipt() {
    let one = plain().to_text().unwrap();
    let other_name = Name::new(b"/in/other", [8; 32]).unwrap();
    let statement = Statement {
        id: [1; 16],
        direction: e2eeftp_core::receipt::Direction::Get,
        size: 6,
        root: [2; 32],
        time: 7,
        ..statement(identity("client identity").public_key(), &other_name)
    };
    let (client, server) = (client_signature(&statement), server_signature(&statement));
    let other = Receipt::new(statement, Some(other_name), client, server).unwrap();
    let other = other.to_text().unwrap();
    let mut exchanged = 0;
    for (index, line) in other.lines().enumerate() {
        let mut lines: Vec<_> = one.lines().collect();
        if lines[index] == line {
            continue;
        }
        lines[index] = line;
        assert!(Receipt::from_text(&(lines.join("\n") + "\n")).is_err(), "{line}");
        exchanged += 1;
    }
    assert!(exchanged > 10);
}

#[test]
fn the_name_can_be_withheld_and_not_replaced() {
    let receipt = plain();
    let text = receipt.to_text().unwrap();
    let is_name = |line: &&str| line.starts_with("name ") || line.starts_with("salt ");
    let kept: Vec<_> = text.lines().filter(|line| !is_name(line)).collect();
    let without = Receipt::from_text(&(kept.join("\n") + "\n")).unwrap();
    assert_eq!((without.statement(), without.name()), (receipt.statement(), None));
    for name in
        [Name::new(b"/in/other", [7; 32]).unwrap(), Name::new(name().path(), [8; 32]).unwrap()]
    {
        let statement = receipt.statement().clone();
        let (client, server) = (client_signature(&statement), server_signature(&statement));
        let made = Receipt::new(statement, Some(name), client, server);
        assert_eq!(made.unwrap_err(), Error::Receipt(ReceiptFault::Name));
    }
}

#[test]
fn each_side_has_to_sign_this_very_statement() {
    let client = identity("client identity");
    let good = statement(client.public_key(), &name());
    let other = Statement { size: 6, ..good.clone() };
    let (by_client, by_server) = (client_signature(&good), server_signature(&good));
    let make = |client, server| Receipt::new(good.clone(), Some(name()), client, server);
    make(by_client, by_server).unwrap();
    for (client, server, fault) in [
        (client_signature(&other), by_server, ReceiptFault::ClientSignature),
        (by_server, by_server, ReceiptFault::ClientSignature),
        (by_client, server_signature(&other), ReceiptFault::ServerSignature),
        (by_client, by_client, ReceiptFault::ServerSignature),
    ] {
        assert_eq!(make(client, server).unwrap_err(), Error::Receipt(fault));
    }
    // A signature over the same text for another purpose is none.
    let namespace = e2eeftp_core::identity::sshsig::signed_data(
        "client-auth@e2eeftp",
        good.to_text().unwrap().as_bytes(),
    );
    let foreign = client.sign(&namespace).unwrap().into();
    let fault = ReceiptFault::ClientSignature;
    assert_eq!(make(foreign, by_server).unwrap_err(), Error::Receipt(fault));
}

#[test]
fn only_the_two_sides_are_asked_to_sign() {
    let good = statement(identity("client identity").public_key(), &name());
    let stranger = identity("stranger");
    let refused = good.signing_request(stranger.public_key()).unwrap_err();
    assert_eq!(refused, Error::Misuse(Misuse::Receipt));
}

#[test]
fn values_that_no_statement_has_are_refused() {
    let good = statement(identity("client identity").public_key(), &name());
    let largest = Statement { size: MAX_SIZE, ..good.clone() };
    assert_eq!(Statement::from_text(&largest.to_text().unwrap()).unwrap(), largest);
    let touched = common::vectors::security_key(&[9; 32], "ssh:");
    for bad in [
        Statement { size: MAX_SIZE + 1, ..good.clone() },
        Statement { time: 253_402_300_800, ..good.clone() },
        Statement { server: touched, ..good.clone() },
    ] {
        assert_eq!(bad.to_text().unwrap_err(), FORM);
        assert_eq!(bad.signing_request(&bad.client).unwrap_err(), FORM);
    }
    let text = good.to_text().unwrap();
    for (from, to) in [
        ("size 5\n", "size 05\n"),
        ("size 5\n", "size +5\n"),
        ("size 5\n", "size 9007199254740992\n"),
        ("size 5\n", "size 18446744073709551616\n"),
        ("receipt 1\n", "receipt 2\n"),
        ("direction send\n", "direction SEND\n"),
        ("direction send\n", "direction \n"),
        ("\ntime ", "\nnote x\ntime "),
        ("2026-11-22T", "2026-11-31T"),
        ("\n", "\r\n"),
    ] {
        assert_eq!(Statement::from_text(&text.replacen(from, to, 1)).unwrap_err(), FORM, "{to}");
    }
}

#[test]
fn texts_have_a_longest_length() {
    // The longest that can be: a security key's application of 255 bytes, each byte of the name
    // written as three.
    let key = common::vectors::security_key(&[9; 32], &format!("ssh:{}", "x".repeat(251)));
    let path = vec![0xff; MAX_NAME_LEN - 1];
    let name = Name::new(&[b"/", &*path].concat(), [0; 32]).unwrap();
    let statement = Statement { size: MAX_SIZE, ..statement(&key, &name) };
    let request = statement.signing_request(&key).unwrap();
    let application = format!("ssh:{}", "x".repeat(251));
    let (_, client) = common::vectors::touch(&[9; 32], &application, (1, 7), &request);
    let server = server_signature(&statement);
    assert!(statement.to_text().unwrap().len() <= MAX_STATEMENT_LEN);
    let receipt = Receipt::new(statement, Some(name), client, server).unwrap();
    let text = receipt.to_text().unwrap();
    assert!(text.len() <= MAX_RECEIPT_LEN, "{}", text.len());
    assert_eq!(Receipt::from_text(&text).unwrap(), receipt);
    assert_eq!(Receipt::from_text(&" ".repeat(MAX_RECEIPT_LEN + 1)).unwrap_err(), FORM);
    assert_eq!(Statement::from_text(&" ".repeat(MAX_STATEMENT_LEN + 1)).unwrap_err(), FORM);
}

#[test]
fn a_name_is_a_path_in_its_one_form() {
    for path in ["/a", "/a/b", "/...", "/a b", "/é", "/a:b", "/%2F"] {
        Name::new(path.as_bytes(), [0; 32]).unwrap();
    }
    let long = format!("/{}", "a".repeat(MAX_NAME_LEN));
    for path in ["", "/", "a", "//a", "/a/", "/a//b", "/.", "/a/..", "/a/./b", "/a\0", &*long] {
        assert_eq!(Name::new(path.as_bytes(), [0; 32]).unwrap_err(), FORM, "{path:?}");
    }
}

proptest! {
    #[test]
    fn any_name_survives(part in prop::collection::vec(any::<u8>(), 1..200), salt: [u8; 32]) {
        let Ok(name) = Name::new(&[b"/", &*part].concat(), salt) else { return Ok(()) };
        let statement = statement(identity("client identity").public_key(), &name);
        let (client, server) = (client_signature(&statement), server_signature(&statement));
        let receipt = Receipt::new(statement, Some(name), client, server).unwrap();
        let text = receipt.to_text().unwrap();
        prop_assert!(text.is_ascii());
        prop_assert_eq!(Receipt::from_text(&text).unwrap(), receipt);
    }
}
