//! Whether our own comparisons of secrets take the same way whatever the secrets are, in the manner
//! of ctgrind: secrets are marked, and valgrind finds each branch and each address that depends on
//! them. What must be left is the decision whether the code was right.
//!
//! README.md lists the comparisons. Run by `npm run constant-time`, under valgrind.

mod comparisons;
mod joined;
#[path = "../../crates/core/tests/common/reference.rs"]
#[allow(dead_code, reason = "shared with the tests of the core, which use more of it")]
mod reference;
mod watch;

use std::process::ExitCode;

use comparisons::{COMPARISONS, Comparison, LEAKS, Place};

fn main() -> ExitCode {
    if !watch::is_watched() {
        eprintln!("This program finds something only when valgrind runs it: npm run constant-time");
        return ExitCode::FAILURE;
    }
    let (mut passed, mut failed) = (0, 0);
    for comparison in COMPARISONS {
        let faults = faults_of(comparison);
        let is_good = faults == [comparison.decisions; Place::ALL.len()];
        report(comparison, faults, is_good, "the verdicts, and nothing else");
        if is_good { passed += 1 } else { failed += 1 }
    }
    // A check that finds nothing anywhere would find nothing here either.
    for control in LEAKS {
        let faults = faults_of(control);
        let is_found = faults.iter().any(|count| *count > control.decisions);
        report(control, faults, is_found, "a leak on purpose, to be found");
        if is_found { passed += 1 } else { failed += 1 }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The faults of one comparison for each place where the code may be wrong.
fn faults_of(comparison: &Comparison) -> [u32; Place::ALL.len()] {
    Place::ALL.map(|place| {
        let run = (comparison.prepare)(place);
        let before = watch::fault_count();
        let is_right = run();
        let faults = watch::fault_count() - before;
        assert_eq!(is_right, place == Place::Nowhere, "{}: the wrong verdict", comparison.name);
        faults
    })
}

fn report(comparison: &Comparison, faults: [u32; 3], is_good: bool, expected: &str) {
    let mark = if is_good { '✓' } else { '✗' };
    let name = comparison.name;
    println!("{mark} {name}: {faults:?} decisions on secrets ({expected})");
}
