//! Where a report and a record say different things.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::report::Statement;

/// Said by nobody.
const NOTHING: &str = "not mentioned";

/// A name and what is said about it.
type Verdict<'a> = (&'a str, &'a str);

/// Something about which report and record differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disagreement {
    /// What it is about: `case ttl/plain`, `requirement TTL-01`, `the verdict`.
    pub about: String,
    /// What the report says.
    pub reported: String,
    /// What the record says.
    pub judged: String,
    /// Why the record says that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { about, reported, judged, reason } = self;
        write!(f, "{about}: {reported} in the report, {judged} by the record")?;
        reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

impl Disagreement {
    pub(super) fn new(about: impl Into<String>, reported: &str, judged: &str) -> Self {
        Self { about: about.into(), reported: reported.to_owned(), judged: judged.to_owned(), reason: None }
    }
}

/// Everything about which they differ: the cases first, then what follows from them.
pub(super) fn compare(report: &Statement, judged: &Statement) -> Vec<Disagreement> {
    let mut found = pairs("case ", &cases(report), &cases(judged));
    for disagreement in &mut found {
        let name = disagreement.about.trim_start_matches("case ");
        let case = judged.cases.iter().find(|case| case.name == name);
        disagreement.reason = case.and_then(|case| case.reason.clone());
    }
    found.extend(pairs("requirement ", &requirements(report), &requirements(judged)));
    found.extend(pairs("profile ", &profiles(report), &profiles(judged)));
    if report.result != judged.result {
        found.push(Disagreement::new("the verdict", &report.result, &judged.result));
    }
    if report.interrupted != judged.interrupted {
        let word =
            |statement: &Statement| if statement.interrupted { "interrupted" } else { "came to its end" };
        found.push(Disagreement::new("the run", word(report), word(judged)));
    }
    found.extend(values("the number of cases", &report.statistics, &judged.statistics));
    found.extend(values("what was tested", &report.run, &judged.run));
    found
}

fn cases(statement: &Statement) -> Vec<Verdict<'_>> {
    statement.cases.iter().map(|case| (case.name.as_str(), case.verdict.as_str())).collect()
}

fn requirements(statement: &Statement) -> Vec<Verdict<'_>> {
    statement.requirements.iter().map(|one| (one.id.as_str(), one.verdict.as_str())).collect()
}

fn profiles(statement: &Statement) -> Vec<Verdict<'_>> {
    statement.profiles.iter().map(|one| (one.name.as_str(), one.verdict.as_str())).collect()
}

/// Compares two lists of names and verdicts; a name that stands there twice is none of the other list.
fn pairs(what: &str, report: &[Verdict<'_>], judged: &[Verdict<'_>]) -> Vec<Disagreement> {
    let mut rest = judged.to_vec();
    let mut found = Vec::new();
    for &(name, verdict) in report {
        let position = rest.iter().position(|(other, _)| *other == name);
        let other = position.map_or(NOTHING, |position| rest.remove(position).1);
        if other != verdict {
            found.push(Disagreement::new(format!("{what}{name}"), verdict, other));
        }
    }
    found.extend(
        rest.iter().map(|(name, verdict)| Disagreement::new(format!("{what}{name}"), NOTHING, verdict)),
    );
    found
}

/// Compares field by field, so that what is told stays short.
fn values(about: &str, report: &Value, judged: &Value) -> Vec<Disagreement> {
    if report == judged {
        return Vec::new();
    }
    let (Value::Object(reported), Value::Object(other)) = (report, judged) else {
        return vec![Disagreement::new(about, &report.to_string(), &judged.to_string())];
    };
    let added = other.keys().filter(|key| !reported.contains_key(*key));
    reported
        .keys()
        .chain(added)
        .flat_map(|key| {
            let field = |value: &Value| value.get(key).cloned().unwrap_or_default();
            values(&format!("{about}, {key}"), &field(report), &field(judged))
        })
        .collect()
}
