//! The command line. `cli` has a file for each verb.

mod cli;

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// A call makes and frees a few hundred small strings, which the system's allocator takes twice the time for.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::main()
}
