//! `hallmark lint`.

use super::args::SuiteArgs;
use super::console::Console;
use crate::exit;
use crate::scenario::suite::Suite;

pub(super) fn lint(args: &SuiteArgs, console: Console) -> u8 {
    match Suite::load(&args.path) {
        Ok(suite) => {
            console.say(&format!("no problems in suite {} ({} cases)", suite.name(), suite.cases().len()));
            exit::CONFORMANT
        }
        Err(error) => {
            console.problems(&error);
            exit::USAGE
        }
    }
}
