//! What storage promises, tried from outside: every test runs on real directories, and whatever
//! resolves names runs with each resolver.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

mod support;

mod commit;
mod list;
mod properties;
mod source;
mod view;

#[cfg(target_os = "linux")]
mod tmpfs;

#[cfg(target_os = "linux")]
mod blocks;
#[cfg(target_os = "linux")]
mod blocks_hostile;
#[cfg(target_os = "linux")]
mod copy;
#[cfg(target_os = "linux")]
mod escape;
#[cfg(target_os = "linux")]
mod local;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod permission;
#[cfg(target_os = "linux")]
mod reflink;
#[cfg(target_os = "linux")]
mod remove;
#[cfg(target_os = "linux")]
mod rename;
#[cfg(target_os = "linux")]
mod space;
#[cfg(target_os = "linux")]
mod staging;
#[cfg(target_os = "linux")]
mod swap_race;
#[cfg(target_os = "linux")]
mod sweep;
#[cfg(target_os = "linux")]
mod tree;

#[cfg(windows)]
mod windows;
