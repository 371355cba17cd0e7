//! The report for a browser: one file that needs no network.
//!
//! The page carries its data as JSON; `html/script.js` shows them. What it holds is what the conformance
//! report and the record hold: the data first, then the looks.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::aggregate::{Aggregate, Outcome};
use super::conformance::Document;
use super::drilled::Drilled;
use super::error::ReportError;
use super::proved::Proved;
use crate::check::{Failure, Moment};

/// What all pages have around their own elements.
const DOCUMENT: &str = include_str!("html/document.html");
const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/style.css");
const COMMON: &str = include_str!("html/common.js");
/// Histories on one axis, for the pages that have some.
pub(super) const TIMELINE: &str = include_str!("html/timeline.js");
const SCRIPT: &str = include_str!("html/script.js");

#[derive(Serialize)]
struct Data<'a> {
    report: Document<'a>,
    /// Absent where nothing was proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    proved: Option<&'a Proved>,
    /// The texts of golden files, by name: each is there once, however many cases compare with it.
    goldens: Option<&'a BTreeMap<String, String>>,
    /// Absent where no recovery was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    drilled: Option<&'a Drilled>,
    /// By case.
    details: BTreeMap<String, Details<'a>>,
}

#[derive(Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a Failure>,
    /// Golden files with which it compares whole objects.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    goldens: &'a [String],
    namespace: &'a str,
    timeline: &'a [Moment],
}

/// The page, dated `now`.
pub(super) fn render(run: &Aggregate, now: Timestamp) -> Result<String, ReportError> {
    let details = run.cases().map(|case| {
        let failure = match case.outcome {
            Outcome::Failed(failure) => Some(failure),
            _ => None,
        };
        let (goldens, namespace, timeline) = (case.info.goldens.as_slice(), case.namespace, case.timeline);
        (case.info.id.to_string(), Details { failure, goldens, namespace, timeline })
    });
    let data = Data {
        report: Document::new(run, now),
        proved: run.beside().proved.as_ref(),
        goldens: run.info().map(|info| &info.goldens),
        drilled: run.beside().drilled.as_ref(),
        details: details.collect(),
    };
    let title = run.info().map_or("hallmark", |info| &info.implementation.name);
    fill(PAGE, &format!("{title}: conformance"), &format!("{TIMELINE}\n{SCRIPT}"), &data)
}

/// Puts its parts into a page; all pages look alike.
pub(super) fn fill(
    page: &str,
    title: &str,
    script: &str,
    data: &impl Serialize,
) -> Result<String, ReportError> {
    // Inside an element a text that looks like its end would end it; JSON has another way to write `<`.
    let data = serde_json::to_string(data)?.replace('<', "\\u003c");
    Ok(DOCUMENT
        .replace("{{page}}", page)
        .replace("{{title}}", &escape(title))
        .replace("{{style}}", STYLE)
        .replace("{{common}}", COMMON)
        .replace("{{script}}", script)
        // Last, so that nothing in the data is taken for a place of the page.
        .replace("{{data}}", &data))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::report::fixture::{Run, failed, passed, skipped};

    fn data(page: &str) -> serde_json::Value {
        let (_, rest) = page.split_once(r#"<script id="data" type="application/json">"#).expect("data");
        let (data, _) = rest.split_once("</script>").expect("their end");
        serde_json::from_str(data).expect("JSON")
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = render(&Run::of([passed()]).aggregate(), jiff::Timestamp::UNIX_EPOCH).expect("renders");
        let (markup, _) = page.split_once(r#"<script id="data""#).expect("data");
        for word in ["http:", "https:", "@import", "url(", "src="] {
            assert!(!markup.contains(word), "{word}");
        }
        assert!(!page.contains("{{"), "every place is filled");
    }

    #[test]
    fn every_case_has_its_details() {
        let run = Run::of([passed(), failed(), skipped()]).aggregate();
        let data = data(&render(&run, jiff::Timestamp::UNIX_EPOCH).expect("renders"));
        assert_eq!(data["report"]["statistics"]["planned"], 3);
        assert_eq!(data["details"].as_object().expect("a map").len(), 3);
        assert!(data["details"]["case-2"]["failure"]["claim"].is_string());
        assert!(data["details"]["case-1"]["failure"].is_null());
    }

    #[test]
    fn a_golden_file_is_there_once_for_all_cases_that_compare_with_it() {
        let page = render(&Run::of([passed(), failed(), passed()]).aggregate(), jiff::Timestamp::UNIX_EPOCH);
        let data = data(&page.expect("renders"));
        assert_eq!(data["goldens"], serde_json::json!({"expected/plain.job.yaml": "kind: Job\n"}));
        for case in ["case-1", "case-2", "case-3"] {
            assert_eq!(data["details"][case]["goldens"], serde_json::json!(["expected/plain.job.yaml"]));
        }
    }

    #[test]
    fn no_text_of_a_run_can_leave_its_place() {
        let mut run = Run::of([passed()]).aggregate();
        let message = "</script><script>alert(1)</script>{{style}}".to_owned();
        run.apply(&crate::event::Event::Note { message: message.clone() });
        let page = render(&run, jiff::Timestamp::UNIX_EPOCH).expect("renders");
        assert!(!page.contains("<script>alert"));
        assert_eq!(data(&page)["report"]["notes"][0], message);
    }
}
