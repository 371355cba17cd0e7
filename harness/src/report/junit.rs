//! The run for CI systems: `JUnit` XML, a suite per area, a test case per case.
//!
//! The failure body holds the whole explanation, not only its first line.

use std::collections::BTreeMap;

use anstream::adapter::strip_str;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::aggregate::{Aggregate, CaseView, Outcome};
use super::error::ReportError;
use super::human::explain;
use super::summary::Conformance;
use crate::event::RunInfo;

/// Columns to which tables in failure bodies are wrapped.
const WIDTH: u16 = 140;

/// The report as XML.
pub(super) fn render(run: &Aggregate) -> Result<String, ReportError> {
    let mut report = Report::new(run.info().map_or("hallmark", |info| info.suite.as_str()));
    report.set_time(run.elapsed());
    let mut areas: BTreeMap<&str, Vec<CaseView<'_>>> = BTreeMap::new();
    for case in run.cases() {
        areas.entry(&case.info.area).or_default().push(case);
    }
    for (area, cases) in areas {
        let mut suite = TestSuite::new(area);
        suite.set_time(cases.iter().map(|case| case.elapsed).sum());
        describe(&mut suite, run.info());
        suite.add_test_cases(cases.into_iter().map(|case| test_case(case, run)));
        report.add_test_suite(suite);
    }
    if let Some(reason) = trouble(run)
        && report.errors == 0
    {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(reason);
        let mut suite = TestSuite::new("run");
        describe(&mut suite, run.info());
        suite.add_test_case(TestCase::new("run", status));
        if !run.notes().is_empty() {
            suite.set_system_err(run.notes().join("\n"));
        }
        report.add_test_suite(suite);
    }
    Ok(report.to_string()?)
}

/// Trouble of the run as a whole. A file without a bad test case is green for CI systems, even an empty
/// one, so it needs a test case of its own.
fn trouble(run: &Aggregate) -> Option<&'static str> {
    match run.summary().conformance {
        Conformance::NothingRun => Some("no case ran"),
        _ if run.cut_short() => Some("the run did not come to its end"),
        _ => None,
    }
}

fn describe(suite: &mut TestSuite, info: Option<&RunInfo>) {
    let Some(info) = info else { return };
    suite.add_properties([
        ("hallmark.version", env!("CARGO_PKG_VERSION")),
        ("run.id", &info.run_id),
        ("implementation.name", &info.implementation.name),
        ("implementation.version", &info.implementation.version),
        ("suite.digest", &info.suite_digest),
        ("chart.digest", &info.chart_digest),
        ("cluster.backend", &info.cluster.backend.to_string()),
        ("cluster.distribution", &info.cluster.distribution),
        ("cluster.kubernetesVersion", &info.cluster.kubernetes_version),
        ("helm.version", &info.helm_version),
    ]);
}

fn test_case(case: CaseView<'_>, run: &Aggregate) -> TestCase {
    let mut properties = vec![Property::new("requirements", case.info.requirements.join(", "))];
    let status = match case.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Skipped(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason);
            status
        }
        Outcome::Inconclusive(reason) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type("inconclusive").set_message(strip_str(reason).to_string());
            status
        }
        Outcome::Failed(failure) => {
            properties.push(Property::new("fingerprint", failure.fingerprint.as_str()));
            if !failure.broken.is_empty() {
                let ids: Vec<&str> = failure.broken.iter().map(|broken| broken.id.as_str()).collect();
                properties.push(Property::new("invariants", ids.join(", ")));
            }
            let catalogue = run.info().map_or(&[][..], |info| &info.requirements);
            let body = strip_str(&explain(case, failure, catalogue, WIDTH)).to_string();
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("failed").set_message(&*failure.claim).set_description(body);
            status
        }
    };
    if !case.namespace.is_empty() {
        properties.push(Property::new("namespace", case.namespace));
    }
    let mut test = TestCase::new(case.info.id.to_string(), status);
    test.set_classname(&*case.info.area).set_time(case.elapsed);
    if !case.info.file.is_empty() {
        test.extra.insert("file".into(), case.info.file.as_str().into());
    }
    test.add_properties(properties);
    test
}

#[cfg(test)]
mod tests {
    use quick_junit::{Report, TestCaseStatus};

    use super::render;
    use crate::check::Broken;
    use crate::event::Verdict;
    use crate::report::fixture::{Run, failed, passed, skipped};

    fn status(run: &Run, name: &str) -> TestCaseStatus {
        let xml = render(&run.aggregate()).expect("renders");
        let report = Report::deserialize_from_str(&xml).expect("valid JUnit");
        let cases = report.test_suites.into_iter().flat_map(|suite| suite.test_cases);
        cases.into_iter().find(|case| case.name.as_str() == name).expect("the case").status
    }

    #[test]
    fn a_failure_carries_claim_paths_diff_source_and_trail() {
        let run = Run::of([passed(), failed()]);
        let TestCaseStatus::NonSuccess { message, description, .. } = status(&run, "case-2") else {
            panic!("not red")
        };
        assert!(message.expect("a message").as_str().starts_with("eventually (5 s) Job of run"));
        let body = description.expect("a body");
        for part in [
            "spec.ttlSecondsAfterFinished",
            "+  ttl: 5",
            "scenarios/ttl.yaml:12:5",
            "red <&>",
            "agents-controller",
        ] {
            assert!(body.as_str().contains(part), "{part} is missing in {}", body.as_str());
        }
    }

    #[test]
    fn a_broken_invariant_is_named_in_property_and_body() {
        let Verdict::Failed(mut failure) = failed() else { panic!("not red") };
        failure.broken.push(Broken {
            id: "IMG-01".to_owned(),
            claim: "IMG-01: never Job".to_owned(),
            object: "Job ns/a".to_owned(),
            nearest: "it was so".to_owned(),
        });
        let run = Run::of([Verdict::Failed(failure)]).aggregate();
        let xml = render(&run).expect("renders");
        assert!(xml.contains(r#"<property name="invariants" value="IMG-01"/>"#), "{xml}");
        for part in ["invariants that are broken, too", "IMG-01: never Job", "Job ns/a: it was so"] {
            assert!(xml.contains(part), "{part} is missing in {xml}");
        }
    }

    #[test]
    fn a_skipped_case_says_why() {
        let TestCaseStatus::Skipped { message, .. } = status(&Run::of([passed(), skipped()]), "case-2")
        else {
            panic!("not skipped")
        };
        assert_eq!(message.expect("a reason").as_str(), "needs a node");
    }
}
