//! Entry point: see the library for what the controller does.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Lists of thousands of objects come and go in pages, on several threads. The allocator of the C library
/// keeps what they used; this one gives it back.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    agents_controller::main()
}
