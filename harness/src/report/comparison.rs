//! What is said about two runs of the same scenarios: verdicts side by side, and where histories part.

use std::sync::Arc;

use serde::Serialize;

use crate::check::{Divergence, History, Moment, Rules, timeline};
use crate::event::{CaseInfo, ImplementationInfo, Level};
use crate::exit;
use crate::record::{End, Entry, Observation, Recording};

/// How many divergences of a case are told in the terminal; the files hold all.
const TOLD: usize = 3;

/// Two runs side by side, as `compare.json` holds them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The one.
    pub a: Party,
    /// The other.
    pub b: Party,
    /// The requirements that a compared case names.
    pub requirements: Vec<ComparedRequirement>,
    /// The cases, in the order of A.
    pub cases: Vec<ComparedCase>,
}

/// One of the two.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Party {
    /// The implementation.
    pub implementation: ImplementationInfo,
    /// The defect that it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub defect: Option<String>,
    /// The file that stands for it on the command line: its implementation file, or a record.
    pub source: String,
    /// Digest of the suite that it was run with.
    pub suite_digest: String,
}

/// A requirement and what both runs say about it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComparedRequirement {
    /// Its id.
    pub id: String,
    /// How binding it is.
    pub level: Level,
    /// What it says.
    pub statement: String,
    /// What the one run says.
    pub a: Word,
    /// And the other.
    pub b: Word,
}

/// A verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Word {
    /// It was not run.
    NotRun,
    /// Every claim held.
    Passed,
    /// Nothing is known.
    Inconclusive,
    /// A claim did not hold.
    Failed,
}

/// A case and what became of it in both runs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComparedCase {
    /// Its id.
    pub name: String,
    /// What it claims.
    pub summary: String,
    /// The requirements that it proves.
    pub requirements: Vec<String>,
    /// What that says.
    pub likeness: Likeness,
    /// What became of it in the one run.
    pub a: Ended,
    /// And in the other.
    pub b: Ended,
    /// Where the histories part, the first place first.
    pub divergences: Vec<Divergence>,
}

/// How alike the two runs of a case are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Likeness {
    /// The same verdict and the same history.
    Same,
    /// Another verdict.
    Verdict,
    /// The same verdict, but another history.
    History,
    /// At least one of them says nothing.
    Unknown {
        /// Why.
        reason: String,
    },
}

/// The end of a case in one of the runs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// The verdict.
    pub verdict: Word,
    /// Which claim did not hold and why, or why nothing is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What happened when, for the page.
    #[serde(skip)]
    pub timeline: Vec<Moment>,
}

impl Word {
    /// The word for it in reports.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotRun => "not run",
            Self::Passed => "passed",
            Self::Inconclusive => "inconclusive",
            Self::Failed => "failed",
        }
    }
}

impl Likeness {
    /// The word for it in reports.
    pub fn text(&self) -> &'static str {
        match self {
            Self::Same => "no difference",
            Self::Verdict => "OTHER VERDICT",
            Self::History => "OTHER HISTORY",
            Self::Unknown { .. } => "unknown",
        }
    }
}

impl Party {
    /// Who was run, by its record.
    pub fn of(recording: &Recording, source: String, defect: Option<String>) -> Self {
        let run = &recording.run;
        let (implementation, suite_digest) = (run.implementation.clone(), run.suite_digest.clone());
        Self { implementation, defect, source, suite_digest }
    }

    /// Name, version and defect.
    pub fn title(&self) -> String {
        let ImplementationInfo { name, version, .. } = &self.implementation;
        match &self.defect {
            Some(defect) => format!("{name} {version} with the defect {defect}"),
            None => format!("{name} {version}"),
        }
    }
}

impl Comparison {
    /// Compares the wanted cases of two records; those that neither of them ran are left out.
    pub fn of(
        (a, one): (&Recording, Party),
        (b, other): (&Recording, Party),
        wanted: impl Fn(&CaseInfo) -> bool,
        rules: &Rules,
    ) -> Self {
        let is_new = |info: &&CaseInfo| a.run.cases.iter().all(|known| known.id != info.id);
        let infos = a.run.cases.iter().chain(b.run.cases.iter().filter(is_new));
        let mut compared = Vec::new();
        for info in infos.filter(|info| wanted(info)) {
            let name = info.id.to_string();
            let history = |recording: &'_ Recording| recording.cases.get(&name).cloned();
            let (one, other) = (history(a), history(b));
            if one.is_some() || other.is_some() {
                compared.push(ComparedCase::of(info, one.as_deref(), other.as_deref(), rules));
            }
        }
        let requirements = requirements(a, &compared);
        Self { a: one, b: other, requirements, cases: compared }
    }

    /// Exit code of the command.
    pub fn exit(&self) -> u8 {
        let any = |is: fn(&Likeness) -> bool| self.cases.iter().any(|case| is(&case.likeness));
        if any(|likeness| matches!(likeness, Likeness::Verdict | Likeness::History)) {
            exit::NON_CONFORMANT
        } else if any(|likeness| matches!(likeness, Likeness::Unknown { .. })) {
            exit::INCONCLUSIVE
        } else if self.cases.is_empty() {
            exit::NOTHING_RUN
        } else {
            exit::CONFORMANT
        }
    }

    /// The verdict in one line.
    pub fn verdict(&self) -> String {
        let count = |is: fn(&Likeness) -> bool| self.cases.iter().filter(|case| is(&case.likeness)).count();
        let parts: Vec<String> = [
            (count(|likeness| *likeness == Likeness::Verdict), "with another verdict"),
            (count(|likeness| *likeness == Likeness::History), "with the same verdict and another history"),
            (count(|likeness| matches!(likeness, Likeness::Unknown { .. })), "of which nothing is known"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{number} {words}"))
        .collect();
        let all = crate::count::count(self.cases.len(), "case");
        match parts.as_slice() {
            [] if self.cases.is_empty() => "nothing compared: no case was run".to_owned(),
            [] => format!("no difference in {all}"),
            parts => format!("{all} compared: {}", parts.join(", ")),
        }
    }

    /// All that is to be told before the verdict; of cases without a difference only on demand.
    pub fn text(&self, with_same: bool) -> String {
        let mut text =
            format!("A  {} ({})\nB  {} ({})\n", self.a.title(), self.a.source, self.b.title(), self.b.source);
        if self.a.suite_digest != self.b.suite_digest {
            text.push_str("the suites of the two runs differ, so differences may come from there\n");
        }
        let differing: Vec<_> =
            self.requirements.iter().filter(|requirement| requirement.a != requirement.b).collect();
        if !differing.is_empty() {
            text.push_str("\nrequirements with another verdict\n");
        }
        text.extend(differing.into_iter().map(ComparedRequirement::text));
        text.push('\n');
        for case in self.cases.iter().filter(|case| with_same || case.likeness != Likeness::Same) {
            text.push_str(&case.text());
        }
        text
    }
}

impl ComparedRequirement {
    /// The requirement in the terminal.
    fn text(&self) -> String {
        let Self { id, level, statement, a, b } = self;
        format!("  {id}  {}  {} in A, {} in B  {statement}\n", level.word(), a.text(), b.text())
    }
}

impl ComparedCase {
    fn of(info: &CaseInfo, a: Option<&[Arc<Entry>]>, b: Option<&[Arc<Entry>]>, rules: &Rules) -> Self {
        let (one, other) = (Ended::of(a), Ended::of(b));
        let histories = a.zip(b).map(|(a, b)| (History::of(a), History::of(b)));
        let divergences = histories.as_ref().map(|(a, b)| a.divergences(b, rules)).unwrap_or_default();
        let has_gap = histories.is_some_and(|(a, b)| a.has_gap() || b.has_gap());
        let unknown = |reason: String| Likeness::Unknown { reason };
        let said = |side: &str, ended: &Ended| match ended.verdict {
            Word::NotRun => Some(unknown(format!("not run in {side}"))),
            Word::Inconclusive => Some(unknown(format!("inconclusive in {side}: {}", ended.reason))),
            Word::Passed | Word::Failed => None,
        };
        let parts = divergences.iter().any(|divergence| divergence.chance.is_none());
        let likeness = match said("A", &one).or_else(|| said("B", &other)) {
            Some(unknown) => unknown,
            None if one.verdict != other.verdict => Likeness::Verdict,
            None if parts && has_gap => {
                unknown("a watch was interrupted, so that versions may be missing".to_owned())
            }
            None if parts => Likeness::History,
            None => Likeness::Same,
        };
        Self {
            name: info.id.to_string(),
            summary: info.summary.clone(),
            requirements: info.requirements.clone(),
            likeness,
            a: one,
            b: other,
            divergences,
        }
    }

    /// Where the histories part and chance is no reason.
    fn parting(&self) -> impl Iterator<Item = &Divergence> {
        self.divergences.iter().filter(|divergence| divergence.chance.is_none())
    }

    /// The case in the terminal.
    fn text(&self) -> String {
        let mut text = match &self.likeness {
            Likeness::Verdict => {
                format!(
                    "{}  {}: {} in A, {} in B\n",
                    self.likeness.text(),
                    self.name,
                    self.a.verdict.text(),
                    self.b.verdict.text()
                )
            }
            Likeness::Unknown { reason } => format!("{}  {}: {reason}\n", self.likeness.text(), self.name),
            Likeness::Same | Likeness::History => format!("{}  {}\n", self.likeness.text(), self.name),
        };
        let all = self.parting().count();
        text.extend(self.parting().take(TOLD).map(|divergence| format!("  {divergence}\n")));
        if all > TOLD {
            text.extend([format!("  and {} more (compare.html)\n", all - TOLD)]);
        }
        let failed = [("A", &self.a), ("B", &self.b)].into_iter();
        let failed =
            failed.filter(|(_, ended)| self.likeness == Likeness::Verdict && ended.verdict == Word::Failed);
        text.extend(failed.map(|(side, ended)| format!("  failed in {side}: {}\n", ended.reason)));
        text
    }
}

impl Ended {
    fn of(history: Option<&[Arc<Entry>]>) -> Self {
        let Some(history) = history else {
            return Self { verdict: Word::NotRun, reason: String::new(), timeline: Vec::new() };
        };
        let end = history.iter().find_map(|entry| match &entry.observation {
            Observation::CaseFinished { end, .. } => Some(end),
            _ => None,
        });
        let (verdict, reason) = match end {
            Some(End::Passed) => (Word::Passed, String::new()),
            Some(End::Failed { claim, reason, .. }) => (Word::Failed, format!("{claim}: {reason}")),
            Some(End::Inconclusive { reason }) => (Word::Inconclusive, reason.clone()),
            None => (Word::Inconclusive, "the record does not hold the end of the case".to_owned()),
        };
        Self { verdict, reason, timeline: timeline(history) }
    }
}

/// What the compared cases say about each requirement that one of them names; the worst one decides.
fn requirements(recording: &Recording, cases: &[ComparedCase]) -> Vec<ComparedRequirement> {
    let known = recording.run.requirements.iter();
    let compared = known.filter_map(|info| {
        let of: Vec<_> = cases.iter().filter(|case| case.requirements.contains(&info.id)).collect();
        Some(ComparedRequirement {
            id: info.id.clone(),
            level: info.level,
            statement: info.statement.clone(),
            a: of.iter().map(|case| case.a.verdict).max()?,
            b: of.iter().map(|case| case.b.verdict).max()?,
        })
    });
    compared.collect()
}

#[cfg(test)]
mod tests;
