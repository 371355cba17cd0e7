//! What is said about a new version of a chart: text for people, Markdown for a review, JSON for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::gate::finding::Severity;
use crate::gate::judgement::{Judged, Judgement, Verdict};

/// What changed from one chart, or one set of CRDs, to another.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Differences {
    /// What was compared, as it was named.
    pub from: String,
    /// With what.
    pub to: String,
    /// What changed, the worst first.
    pub findings: Vec<Judged>,
}

/// In which form something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people at a terminal.
    Text,
    /// For programs.
    Json,
    /// For a review.
    Markdown,
}

impl Differences {
    /// Whether one of them is breaking.
    pub fn is_breaking(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Breaking)
    }

    /// The differences in a form.
    pub fn render(&self, form: Form) -> Result<String, serde_json::Error> {
        let title = format!("{} → {}", self.from, self.to);
        Ok(match form {
            Form::Json => serde_json::to_string_pretty(self)?,
            Form::Text => format!("{title}\n\n{}{}", text(&self.findings), counts(&self.findings)),
            Form::Markdown => {
                format!("## {}\n\n{}{}\n", cell(&title), table(&self.findings), counts(&self.findings))
            }
        })
    }
}

impl Judgement {
    /// The judgement in a form.
    pub fn render(&self, form: Form) -> Result<String, serde_json::Error> {
        Ok(match form {
            Form::Json => serde_json::to_string_pretty(self)?,
            Form::Text => format!("{}{}", text(&self.findings), self.verdict_text()),
            Form::Markdown => self.markdown(),
        })
    }

    /// The verdict in one line, and a line for each thing to know.
    pub fn verdict_text(&self) -> String {
        let mut lines = vec![self.verdict_line()];
        lines.extend(self.facts());
        lines.extend(self.doubts());
        lines.join("\n")
    }

    /// The verdict in one line, and a line for each thing that is not known.
    pub(super) fn verdict_and_doubts(&self) -> String {
        std::iter::once(self.verdict_line()).chain(self.doubts()).collect::<Vec<_>>().join("\n")
    }

    /// The step of the version, and what was looked at.
    pub(super) fn facts(&self) -> Vec<String> {
        std::iter::once(self.step_text()).chain(self.notes.iter().cloned()).collect()
    }

    fn verdict_line(&self) -> String {
        format!("{}: {}", self.verdict_words(), counts(&self.findings))
    }

    fn doubts(&self) -> impl Iterator<Item = String> {
        self.open.iter().map(|open| format!("not known: {open}"))
    }

    fn verdict_words(&self) -> &'static str {
        match self.verdict {
            Verdict::Accepted => "accepted",
            Verdict::Refused => "REFUSED",
            Verdict::Inconclusive => "INCONCLUSIVE",
        }
    }

    fn step_text(&self) -> String {
        use crate::gate::Step;
        let (from, to) = (&self.from.version, &self.to.version);
        match (self.due, self.made) {
            (Step::None, _) => format!("version {from} → {to}: no step is due"),
            (due, true) => format!("version {from} → {to}: a {due} step is due, and Chart.yaml makes it"),
            (due, false) => {
                format!(
                    "version {from} → {to}: a {due} step is due ({}), and Chart.yaml does not make it",
                    self.least
                )
            }
        }
    }

    fn markdown(&self) -> String {
        let mut text = format!("## Chart gate: {}\n\n", self.verdict_words());
        let _infallible = writeln!(text, "`{}` → `{}`\n", self.from.source, self.to.source);
        text.push_str(&table(&self.findings));
        for line in self.verdict_text().lines() {
            let _infallible = writeln!(text, "- {}", cell(line));
        }
        text
    }
}

fn text(findings: &[Judged]) -> String {
    let mut text = String::new();
    for finding in findings {
        let Judged { id, severity, place, subject, what, advice, .. } = finding;
        let mark = marks(finding).join(", ");
        let mark = if mark.is_empty() { mark } else { format!(" ({mark})") };
        let _infallible = writeln!(text, "{severity:8} {id}{mark}  {place}");
        let about = if place == subject { String::new() } else { format!("{subject}: ") };
        let _infallible = writeln!(text, "         {about}{what}");
        if severity != &Severity::Harmless {
            let _infallible = writeln!(text, "         {advice}");
        }
        if let Some(values) = values(finding) {
            let _infallible = writeln!(text, "         with {values}");
        }
    }
    if !findings.is_empty() {
        text.push('\n');
    }
    text
}

/// What was decided, in words.
fn marks(finding: &Judged) -> Vec<&'static str> {
    let marks = [
        (finding.refused, "refused"),
        (finding.accepted, "accepted by --accept"),
        (finding.announced, "in the changelog"),
    ];
    marks.into_iter().filter(|(holds, _)| *holds).map(|(_, words)| words).collect()
}

/// The sets of values with which it shows; of many the first.
fn values(finding: &Judged) -> Option<String> {
    const SHOWN: usize = 3;
    let shown = finding.values.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match finding.values.len() {
        0 => None,
        number if number > SHOWN => Some(format!("{shown} and {} more", number - SHOWN)),
        _ => Some(shown),
    }
}

fn table(findings: &[Judged]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let mut text = "| | Finding | Place | What changed | What to do |\n|---|---|---|---|---|\n".to_owned();
    for finding in findings {
        let mark = marks(finding).join(", ");
        let mark = if mark.is_empty() {
            finding.severity.to_string()
        } else {
            format!("{}, {mark}", finding.severity)
        };
        let _infallible = writeln!(
            text,
            "| {mark} | `{}` | {} | {}: {} | {} |",
            finding.id,
            cell(&finding.place),
            cell(&finding.subject),
            cell(&finding.what),
            cell(finding.advice)
        );
    }
    text.push('\n');
    text
}

/// A text that cannot leave its cell.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

/// `2 breaking, 1 notice, 0 harmless`.
pub(super) fn counts(findings: &[Judged]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let [breaking, notice, harmless] = [Severity::Breaking, Severity::Notice, Severity::Harmless].map(count);
    format!("{breaking} breaking, {}, {harmless} harmless", crate::count::count(notice, "notice"))
}

/// The words that stand beside a finding's severity; for the page.
pub(super) fn decision(finding: &Judged) -> String {
    marks(finding).join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::gate::chart::Chart;
    use crate::gate::judgement::Evidence;
    use crate::gate::{Finding, rules};

    pub(in crate::report) fn judgement() -> Judgement {
        let chart = |version: &str| {
            let text = format!("version: {version}\n");
            Chart::read("c", &BTreeMap::from([("Chart.yaml".to_owned(), text.into())])).expect("reads")
        };
        let mut env =
            Finding::new(rules::ENV_DROPPED, "Deployment a container c", "c A", "`A` is not set any more");
        env.renderings = ["a", "b", "c", "d"].map(str::to_owned).into();
        let findings = vec![
            env,
            Finding::new(rules::VALUES_KEY_ADDED, "c/values.yaml:3", "a|b", "</script><b>it is new"),
        ];
        let evidence = Evidence {
            findings,
            notes: vec!["looked at 4 sets of values".to_owned()],
            ..Evidence::default()
        };
        Judgement::new(("c.tgz", &chart("0.1.0")), ("c", &chart("0.1.1")), evidence)
    }

    #[test]
    fn the_text_tells_place_reason_and_way_out() {
        insta::assert_snapshot!(judgement().render(Form::Text).expect("renders"), @r"
        breaking CHART-VERSION-STEP-TOO-SMALL (refused)  c/Chart.yaml:1
                 version: 0.1.0 became 0.1.1, but 0.2.0 is due
                 Raise `version` in Chart.yaml by the step that is due.
        breaking ENV-DROPPED (refused)  Deployment a container c
                 c A: `A` is not set any more
                 Keep setting the variable, or tell its name in `artifacthub.io/changes`.
                 with a, b, c and 1 more
        harmless VALUES-KEY-ADDED  c/values.yaml:3
                 a|b: </script><b>it is new

        REFUSED: 2 breaking, 0 notices, 1 harmless
        version 0.1.0 → 0.1.1: a major step is due (0.2.0), and Chart.yaml does not make it
        looked at 4 sets of values
        ");
    }

    #[test]
    fn no_text_leaves_its_cell() {
        let text = judgement().render(Form::Markdown).expect("renders");
        assert!(text.contains(r"a\|b: &lt;/script>"), "{text}");
        let columns = text
            .lines()
            .filter(|line| line.starts_with("| "))
            .map(|line| line.replace(r"\|", "").matches('|').count());
        assert!(columns.eq([6, 6, 6, 6]), "{text}");
    }

    #[test]
    fn programs_find_what_was_decided() {
        let json: serde_json::Value =
            serde_json::from_str(&judgement().render(Form::Json).expect("renders")).expect("JSON");
        assert_eq!(json["verdict"], "refused");
        assert_eq!(json["due"], "major");
        assert_eq!(json["least"], "0.2.0");
        assert_eq!(json["findings"][1]["id"], "ENV-DROPPED");
        assert_eq!(json["findings"][1]["refused"], true);
        assert_eq!(json["findings"][2]["severity"], "harmless");
    }
}
