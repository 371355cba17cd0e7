//! Entry point of the build whose decisions can be broken, see `agents_controller::defects`.

use std::process::ExitCode;

fn main() -> ExitCode {
    agents_controller::main()
}
