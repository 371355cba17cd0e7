//! From findings to a verdict.

use std::str::FromStr;

use semver::Version;
use serde::Serialize;

use super::announce::Changelog;
use super::chart::Chart;
use super::finding::{Finding, Severity, Step, tidy};
use super::rules::{self, Class};
use super::version;
use crate::exit;

/// A finding that somebody answers for: an id, and a subject if it is not for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    id: String,
    subject: Option<String>,
}

impl FromStr for Acceptance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, subject) = match text.split_once('=') {
            Some((id, subject)) => (id, Some(subject.to_owned())),
            None => (text, None),
        };
        if rules::ALL.iter().any(|rule| rule.id == id) {
            Ok(Self { id: id.to_owned(), subject })
        } else {
            Err(format!("no finding has the id `{id}`; harness/docs/gate.md lists them"))
        }
    }
}

impl Acceptance {
    fn is_for(&self, finding: &Finding) -> bool {
        self.id == finding.rule.id && self.subject.as_ref().is_none_or(|subject| *subject == finding.subject)
    }
}

/// A finding and what was decided about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// Its stable id.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// `file:line`, or the path of an object.
    pub place: String,
    /// What it is about.
    pub subject: String,
    /// What changed.
    pub what: String,
    /// What to do about it.
    pub advice: &'static str,
    /// Whether the changelog tells it.
    pub announced: bool,
    /// Whether somebody answers for it (`--accept`).
    pub accepted: bool,
    /// Whether it keeps the new version out.
    pub refused: bool,
    /// The sets of values with which it shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// As it was named.
    pub source: String,
    /// Its version.
    pub version: String,
}

/// The verdict of a whole gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Nothing keeps the new version out.
    Accepted,
    /// Something does.
    Refused,
    /// Nothing does as far as it is known, but not everything is known.
    Inconclusive,
}

/// What the gate says about a new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The last version.
    pub from: Side,
    /// The new one.
    pub to: Side,
    /// The step that is due.
    pub due: Step,
    /// The least version that makes it; empty where the last version is none.
    pub least: String,
    /// Whether the new version makes the step.
    pub made: bool,
    /// What was looked at, what was not, and why.
    pub notes: Vec<String>,
    /// What could not be found out.
    pub open: Vec<String>,
    /// The findings, the worst first.
    pub findings: Vec<Judged>,
}

/// What is known beside the two charts.
#[derive(Debug, Default)]
pub struct Evidence {
    /// Every finding but those about the version number.
    pub findings: Vec<Finding>,
    /// What somebody answers for.
    pub accept: Vec<Acceptance>,
    /// What was looked at, what was not, and why.
    pub notes: Vec<String>,
    /// What could not be found out.
    pub open: Vec<String>,
}

impl Judgement {
    /// Judges a new version; `from` and `to` are how the charts were named.
    pub fn new(old: (&str, &Chart), new: (&str, &Chart), evidence: Evidence) -> Self {
        let Evidence { mut findings, accept, notes, open } = evidence;
        let (before, after) = (old.1, new.1);
        let due = findings.iter().map(|finding| finding.rule.step()).max().unwrap_or(Step::None);
        let wrong = version::judge(before, after, due);
        let made = wrong.is_none();
        findings.extend(wrong);
        let changelog = Changelog::new(before, after);
        let findings: Vec<Judged> =
            tidy(findings).into_iter().map(|finding| judged(finding, &changelog, &accept)).collect();
        let verdict = if findings.iter().any(|finding| finding.refused) {
            Verdict::Refused
        } else if open.is_empty() {
            Verdict::Accepted
        } else {
            Verdict::Inconclusive
        };
        let least = Version::parse(before.text("version")).map(|from| version::next(&from, due).to_string());
        let side = |(source, chart): (&str, &Chart)| Side {
            source: source.to_owned(),
            version: chart.text("version").to_owned(),
        };
        let least = least.unwrap_or_default();
        Self { verdict, from: side(old), to: side(new), due, least, made, notes, open, findings }
    }

    /// Exit code of the command.
    pub fn exit(&self) -> u8 {
        match self.verdict {
            Verdict::Accepted => exit::CONFORMANT,
            Verdict::Refused => exit::NON_CONFORMANT,
            Verdict::Inconclusive => exit::INCONCLUSIVE,
        }
    }
}

/// The findings of a comparison that judges no version, so that nothing is refused.
pub fn unjudged(old: &Chart, new: &Chart, findings: Vec<Finding>) -> Vec<Judged> {
    let changelog = Changelog::new(old, new);
    let told = |finding| Judged { refused: false, ..judged(finding, &changelog, &[]) };
    findings.into_iter().map(told).collect()
}

fn judged(finding: Finding, changelog: &Changelog, accept: &[Acceptance]) -> Judged {
    let announced = changelog.tells(&finding);
    let accepted = accept.iter().any(|acceptance| acceptance.is_for(&finding));
    let refused = match finding.rule.class {
        Class::Refused | Class::Failed => true,
        Class::Announced | Class::Noticed => !announced,
        Class::Told | Class::Added | Class::Harmless => false,
    };
    Judged {
        id: finding.rule.id,
        severity: finding.rule.severity(),
        place: finding.place,
        subject: finding.subject,
        what: finding.what,
        advice: finding.rule.advice,
        announced,
        accepted,
        refused: refused && !accepted,
        values: finding.renderings.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    fn chart(version: &str, changes: &str) -> Chart {
        let text = format!("version: {version}\nannotations: {{artifacthub.io/changes: '{changes}'}}\n");
        Chart::read("c", &BTreeMap::from([("Chart.yaml".to_owned(), text.into())])).expect("reads")
    }

    fn removed_key() -> Finding {
        Finding::new(rules::VALUES_KEY_REMOVED, "values.yaml:1", "a.b", "it is gone")
    }

    fn removed_field() -> Finding {
        Finding::new(rules::CRD_FIELD_REMOVED, "crds/a.yaml:1", "runs.x v1 spec.a", "it is gone")
    }

    #[rstest]
    #[case::nothing("1.0.0", "", vec![], &[], Verdict::Accepted)]
    #[case::not_told("2.0.0", "", vec![removed_key()], &[], Verdict::Refused)]
    #[case::told("2.0.0", "- a.b is gone", vec![removed_key()], &[], Verdict::Accepted)]
    #[case::told_but_not_bumped_enough("1.1.0", "- a.b is gone", vec![removed_key()], &[], Verdict::Refused)]
    #[case::a_field_whatever_is_told("2.0.0", "- runs.x v1 spec.a", vec![removed_field()], &[], Verdict::Refused)]
    #[case::a_field_answered_for("2.0.0", "", vec![removed_field()], &["CRD-FIELD-REMOVED"], Verdict::Accepted)]
    #[case::another_field_answered_for("2.0.0", "", vec![removed_field()], &["CRD-FIELD-REMOVED=b"], Verdict::Refused)]
    fn what_is_refused(
        #[case] version: &str,
        #[case] changes: &str,
        #[case] findings: Vec<Finding>,
        #[case] accept: &[&str],
        #[case] verdict: Verdict,
    ) {
        let accept = accept.iter().map(|text| text.parse().expect("an id")).collect();
        let evidence = Evidence { findings, accept, ..Evidence::default() };
        let judgement =
            Judgement::new(("old", &chart("1.0.0", "")), ("new", &chart(version, changes)), evidence);
        assert_eq!(judgement.verdict, verdict, "{judgement:?}");
    }

    #[test]
    fn what_is_not_known_hides_no_refusal_and_is_no_success() {
        let judge = |findings| {
            let evidence = Evidence { findings, open: vec!["no cluster".to_owned()], ..Evidence::default() };
            Judgement::new(("old", &chart("1.0.0", "")), ("new", &chart("1.0.0", "")), evidence).exit()
        };
        assert_eq!(judge(vec![]), exit::INCONCLUSIVE);
        assert_eq!(judge(vec![removed_field()]), exit::NON_CONFORMANT);
    }

    #[test]
    fn an_unknown_id_cannot_be_accepted() {
        assert!("CRD-FIELD-REMOVD".parse::<Acceptance>().is_err());
    }
}
