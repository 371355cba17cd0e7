//! What is said about defects: a line for each, a verdict over all, and a file.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::self_test::Shown;
use crate::count::count;
use crate::engine::{Missed, Noticed, Outcome, Proof};
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
    /// What the reporters make of runs that are not green.
    pub reporters: Vec<Shown>,
    /// Requirements of level MUST that the implementation decides and no defect breaks.
    pub musts_without_defect: Vec<String>,
    /// Whether each of the wanted defects was tried.
    pub complete: bool,
}

impl Proofs {
    /// Exit code of the command.
    pub fn exit(&self) -> u8 {
        let is_survivor = self.count(Outcome::Survived) + self.count(Outcome::Partly) > 0;
        if is_survivor
            || !self.musts_without_defect.is_empty()
            || self.reporters.iter().any(|shown| !shown.right)
        {
            exit::NON_CONFORMANT
        } else if self.count(Outcome::Inconclusive) > 0 || !self.complete {
            exit::INCONCLUSIVE
        } else {
            exit::CONFORMANT
        }
    }

    /// The verdict in one line, and a line for each hole.
    pub fn verdict(&self) -> String {
        let mut lines = vec![format!(
            "{} of {} noticed, {} survived, {} survived in part, {} inconclusive",
            self.count(Outcome::Killed),
            count(self.defects.len(), "defect"),
            self.count(Outcome::Survived),
            self.count(Outcome::Partly),
            self.count(Outcome::Inconclusive),
        )];
        lines.extend(self.defects.iter().filter(|proof| proof.outcome == Outcome::Partly).map(|proof| {
            let missed: Vec<&str> = proof.missed.iter().map(|missed| missed.requirement.as_str()).collect();
            format!("no case noticed that {} breaks {}", proof.defect.name, missed.join(", "))
        }));
        lines.extend(self.reporters.iter().filter(|shown| !shown.right).map(Shown::words));
        if !self.musts_without_defect.is_empty() {
            lines.push(format!("no defect breaks {}", self.musts_without_defect.join(", ")));
        }
        if !self.complete {
            lines.push("interrupted: not all defects were tried".to_owned());
        }
        lines.join("\n")
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.defects.iter().filter(|proof| proof.outcome == outcome).count()
    }
}

/// A proof in one line, and a line for each requirement if there are several.
pub fn lines(proof: &Proof) -> String {
    let Proof { defect: Defect { name, requirements, summary }, outcome, elapsed, .. } = proof;
    let word = match outcome {
        Outcome::Killed => "noticed",
        Outcome::Partly => "IN PART",
        Outcome::Survived => "SURVIVED",
        Outcome::Inconclusive => "INCONCLUSIVE",
    };
    let noticed = proof.noticed.iter().map(|noticed| (&noticed.requirement, noticed_by(noticed)));
    let missed = proof.missed.iter().map(|missed| (&missed.requirement, why_missed(missed)));
    let each: Vec<(&String, String)> = noticed.chain(missed).collect();
    let head = format!("{word:<13} {name} ({}) after {:.1} s", requirements.join(" "), elapsed.as_secs_f64());
    let mut lines = match each.as_slice() {
        [(_, words)] => vec![format!("{head}: {words}")],
        several => {
            let below =
                several.iter().map(|(requirement, words)| format!("{:14}{requirement:<7} {words}", ""));
            std::iter::once(head).chain(below).collect()
        }
    };
    if *outcome != Outcome::Killed && !summary.is_empty() {
        lines.push(format!("{:14}planted: {summary}", ""));
    }
    lines.join("\n")
}

fn noticed_by(noticed: &Noticed) -> String {
    format!("by {}: {}", noticed.broken.by, short(&noticed.broken.claim))
}

/// Why a requirement was not noticed to be broken.
pub(super) fn why_missed(missed: &Missed) -> String {
    let Missed { passed, otherwise, trouble, .. } = missed;
    match (trouble, otherwise, passed) {
        (Some(trouble), ..) => trouble.clone(),
        (None, Some(other), _) => {
            format!(
                "not noticed; {} failed by a claim that is not about it: {}",
                other.by,
                short(&other.claim)
            )
        }
        (None, None, 0) => "not noticed: no case proves it here".to_owned(),
        (None, None, passed) => format!("not noticed: {} passed", count(*passed, "case")),
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
    use crate::engine::BrokenClaim;

    fn noticed(requirement: &str) -> Noticed {
        let broken = BrokenClaim { by: "case".to_owned(), claim: "never".to_owned() };
        Noticed { requirement: requirement.to_owned(), broken }
    }

    fn missed(requirement: &str, trouble: Option<&str>) -> Missed {
        let trouble = trouble.map(ToOwned::to_owned);
        Missed { requirement: requirement.to_owned(), passed: 2, otherwise: None, trouble }
    }

    fn proof(noticed: Vec<Noticed>, missed: Vec<Missed>) -> Proof {
        let requirements = noticed.iter().map(|it| &it.requirement);
        let requirements = requirements.chain(missed.iter().map(|it| &it.requirement)).cloned().collect();
        let defect = Defect { name: "d".to_owned(), requirements, summary: "forgets".to_owned() };
        Proof::new(defect, noticed, missed, Duration::from_millis(1500))
    }

    fn killed() -> Proof {
        proof(vec![noticed("A-1")], Vec::new())
    }

    fn partly() -> Proof {
        proof(vec![noticed("A-1")], vec![missed("A-2", None)])
    }

    fn survived() -> Proof {
        proof(Vec::new(), vec![missed("A-1", None)])
    }

    fn unknown() -> Proof {
        proof(Vec::new(), vec![missed("A-1", Some("no cluster"))])
    }

    #[rstest::rstest]
    #[case::all_noticed(vec![killed(), killed()], true, &[], exit::CONFORMANT)]
    #[case::a_survivor_wins_over_trouble(vec![unknown(), survived()], false, &[], exit::NON_CONFORMANT)]
    #[case::a_requirement_that_nobody_noticed_is_a_survivor(vec![killed(), partly()], true, &[], exit::NON_CONFORMANT)]
    #[case::a_hole_is_as_bad(vec![killed()], true, &["A-2"], exit::NON_CONFORMANT)]
    #[case::trouble(vec![killed(), unknown()], true, &[], exit::INCONCLUSIVE)]
    #[case::interrupted(vec![killed()], false, &[], exit::INCONCLUSIVE)]
    fn exit_codes_tell_the_worst(
        #[case] defects: Vec<Proof>,
        #[case] complete: bool,
        #[case] holes: &[&str],
        #[case] code: u8,
    ) {
        let proofs = Proofs {
            defects,
            reporters: Vec::new(),
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
            unproved: None,
        };
        let catalogue = [
            requirement("A-1", Level::Must),
            requirement("A-2", Level::Must),
            requirement("A-3", Level::Should),
            requirement("A-4", Level::Must),
            requirement("AB-1", Level::Must),
        ];
        let except = BTreeMap::from([("A-4".to_owned(), "the chart".to_owned())]);
        let holes = musts_without_defect(&catalogue, &["A".to_owned()], &except, &[killed().defect]);
        assert_eq!(holes, ["A-2"]);
    }
}
