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
    use crate::event::{Event, Verdict};
    use crate::report::fixture::{Run, failed, inconclusive, passed, skipped};

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

    /// An element of `junit-10.xsd`, by which Jenkins' xUnit plugin checks files, also those of Maven Surefire:
    /// its name, the attributes that it must have, those that it may have, and its children.
    type Element = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

    const SCHEMA: [Element; 9] = [
        ("testsuites", &[], &["name", "time", "tests", "failures", "errors"], &["testsuite"]),
        (
            "testsuite",
            &["name", "tests", "failures", "errors"],
            &["group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url"],
            &["testsuite", "properties", "testcase", "system-out", "system-err"],
        ),
        (
            "testcase",
            &["name"],
            &["time", "classname", "group"],
            &["skipped", "error", "failure", "system-out", "system-err"],
        ),
        ("properties", &[], &[], &["property"]),
        ("property", &["name", "value"], &[], &[]),
        ("failure", &[], &["type", "message"], &[]),
        ("error", &[], &["type", "message"], &[]),
        ("skipped", &[], &["type", "message"], &[]),
        ("system-err", &[], &[], &[]),
    ];

    /// What stands there beyond the schema because many others read it: GitLab the file of a case, most the
    /// properties of one, which pytest writes, too, and the number of skipped cases of all suites.
    const BEYOND: [(&str, &str); 3] =
        [("testcase", "file"), ("testcase", "properties"), ("testsuites", "skipped")];

    /// What in the file the schema does not know, or misses.
    fn problems(xml: &str) -> Vec<String> {
        let mut open: Vec<&str> = Vec::new();
        let mut found = Vec::new();
        // Quotation marks and brackets in texts and values are escaped, so a bracket always begins a tag.
        let tags = xml.split('<').filter_map(|part| part.split_once('>')).map(|(tag, _)| tag);
        for tag in tags.filter(|tag| !tag.starts_with('?')) {
            if tag.starts_with('/') {
                open.pop();
                continue;
            }
            let (tag, is_closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
            let (name, rest) = tag.split_once(' ').unwrap_or((tag, ""));
            let attributes: Vec<&str> =
                rest.split("=\"").map(|part| part.rsplit(['"', ' ']).next().unwrap_or_default()).collect();
            let attributes = &attributes[..attributes.len() - 1];
            let parent = open.last().copied();
            let Some((_, required, optional, _)) = SCHEMA.iter().find(|it| it.0 == name) else {
                found.push(format!("the element {name}"));
                continue;
            };
            let is_child = |parent: &str| SCHEMA.iter().any(|it| it.0 == parent && it.3.contains(&name));
            if !parent
                .map_or(name == "testsuites", |parent| is_child(parent) || BEYOND.contains(&(parent, name)))
            {
                found.push(format!("{name} in {parent:?}"));
            }
            let is_known = |it: &&&str| {
                !required.contains(*it) && !optional.contains(*it) && !BEYOND.contains(&(name, **it))
            };
            found.extend(attributes.iter().filter(is_known).map(|it| format!("{it} of {name}")));
            let missing = required.iter().filter(|it| !attributes.contains(*it));
            found.extend(missing.map(|it| format!("{name} without {it}")));
            if !is_closed {
                open.push(name);
            }
        }
        found
    }

    #[test]
    fn the_file_keeps_to_the_schema_of_jenkins_but_for_what_others_read() {
        let everything = Run::of([passed(), failed(), inconclusive(), skipped()]);
        for run in [everything, Run::of([]), Run::of([passed()]).interrupted()] {
            let mut run = run.aggregate();
            run.apply(&Event::Note { message: "a \"note\" <b> of /> the run".to_owned() });
            let xml = render(&run).expect("renders");
            assert_eq!(problems(&xml), Vec::<String>::new(), "{xml}");
        }
    }

    #[test]
    fn the_schema_notices_what_it_does_not_know() {
        let xml = "<testsuites><testcase name=\"a\" line=\"1\"/><testsuite name=\"b = c\" tests=\"1\" errors=\"0\"><odd/></testsuite></testsuites>";
        let expected = [
            "testcase in Some(\"testsuites\")",
            "line of testcase",
            "testsuite without failures",
            "the element odd",
        ];
        assert_eq!(problems(xml), expected);
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
