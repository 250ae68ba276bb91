//! The command line. `cli` has a file for each verb.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
