//! The one tokio runtime: few workers for control, a bounded pool of blocking threads for files.

use napi::bindgen_prelude::create_custom_tokio_runtime;
use napi_derive::module_init;
use tokio::runtime::Builder;

/// Workers beyond this gain nothing: they only carry handshakes and control messages. Half of the
/// cores do; with more, the workers of a small machine wake each other for every message.
const MAX_WORKERS: usize = 4;
/// Pumps of a server and of clients (256 each) and file calls beside them.
const MAX_BLOCKING: usize = 640;
/// The pumps keep their data in pooled buffers, not on the stack.
const STACK_LEN: usize = 512 * 1024;

#[module_init]
fn start() {
    let workers =
        std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2).min(MAX_WORKERS);
    let runtime = Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(MAX_BLOCKING)
        .thread_stack_size(STACK_LEN)
        .thread_name("e2eeftp")
        .enable_all()
        .build();
    // Without a runtime of ours, napi makes its own on first use and reports its failure there.
    if let Ok(runtime) = runtime {
        create_custom_tokio_runtime(runtime);
    }
}
