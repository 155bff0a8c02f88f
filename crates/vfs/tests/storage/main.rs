//! What storage promises, tried from outside: every test runs on real directories, and whatever
//! resolves names runs with each resolver.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests")]
#![cfg(target_os = "linux")]

mod support;
mod tmpfs;

mod blocks;
mod commit;
mod copy;
mod escape;
mod list;
mod local;
mod names;
mod permission;
mod properties;
mod reflink;
mod remove;
mod rename;
mod source;
mod space;
mod staging;
mod swap_race;
mod sweep;
mod tree;
mod view;
