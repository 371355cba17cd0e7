//! `compare.html`: both verdicts of every case, where its histories part, and both on one axis.

use serde::Serialize;

use super::comparison::{ComparedCase, ComparedRequirement, Comparison, Likeness};
use super::error::ReportError;
use super::{html, matrix};
use crate::check::{Chance, Divergence, Moment};

const PAGE: &str = include_str!("html/compare.html");
const SCRIPT: &str = include_str!("html/compare.js");

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    verdict: String,
    class: &'static str,
    parties: [Shown<'a>; 2],
    requirements: Vec<Requirement<'a>>,
    cases: Vec<Case<'a>>,
}

/// One of the two.
#[derive(Serialize)]
struct Shown<'a> {
    title: String,
    source: &'a str,
    suite: &'a str,
}

#[derive(Serialize)]
struct Requirement<'a> {
    id: &'a str,
    level: &'static str,
    statement: &'a str,
    verdicts: [&'static str; 2],
}

#[derive(Serialize)]
struct Case<'a> {
    name: &'a str,
    summary: &'a str,
    requirements: &'a [String],
    outcome: &'static str,
    class: &'static str,
    verdicts: [&'static str; 2],
    reasons: [&'a str; 2],
    places: Vec<Place<'a>>,
    timelines: [&'a [Moment]; 2],
}

/// A place where histories part.
#[derive(Serialize)]
struct Place<'a> {
    object: &'a str,
    /// What of it.
    what: String,
    values: [String; 2],
    /// Why it may say nothing; empty if it says something.
    chance: &'static str,
}

impl Comparison {
    /// The page for a browser.
    pub fn page(&self) -> Result<String, ReportError> {
        let data = Data {
            verdict: self.verdict(),
            class: matrix::class(self.exit()),
            parties: [&self.a, &self.b].map(|it| Shown {
                title: it.title(),
                source: &it.source,
                suite: &it.suite_digest,
            }),
            requirements: self.requirements.iter().map(requirement).collect(),
            cases: self.cases.iter().map(case).collect(),
        };
        html::fill(PAGE, "Comparison", &format!("{}\n{SCRIPT}", html::TIMELINE), &data)
    }
}

fn requirement(compared: &ComparedRequirement) -> Requirement<'_> {
    let ComparedRequirement { id, level, statement, a, b } = compared;
    Requirement { id, level: level.word(), statement, verdicts: [a.text(), b.text()] }
}

fn case(compared: &ComparedCase) -> Case<'_> {
    let ComparedCase { a, b, likeness, .. } = compared;
    let class = match likeness {
        Likeness::Same => "passed",
        Likeness::Verdict | Likeness::History => "failed",
        Likeness::Unknown { .. } => "inconclusive",
    };
    Case {
        name: &compared.name,
        summary: &compared.summary,
        requirements: &compared.requirements,
        outcome: likeness.text(),
        class,
        verdicts: [a.verdict.text(), b.verdict.text()],
        reasons: [&a.reason, &b.reason],
        places: compared.divergences.iter().map(place).collect(),
        timelines: [&a.timeline, &b.timeline],
    }
}

fn place(divergence: &Divergence) -> Place<'_> {
    Place {
        object: &divergence.object,
        what: divergence.place.words().to_owned(),
        values: [divergence.a.words(), divergence.b.words()],
        chance: divergence.chance.map_or("", Chance::words),
    }
}
