//! Requirements, the cases that prove them, and the defects that break them.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{Table, presets};
use serde::Serialize;

use super::proof_record::Shift;
use crate::count::{agree, count};
use crate::event::{Level, RequirementInfo};
use crate::exit;
use crate::scenario::PlannedCase;
use crate::subject::Defect;

/// Which requirements are covered by what.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// Every requirement of the catalogue, in its order.
    pub requirements: Vec<Covered>,
    /// Whether defects were looked at.
    pub with_defects: bool,
    /// Where what is proved differs from what was recorded.
    pub shifts: Vec<Shift>,
}

/// A requirement and what covers it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Covered {
    /// Its id.
    pub id: String,
    /// How binding it is.
    pub level: Level,
    /// What it says.
    pub statement: String,
    /// Why no scenario proves it, if none is meant to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproved: Option<String>,
    /// Ids of the cases that prove it or that are judged on it as an invariant, sorted; skipped ones included.
    pub cases: BTreeSet<String>,
    /// Names of the defects that break it, sorted.
    pub defects: BTreeSet<String>,
    /// What is missing.
    pub holes: Vec<Hole>,
}

/// What is wrong about how a requirement is covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Hole {
    /// No case proves it, and the catalogue does not say why.
    Case,
    /// A case proves it, and the catalogue says why none does.
    Excuse,
    /// It is of level MUST, the implementation decides it, and no defect breaks it.
    Defect,
}

impl Hole {
    fn words(self) -> &'static str {
        match self {
            Self::Case => "no case",
            Self::Excuse => "proved, though the catalogue tells why it is not",
            Self::Defect => "no defect",
        }
    }
}

impl Coverage {
    /// Of a suite and, if they are known, of the defects; `without_defect` are the requirements that need
    /// one and have none.
    pub fn of(
        catalogue: &[RequirementInfo],
        cases: &[PlannedCase],
        defects: Option<&[Defect]>,
        without_defect: &[String],
    ) -> Self {
        let mut proofs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for case in cases {
            for id in case.requirements.iter().cloned().chain(case.standing()) {
                proofs.entry(id).or_default().insert(case.id.to_string());
            }
        }
        let requirements = catalogue.iter().map(|requirement| {
            let cases = proofs.remove(requirement.id.as_str()).unwrap_or_default();
            let breaks = |defect: &&Defect| defect.requirements.contains(&requirement.id);
            let of = defects.unwrap_or_default().iter().filter(breaks);
            let holes = [
                (cases.is_empty() && requirement.unproved.is_none(), Hole::Case),
                (!cases.is_empty() && requirement.unproved.is_some(), Hole::Excuse),
                (without_defect.contains(&requirement.id), Hole::Defect),
            ];
            Covered {
                id: requirement.id.clone(),
                level: requirement.level,
                statement: requirement.statement.clone(),
                unproved: requirement.unproved.clone(),
                cases,
                defects: of.map(|defect| defect.name.clone()).collect(),
                holes: holes.into_iter().filter_map(|(is_hole, hole)| is_hole.then_some(hole)).collect(),
            }
        });
        Self { requirements: requirements.collect(), with_defects: defects.is_some(), shifts: Vec::new() }
    }

    /// Adds where what is proved differs from what was recorded.
    #[must_use]
    pub fn with_shifts(self, shifts: Vec<Shift>) -> Self {
        Self { shifts, ..self }
    }

    /// Exit code of the command.
    pub fn exit(&self) -> u8 {
        let complete = self.requirements.iter().all(|requirement| requirement.holes.is_empty());
        if complete && self.shifts.is_empty() { exit::CONFORMANT } else { exit::NON_CONFORMANT }
    }

    /// A line for each family, and one for each requirement that is not proved for a reason, each hole and each difference from what was recorded.
    pub fn text(&self) -> String {
        let mut families: Vec<(&str, Vec<&Covered>)> = Vec::new();
        for requirement in &self.requirements {
            let family = requirement.id.split_once('-').map_or(requirement.id.as_str(), |(family, _)| family);
            match families.iter_mut().find(|(name, _)| *name == family) {
                Some((_, members)) => members.push(requirement),
                None => families.push((family, vec![requirement])),
            }
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["family", "requirements", "proved", "MUST proved", "cases", "defects"]);
        for (family, members) in families {
            let proved = |is_counted: fn(&Covered) -> bool| {
                members.iter().filter(|member| is_counted(member) && !member.cases.is_empty()).count()
            };
            let musts = members.iter().filter(|member| member.level == Level::Must).count();
            let cases: BTreeSet<&String> = members.iter().flat_map(|member| &member.cases).collect();
            let defects: BTreeSet<&String> = members.iter().flat_map(|member| &member.defects).collect();
            table.add_row([
                family.to_owned(),
                members.len().to_string(),
                proved(|_| true).to_string(),
                format!("{}/{musts}", proved(|member| member.level == Level::Must)),
                cases.len().to_string(),
                if self.with_defects { defects.len().to_string() } else { "–".to_owned() },
            ]);
        }
        let mut lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
        let holes = self.requirements.iter().filter(|requirement| !requirement.holes.is_empty());
        let holes: Vec<String> = holes
            .map(|requirement| {
                let what: Vec<&str> = requirement.holes.iter().map(|hole| hole.words()).collect();
                format!("  {:<8} {:<24} {}", requirement.id, what.join(", "), requirement.statement)
            })
            .collect();
        let excused = self.requirements.iter().filter(|requirement| requirement.cases.is_empty());
        let excused: Vec<String> = excused
            .filter_map(|requirement| Some((requirement, requirement.unproved.as_ref()?)))
            .map(|(Covered { id, level, .. }, why)| format!("  {id:<8} {:<6} {why}", level.word()))
            .collect();
        if !excused.is_empty() {
            let are = agree(&excused.len(), "is", "are");
            let number = count(excused.len(), "requirement");
            lines.push(format!("\n{number} {are} not proved by a scenario, for a reason"));
            lines.extend(excused);
        }
        if holes.is_empty() {
            lines.push("\nevery other requirement is proved".to_owned());
        } else {
            let have = agree(&holes.len(), "has", "have");
            lines.push(format!("\n{} {have} a hole", count(holes.len(), "requirement")));
            lines.extend(holes);
        }
        if !self.shifts.is_empty() {
            lines.push("\nwhat is proved is not what was recorded; `--update` records it".to_owned());
            lines.extend(self.shifts.iter().map(|shift| format!("  {}", shift.words())));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::suite::Suite;

    fn requirement(id: &str, level: Level) -> RequirementInfo {
        RequirementInfo {
            id: id.to_owned(),
            statement: format!("what {id} says"),
            level,
            feature: "core".to_owned(),
            source: String::new(),
            unproved: None,
        }
    }

    #[test]
    fn a_requirement_without_case_or_a_must_without_defect_is_a_hole() {
        let catalogue = [
            requirement("A-1", Level::Must),
            requirement("A-2", Level::Should),
            requirement("B-1", Level::Must),
        ];
        let defect = Defect {
            name: "off-by-one".to_owned(),
            requirements: vec!["A-1".to_owned()],
            summary: String::new(),
        };
        let coverage = Coverage::of(&catalogue, &[], Some(&[defect]), &["B-1".to_owned()]);
        let holes: Vec<_> = coverage.requirements.iter().map(|covered| covered.holes.clone()).collect();
        assert_eq!(holes, [vec![Hole::Case], vec![Hole::Case], vec![Hole::Case, Hole::Defect]]);
        assert_eq!(coverage.exit(), exit::NON_CONFORMANT);
        let text = coverage.text();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            rows.get(1..3),
            Some(&[vec!["A", "2", "0", "0/1", "0", "1"], vec!["B", "1", "0", "0/1", "0", "0"]][..])
        );
        assert!(text.contains("3 requirements have a hole"), "{text}");
        assert!(text.ends_with("B-1      no case, no defect       what B-1 says"), "{text}");
    }

    #[test]
    fn a_proof_that_is_gone_is_told_though_others_are_left() {
        let shift = Shift {
            requirement: "A-1".to_owned(),
            scenario: "one".to_owned(),
            recorded: 2,
            present: 0,
            scenarios: 3,
        };
        let excused =
            RequirementInfo { unproved: Some("nobody can".to_owned()), ..requirement("A-1", Level::Should) };
        let coverage = Coverage::of(&[excused], &[], None, &[]);
        let coverage = coverage.with_shifts(vec![shift]);
        assert_eq!(coverage.exit(), exit::NON_CONFORMANT);
        let text = coverage.text();
        assert!(text.ends_with("  A-1      is no longer proved by one; 3 scenarios prove it"), "{text}");
    }

    #[test]
    fn a_requirement_is_proved_or_the_catalogue_tells_why_not_and_never_both() {
        let suite = Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")).unwrap();
        let proved = |id: &str| RequirementInfo {
            unproved: Some("the drills prove it".to_owned()),
            ..requirement(id, Level::Must)
        };
        let coverage = Coverage::of(&[proved("X-1")], suite.cases(), None, &[]);
        assert_eq!(coverage.exit(), exit::CONFORMANT);
        let text = coverage.text();
        assert!(text.contains("1 requirement is not proved by a scenario, for a reason\n"), "{text}");
        assert!(text.contains("  X-1      MUST   the drills prove it\n"), "{text}");
        assert!(text.ends_with("every other requirement is proved"), "{text}");
        let both = Coverage::of(&[proved("TTL-04")], suite.cases(), None, &[]);
        assert_eq!(both.requirements[0].holes, [Hole::Excuse]);
        assert_eq!(both.exit(), exit::NON_CONFORMANT);
    }

    #[rstest::rstest]
    #[case("../scenarios")]
    #[case("../scenarios/kubernetes-jobs")]
    fn the_suites_prove_every_requirement_or_tell_why_not(#[case] folder: &str) {
        let suite = Suite::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        let coverage = Coverage::of(suite.requirements(), suite.cases(), None, &[]);
        assert_eq!(coverage.exit(), exit::CONFORMANT, "{}", coverage.text());
    }
}
