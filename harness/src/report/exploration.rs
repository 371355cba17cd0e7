//! What is said about an exploration: a table for each life, a verdict over all, and a file.

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::count::{agree, count};
use crate::engine::{Life, Placement};
use crate::exit;

/// All lives of a command, as `explore.json` holds them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exploration {
    /// What was wrong with the controller on purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defect: Option<String>,
    /// One for each case, in the order of the suite.
    pub lives: Vec<Life>,
    /// Whether each of the wanted cases was explored.
    pub complete: bool,
}

impl Exploration {
    /// Exit code of the command.
    pub fn exit(&self) -> u8 {
        let any = |is: fn(&Placement) -> bool| self.placements().any(is);
        let troubled = self.lives.iter().any(|life| life.trouble.is_some());
        if any(|placement| matches!(placement, Placement::Different { .. } | Placement::Failed { .. })) {
            exit::NON_CONFORMANT
        } else if any(|placement| matches!(placement, Placement::Inconclusive { .. }))
            || troubled
            || !self.complete
        {
            exit::INCONCLUSIVE
        } else if self.placements().all(|placement| *placement == Placement::NotMade) {
            exit::NOTHING_RUN
        } else {
            exit::CONFORMANT
        }
    }

    /// The verdict in one line.
    pub fn verdict(&self) -> String {
        let same = self.placements().filter(|placement| **placement == Placement::Same).count();
        let all = self.placements().count();
        let lives = self.lives.len();
        let lives = format!("{lives} {}", agree(&lives, "life", "lives"));
        let unmade = self.placements().filter(|placement| **placement == Placement::NotMade).count();
        let made = all - unmade;
        let mut text = format!(
            "{same} of {} in {lives} {} to the undisturbed end",
            count(made, "kill"),
            agree(&made, "leads", "lead")
        );
        if unmade > 0 {
            text = format!(
                "{text}; {unmade} more {} planned at writes that were not made again",
                agree(&unmade, "was", "were")
            );
        }
        if !self.complete {
            text.push_str("\ninterrupted: not every life was explored");
        }
        text
    }

    fn placements(&self) -> impl Iterator<Item = &Placement> {
        self.lives.iter().flat_map(|life| &life.writes).flat_map(|write| [&write.before, &write.after])
    }
}

/// A life as a table of its writes, with what was different below.
pub fn table(life: &Life) -> String {
    if let Some(trouble) = &life.trouble {
        return format!("{}\n  not explored: {trouble}\n", life.case);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["", "write", "killed before", "killed after"]);
    let mut details = Vec::new();
    for (number, write) in (1..).zip(&life.writes) {
        table.add_row([
            format!("{number}"),
            write.request.clone(),
            word(&write.before).to_owned(),
            word(&write.after).to_owned(),
        ]);
        for (moment, placement) in [("before", &write.before), ("after", &write.after)] {
            for line in lines(placement) {
                details.push(format!("  {moment} write {number}: {line}\n"));
            }
        }
    }
    let table: Vec<String> = table.lines().map(|line| format!("  {}", line.trim_end())).collect();
    format!("{}\n{}\n{}", life.case, table.join("\n"), details.concat())
}

pub(super) fn word(placement: &Placement) -> &'static str {
    match placement {
        Placement::Same => "same end",
        Placement::Different { .. } => "OTHER END",
        Placement::NotMade => "not made",
        Placement::Failed { .. } => "FAILED",
        Placement::Inconclusive { .. } => "inconclusive",
    }
}

pub(super) fn lines(placement: &Placement) -> Vec<&str> {
    match placement {
        Placement::Same | Placement::NotMade => Vec::new(),
        Placement::Different { differences } => differences.iter().map(String::as_str).collect(),
        Placement::Failed { reason } | Placement::Inconclusive { reason } => vec![reason],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::WriteOutcome;

    fn life(before: Placement, after: Placement) -> Life {
        let write = WriteOutcome { request: "create jobs".to_owned(), before, after };
        Life { case: "a-life".to_owned(), trouble: None, writes: vec![write] }
    }

    fn different() -> Placement {
        Placement::Different { differences: vec!["Job demo was made 2 times, not 1".to_owned()] }
    }

    fn unknown() -> Placement {
        Placement::Inconclusive { reason: "r".to_owned() }
    }

    #[rstest::rstest]
    #[case::all_same(vec![life(Placement::Same, Placement::Same)], true, exit::CONFORMANT)]
    #[case::another_end(vec![life(unknown(), different())], true, exit::NON_CONFORMANT)]
    #[case::a_claim_that_failed(vec![life(Placement::Failed { reason: String::new() }, Placement::Same)], true, exit::NON_CONFORMANT)]
    #[case::a_write_that_was_not_made(vec![life(Placement::Same, Placement::NotMade)], true, exit::CONFORMANT)]
    #[case::no_write_was_made(vec![life(Placement::NotMade, Placement::NotMade)], true, exit::NOTHING_RUN)]
    #[case::trouble(vec![life(Placement::Same, unknown())], true, exit::INCONCLUSIVE)]
    #[case::interrupted(vec![life(Placement::Same, Placement::Same)], false, exit::INCONCLUSIVE)]
    #[case::nothing_was_explored(Vec::new(), true, exit::NOTHING_RUN)]
    #[case::a_life_that_was_not_explored(vec![Life { trouble: Some("t".to_owned()), ..life(unknown(), unknown()) }], true, exit::INCONCLUSIVE)]
    fn exit_codes_tell_the_worst(#[case] lives: Vec<Life>, #[case] complete: bool, #[case] code: u8) {
        assert_eq!(Exploration { defect: None, lives, complete }.exit(), code);
    }

    #[test]
    fn every_write_is_shown_and_every_difference_told() {
        let text = table(&life(Placement::Same, different()));
        let expected = "\
a-life
     write         killed before   killed after
   1   create jobs   same end        OTHER END
  after write 1: Job demo was made 2 times, not 1
";
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeeze(&text), squeeze(expected), "{text}");
    }
}
