//! What is said about defects: a line for each, a verdict over all, and a file.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::engine::{Outcome, Proof};
use crate::event::{Level, RequirementInfo};
use crate::exit;
use crate::subject::Defect;

/// Characters of a claim in the line of a proof.
const CLAIM_WIDTH: usize = 100;

/// All proofs of a command, as `prove.json` holds them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proofs {
    /// One for each defect that was tried, in the order of the list.
    pub defects: Vec<Proof>,
    /// Requirements of level MUST that the implementation decides and no defect breaks.
    pub musts_without_defect: Vec<String>,
    /// Whether each of the wanted defects was tried.
    pub complete: bool,
}

impl Proofs {
    /// Exit code of the command.
    pub fn exit(&self) -> u8 {
        let any = |matches: fn(&Outcome) -> bool| self.defects.iter().any(|proof| matches(&proof.outcome));
        if any(|outcome| matches!(outcome, Outcome::Survived { .. } | Outcome::Otherwise { .. }))
            || !self.musts_without_defect.is_empty()
        {
            exit::NON_CONFORMANT
        } else if any(|outcome| matches!(outcome, Outcome::Inconclusive { .. })) || !self.complete {
            exit::INCONCLUSIVE
        } else {
            exit::CONFORMANT
        }
    }

    /// The verdict in one line, and a line for each hole.
    pub fn verdict(&self) -> String {
        let count = |matches: fn(&Outcome) -> bool| {
            self.defects.iter().filter(|proof| matches(&proof.outcome)).count()
        };
        let killed = count(|outcome| matches!(outcome, Outcome::Killed { .. }));
        let survived =
            count(|outcome| matches!(outcome, Outcome::Survived { .. } | Outcome::Otherwise { .. }));
        let unknown = count(|outcome| matches!(outcome, Outcome::Inconclusive { .. }));
        let mut text = format!(
            "{killed} of {} defects noticed, {survived} survived, {unknown} inconclusive",
            self.defects.len()
        );
        if !self.musts_without_defect.is_empty() {
            text.push_str("\nno defect breaks ");
            text.push_str(&self.musts_without_defect.join(", "));
        }
        if !self.complete {
            text.push_str("\ninterrupted: not all defects were tried");
        }
        text
    }
}

/// A proof in one line.
pub fn line(proof: &Proof) -> String {
    let Proof { defect: Defect { name, requirements, summary }, outcome, elapsed } = proof;
    let requirements = requirements.join(" ");
    let seconds = elapsed.as_secs_f64();
    match outcome {
        Outcome::Killed { by, claim, .. } => {
            format!("noticed       {name} ({requirements}) by {by} after {seconds:.1} s: {}", short(claim))
        }
        Outcome::Otherwise { by, claim } => format!(
            "SURVIVED      {name} ({requirements}), its invariant is not broken; {by} failed: {}",
            short(claim)
        ),
        Outcome::Survived { cases: 0 } => {
            format!("SURVIVED      {name} ({requirements}), no case proves that here: {summary}")
        }
        Outcome::Survived { cases } => {
            format!("SURVIVED      {name} ({requirements}), {cases} cases passed: {summary}")
        }
        Outcome::Inconclusive { reason } => format!("INCONCLUSIVE  {name} ({requirements}): {reason}"),
    }
}

/// A claim, cut to what a line has room for.
fn short(claim: &str) -> String {
    match claim.char_indices().nth(CLAIM_WIDTH) {
        Some((end, _)) => format!("{}…", claim.get(..end).unwrap_or_default()),
        None => claim.to_owned(),
    }
}

/// The requirements of level MUST that the implementation decides and no defect breaks.
pub fn musts_without_defect(
    catalogue: &[RequirementInfo],
    families: &[String],
    except: &BTreeMap<String, String>,
    defects: &[Defect],
) -> Vec<String> {
    let broken: BTreeSet<&str> =
        defects.iter().flat_map(|defect| &defect.requirements).map(String::as_str).collect();
    let is_decided = |id: &str| {
        let family = id.split_once('-').map_or(id, |(family, _)| family);
        families.iter().any(|named| named == family) && !except.contains_key(id)
    };
    catalogue
        .iter()
        .filter(|requirement| requirement.level == Level::Must && is_decided(&requirement.id))
        .filter(|requirement| !broken.contains(requirement.id.as_str()))
        .map(|requirement| requirement.id.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn proof(outcome: Outcome) -> Proof {
        let defect =
            Defect { name: "d".to_owned(), requirements: vec!["A-1".to_owned()], summary: "s".to_owned() };
        Proof { defect, outcome, elapsed: Duration::from_millis(1500) }
    }

    fn killed() -> Outcome {
        Outcome::Killed { by: "case".to_owned(), claim: "never".to_owned(), broken: Vec::new() }
    }

    fn otherwise() -> Outcome {
        Outcome::Otherwise { by: "case".to_owned(), claim: "never".to_owned() }
    }

    fn unknown() -> Outcome {
        Outcome::Inconclusive { reason: "r".to_owned() }
    }

    #[rstest::rstest]
    #[case::all_noticed(vec![killed(), killed()], true, &[], exit::CONFORMANT)]
    #[case::a_survivor_wins_over_trouble(vec![unknown(), Outcome::Survived { cases: 2 }], false, &[], exit::NON_CONFORMANT)]
    #[case::a_failure_that_is_not_the_invariant_proves_nothing(vec![killed(), otherwise()], true, &[], exit::NON_CONFORMANT)]
    #[case::a_hole_is_as_bad(vec![killed()], true, &["A-2"], exit::NON_CONFORMANT)]
    #[case::trouble(vec![killed(), unknown()], true, &[], exit::INCONCLUSIVE)]
    #[case::interrupted(vec![killed()], false, &[], exit::INCONCLUSIVE)]
    fn exit_codes_tell_the_worst(
        #[case] outcomes: Vec<Outcome>,
        #[case] complete: bool,
        #[case] holes: &[&str],
        #[case] code: u8,
    ) {
        let proofs = Proofs {
            defects: outcomes.into_iter().map(proof).collect(),
            musts_without_defect: holes.iter().map(|id| (*id).to_owned()).collect(),
            complete,
        };
        assert_eq!(proofs.exit(), code, "{}", proofs.verdict());
    }

    #[test]
    fn one_requirement_is_told_in_a_line_and_each_of_several_in_its_own() {
        assert_eq!(lines(&killed()), "noticed       d (A-1) after 1.5 s: by case: never");
        assert_eq!(
            lines(&partly()),
            "IN PART       d (A-1 A-2) after 1.5 s\n              A-1     by case: never\n              \
             A-2     not noticed: 2 cases passed\n              planted: forgets"
        );
        let proofs = Proofs {
            defects: vec![partly()],
            reporters: Vec::new(),
            musts_without_defect: Vec::new(),
            complete: true,
        };
        assert!(proofs.verdict().ends_with("\nno case noticed that d breaks A-2"), "{}", proofs.verdict());
    }

    #[test]
    fn reporters_that_hide_a_failure_are_as_bad_as_a_survivor() {
        let hidden =
            Shown { run: "failed", exit: 0, result: "conformant".to_owned(), junit: 0, right: false };
        let proofs = Proofs {
            defects: vec![killed()],
            reporters: vec![hidden],
            musts_without_defect: Vec::new(),
            complete: true,
        };
        assert_eq!(proofs.exit(), exit::NON_CONFORMANT);
        assert!(
            proofs.verdict().contains("a run that is failed is reported WRONGLY"),
            "{}",
            proofs.verdict()
        );
    }

    #[test]
    fn only_musts_of_the_named_families_need_a_defect() {
        let requirement = |id: &str, level| RequirementInfo {
            id: id.to_owned(),
            statement: String::new(),
            level,
            feature: "core".to_owned(),
            source: String::new(),
        };
        let catalogue = [
            requirement("A-1", Level::Must),
            requirement("A-2", Level::Must),
            requirement("A-3", Level::Should),
            requirement("A-4", Level::Must),
            requirement("AB-1", Level::Must),
        ];
        let except = BTreeMap::from([("A-4".to_owned(), "the chart".to_owned())]);
        let holes = musts_without_defect(&catalogue, &["A".to_owned()], &except, &[proof(killed()).defect]);
        assert_eq!(holes, ["A-2"]);
    }
}
