//! The Node face of e2eeftp: conversion only.
//!
//! Every export converts its arguments, calls one function of the crates below, and converts the
//! result. Nothing is decided here, and nothing here is API: `src/native.ts` is the only importer,
//! and wraps it. Buffers from JavaScript are copied before a call returns; buffers to JavaScript
//! are given away. Errors are thrown as `[CODE] text`.

#![expect(
    missing_debug_implementations,
    unreachable_pub,
    clippy::needless_pass_by_value,
    reason = "the attribute macros of napi export items to JavaScript, and prescribe their shapes"
)]
#![cfg_attr(test, allow(dead_code, reason = "napi exports nothing in a test build"))]

mod blocks;
mod body;
mod classic;
mod classic_listener;
mod connect;
mod error;
mod file;
mod identity;
mod job;
mod listener;
mod listing;
mod receipt;
mod rotation;
mod runtime;
mod session;
mod stats;
mod storage;
mod streamed;
mod time;
mod transfer;
mod tree;
mod tree_files;
