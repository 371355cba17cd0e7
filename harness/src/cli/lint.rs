//! `hallmark lint`.

use std::collections::BTreeMap;
use std::path::Path;

use super::args::LintArgs;
use super::console::Console;
use super::run;
use crate::count::count;
use crate::engine::{Abilities, Plan};
use crate::exit;
use crate::scenario::Filter;
use crate::scenario::suite::Suite;

pub(super) fn lint(args: &LintArgs, console: Console) -> u8 {
    let suite = match Suite::load(&args.suite.path) {
        Ok(suite) => suite,
        Err(error) => {
            console.problems(&error);
            return exit::USAGE;
        }
    };
    console.say(&format!("no problems in suite {} ({})", suite.name(), count(suite.cases().len(), "case")));
    args.implementation.as_deref().map_or(exit::CONFORMANT, |file| against(&suite, file, console))
}

/// Checks an implementation file and tells what it would not be asked.
fn against(suite: &Suite, file: &Path, console: Console) -> u8 {
    let implementation = match run::implementation(Some(file), suite, console) {
        Ok(implementation) => implementation,
        Err(code) => return code,
    };
    let abilities = Abilities { node: true, audit: true, own: true, database: true };
    let plan = Plan::new(suite, &Filter::default(), "", abilities, implementation.as_ref());
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for placed in plan.cases.iter().filter(|placed| placed.declined) {
        *reasons.entry(placed.skip.as_deref().unwrap_or_default()).or_default() += 1;
    }
    for (reason, cases) in reasons {
        console.say(&format!("skipped, {}: {reason}", count(cases, "case")));
    }
    let asked = plan.runnable();
    console.say(&format!("no problems in {}; it is asked {}", file.display(), count(asked, "case")));
    exit::CONFORMANT
}
