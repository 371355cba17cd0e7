//! Entry point: see the library for what the controller does.

use std::process::ExitCode;

fn main() -> ExitCode {
    agents_controller::main()
}
