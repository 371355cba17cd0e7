//! What people read about typical failures.

use std::time::Duration;

use serde_json::json;

use super::explain;
use crate::check::testing::*;
use crate::check::{Failure, Judgement, judge};
use crate::record::Observation;
use crate::scenario::assertion::{Assertion, Operator, Target};

fn explained(assertion: &Assertion, history: &History) -> Failure {
    explained_from(assertion, history, 0)
}

fn explained_from(assertion: &Assertion, history: &History, window_start: u64) -> Failure {
    let judgement = judge(assertion, &history.0, window_start, &bindings());
    assert_ne!(judgement, Judgement::Holds);
    explain(assertion, &history.0, window_start, &bindings(), Some(Duration::from_millis(5250)))
}

fn text(failure: &Failure) -> String {
    let mut lines = vec![failure.claim.clone(), failure.object.clone(), failure.nearest.clone()];
    for difference in &failure.differences {
        let since = difference.since.as_ref().map_or_else(String::new, |since| {
            let manager = since.manager.as_deref().unwrap_or("nobody");
            format!(" since {} by {manager}", since.resource_version)
        });
        lines.push(format!("{}: {} / {}{since}", difference.path, difference.expected, difference.actual));
    }
    lines.extend(failure.diff.as_ref().map(|diff| diff.hunks.clone()));
    lines.join("\n")
}

fn managed(ttl: u32, image: &str) -> serde_json::Value {
    let fields = json!({"f:spec": {"f:ttl": {}, "f:containers": {"k:{\"name\":\"main\"}": {"f:image": {}}}}});
    owned_by(
        "Run/r",
        &json!({
            "metadata": {"managedFields": [{"manager": "controller", "fieldsV1": fields}]},
            "spec": {"ttl": ttl, "containers": [{"name": "main", "image": image}]}
        }),
    )
}

#[test]
fn eventually_names_the_nearest_version_and_what_came_after() {
    let history = History::default()
        .added("Run/r", 1, &json!({}))
        .added("Job/a", 2, &managed(5, "old"))
        .modified("Job/a", 3, &managed(5, "new"))
        .modified("Job/a", 4, &managed(6, "old"))
        .added("Job/b", 5, &managed(6, "old"));
    let expected = json!({"spec": {"ttl": 30, "containers": [{"name": "main", "image": "new"}]}});
    let failure = explained(&eventually(matches(resources(Some("run"), &[]), &expected)), &history);
    insta::assert_snapshot!(text(&failure), @r#"
    eventually (5 s, waited 5.25 s) Job of run: {spec: {ttl: 30, containers: [{name: "main", image: "new"}]}}
    Job ns/a
    2 of 3 claimed places hold at resource version 3, +0.200 s; then regressed at resource version 4; Job ns/b: 1 of 3 claimed places hold
    spec.ttl: 30 / 5 since 2 by controller
    "#);
}

#[test]
fn not_found_tells_what_is_there() {
    let history = History::default()
        .added("Run/r", 1, &json!({}))
        .added("Job/other", 2, &json!({}))
        .added("Job/gone", 3, &owned_by("Run/r", &json!({})))
        .deleted("Job/gone", 4, &owned_by("Run/r", &json!({})));
    let assertion = eventually(matches(resources(Some("run"), &[]), &json!({"a": 1})));
    let failure = explained_from(&assertion, &history, 4);
    insta::assert_snapshot!(text(&failure), @r#"
    eventually (5 s, waited 5.25 s) Job of run: a = 1
    Job ns/gone
    no Job of run in namespace ns; Job ns/gone was there and was deleted at resource version 4, +0.300 s; seen of this kind: Job ns/other, Job ns/gone (deleted)
    "#);
}

#[test]
fn never_shows_the_offending_write() {
    let history =
        History::default().added("Job/a", 2, &managed(60, "i")).modified("Job/a", 3, &managed(5, "i"));
    let failure = explained(&assertion(Operator::Never(cel(jobs(), "self.spec.ttl < 30"))), &history);
    insta::assert_snapshot!(text(&failure), @r#"
    never Job: self.spec.ttl < 30
    Job ns/a
    it was so at resource version 3, +0.100 s
    spec.ttl: never self.spec.ttl < 30 / 5 since 3 by controller
    "#);
}

#[test]
fn always_shows_the_first_version_that_breaks_it() {
    let history =
        History::default().added("Job/a", 2, &managed(60, "i")).modified("Job/a", 3, &managed(5, "i"));
    let failure =
        explained(&assertion(Operator::Always(matches(jobs(), &json!({"spec": {"ttl": 60}})))), &history);
    insta::assert_snapshot!(text(&failure), @r#"
    always Job: spec.ttl = 60
    Job ns/a
    1 version held, then came resource version 3, +0.100 s: 0 of 1 claimed place holds
    spec.ttl: 60 / 5 since 3 by controller
    "#);
}

#[test]
fn always_over_nothing_says_so() {
    let failure =
        explained(&assertion(Operator::Always(matches(jobs(), &json!({"a": null})))), &History::default());
    insta::assert_snapshot!(text(&failure), @r#"
    always Job: {a: absent}

    no Job in namespace ns; it never was there; no Job at all was seen
    "#);
}

#[test]
fn sequence_says_which_item_came_too_early() {
    let history =
        History::default().added("Run/r", 1, &phase("Succeeded")).modified("Run/r", 2, &phase("Running"));
    let claims = ["Running", "Succeeded"].map(|name| matches(object("run"), &phase(name)));
    let failure = explained(&assertion(Operator::Sequence(claims.into())), &history);
    insta::assert_snapshot!(text(&failure), @r#"
    sequence object run: status.phase = "Running" → object run: status.phase = "Succeeded"
    Run ns/r
    item 2 of 2 (object run: status.phase = "Succeeded") does not come after item 1 (Run ns/r at resource version 2, +0.100 s); it was so too early, at resource version 1, +0.000 s; it has no later version
    "#);
}

#[test]
fn exactly_lists_the_objects() {
    let history = History::default().added("Job/a", 1, &json!({})).added("Job/b", 2, &json!({}));
    let failure =
        explained(&assertion(Operator::Exactly { count: 1, claim: exists(jobs(), true) }), &history);
    insta::assert_snapshot!(text(&failure), @r#"
    exactly 1 Job: exists
    Job ns/b
    2 objects instead of 1: Job ns/a (resource version 1, +0.000 s), Job ns/b (resource version 2, +0.100 s)
    (the whole value): absent / there since 2 by nobody
    "#);
}

#[test]
fn what_should_be_gone_tells_what_holds_it() {
    let held = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["f"]}});
    let history = History::default().added("Run/r", 1, &held);
    let failure = explained(&eventually(exists(object("run"), false)), &history);
    insta::assert_snapshot!(text(&failure), @r#"
    eventually (5 s, waited 5.25 s) object run: does not exist
    Run ns/r
    1 object still there at resource version 1, +0.000 s; its deletion was asked for, finalizers: ["f"]
    (the whole value): absent / Run ns/r since 1 by nobody
    "#);
}

#[test]
fn equal_failures_have_equal_fingerprints_whatever_the_values() {
    let failed = |ttl| {
        let history = History::default().added("Job/a", 2, &managed(ttl, "i"));
        explained(&eventually(matches(jobs(), &json!({"spec": {"ttl": 30}}))), &history).fingerprint
    };
    assert_eq!(failed(5), failed(6));
}

#[test]
fn the_trail_is_short() {
    let long = "x".repeat(500);
    let mut history = History::default();
    for _ in 0..30 {
        history = history.push(Observation::Log { line: long.clone().into() });
    }
    let trail = crate::check::trail(&history.0);
    assert_eq!(trail.len(), 12);
    assert!(trail.iter().all(|line| line.chars().count() < 230));
}

#[test]
fn at_most_names_those_that_were_there_together() {
    let history = History::default().added("Job/a", 1, &phase("x")).added("Job/b", 2, &phase("x")).modified(
        "Job/a",
        3,
        &phase("y"),
    );
    let operator = Operator::AtMost { count: 1, claim: matches(jobs(), &phase("x")) };
    insta::assert_snapshot!(text(&explained(&assertion(operator), &history)), @r#"
    atMost 1 Job: status.phase = "x"
    Job ns/b
    2 objects at the same time instead of at most 1, first at resource version 2, +0.100 s: Job ns/a, Job ns/b
    (the whole value): not together with 1 other / there since 2 by nobody
    "#);
}

#[test]
fn creation_order_names_the_overtaken_and_the_overtaker() {
    let created = |second: u8| {
        let time = format!("2026-01-01T00:00:{second:02}Z");
        json!({"metadata": {"creationTimestamp": time}, "status": {"phase": "x"}})
    };
    let history = History::default().added("Job/young", 1, &created(2)).added("Job/old", 2, &created(1));
    let operator = Operator::InCreationOrder(matches(jobs(), &phase("x")));
    insta::assert_snapshot!(text(&explained(&assertion(operator), &history)), @r#"
    inCreationOrder Job: status.phase = "x"
    Job ns/young
    Job ns/young, created 2026-01-01T00:00:02Z, came first, at resource version 1, +0.000 s; Job ns/old, created 2026-01-01T00:00:01Z, only at resource version 2, +0.100 s
    (the whole value): not before Job ns/old / before it since 1 by nobody
    "#);
}

#[test]
fn versions_tell_when_there_was_one_too_many() {
    let history = History::default().added("Job/a", 1, &phase("x")).modified("Job/a", 2, &phase("x"));
    let operator = Operator::Versions { at_most: 1, claim: matches(jobs(), &phase("x")) };
    insta::assert_snapshot!(text(&explained(&assertion(operator), &history)), @r#"
    at most 1 version of Job: status.phase = "x"
    Job ns/a
    2 versions instead of at most 1; the first one too many came at resource version 2, +0.100 s
    (the whole value): absent / there since 1 by nobody
    "#);
}

#[test]
fn a_forbidden_request_is_named() {
    let history = History::default().request(
        "1",
        &json!({"verb": "delete", "resource": "jobs", "namespace": "other", "name": "a", "code": 403}),
    );
    let target = Target::Requests { verbs: vec!["delete".into()], resource: None, name: None };
    let failure = explained(&assertion(Operator::Never(matches(target, &json!({"code": 403})))), &history);
    insta::assert_snapshot!(text(&failure), @r#"
    never delete request: code = 403
    delete jobs other/a
    it was so at +0.000 s
    code: never 403 / 403
    "#);
}

#[test]
fn of_many_objects_a_few_are_named() {
    let names: Vec<String> = (1..=7).map(|number| format!("run-{number}")).collect();
    assert_eq!(super::words::some(&names, 2), "run-1, run-2 and 5 more");
    assert_eq!(super::words::some(&names, 7), names.join(", "));
}
