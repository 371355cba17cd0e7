use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::check::testing::{History as Entries, owned_by, phase};
use crate::record::{End, Observation};

fn started() -> Entries {
    Entries::default().push(Observation::CaseStarted { namespace: "the-namespace".to_owned() })
}

/// A case that goes on for long after its last version, so that nothing of it is late.
fn quiet(mut entries: Entries) -> History {
    for _ in 0..20 {
        entries = entries.push(Observation::RequestMark);
    }
    ended(entries)
}

fn ended(entries: Entries) -> History {
    let end = Observation::CaseFinished { end: End::Passed, by_claims: true };
    History::of(&entries.push(end).0)
}

/// A run whose status takes these values.
fn run(statuses: &[Value]) -> Entries {
    let first = started().added("Run/r#u1", 1, &json!({}));
    (2..).zip(statuses).fold(first, |entries, (version, status)| {
        entries.modified("Run/r#u1", version, &json!({ "status": status }))
    })
}

/// The divergences in words, those that may be chance in brackets.
fn told_by(a: &History, b: &History, rules: &Rules) -> Vec<String> {
    let told = a.divergences(b, rules).into_iter().map(|divergence| {
        let (a, b) = (divergence.a.words(), divergence.b.words());
        let words = format!("{}, {}: {a} | {b}", divergence.object, divergence.place.words());
        match divergence.chance {
            Some(chance) => format!("[{chance:?}] {words}"),
            None => words,
        }
    });
    told.collect()
}

fn told(a: Entries, b: Entries) -> Vec<String> {
    told_by(&quiet(a), &quiet(b), &Rules::default())
}

#[rstest]
#[case::the_same_twice(run(&[json!({"phase": "Done"})]), run(&[json!({"phase": "Done"})]))]
#[case::other_uids_versions_and_times(
    started()
        .added("Run/r#u1", 1, &json!({"at": "2026-01-01T00:00:00Z"}))
        .added("Job/j#u2", 2, &owned_by("u1", &json!({}))),
    started()
        .added("Run/r#u7", 31, &json!({"at": "2027-02-03T04:05:06Z"}))
        .added("Job/j#u8", 45, &owned_by("u7", &json!({}))),
)]
#[case::one_write_for_two(
    run(&[json!({"phase": "Done"}), json!({"phase": "Done", "job": "j"})]),
    run(&[json!({"phase": "Done", "job": "j"})]),
)]
#[case::independent_fields_in_another_order(
    run(&[json!({"a": 1}), json!({"a": 1, "b": 2})]),
    run(&[json!({"b": 2}), json!({"a": 1, "b": 2})]),
)]
#[case::a_version_without_a_change(run(&[json!({"a": 1})]), run(&[json!({"a": 1}), json!({"a": 1})]))]
#[case::objects_in_another_order(
    started().added("Job/a", 1, &json!({})).added("Job/b", 2, &json!({})),
    started().added("Job/b", 1, &json!({})).added("Job/a", 2, &json!({})),
)]
#[case::elements_in_another_order(
    run(&[json!({"conditions": [{"type": "A", "x": 1}, {"type": "B", "x": 2}]})]),
    run(&[json!({"conditions": [{"type": "B", "x": 2}, {"type": "A", "x": 1}]})]),
)]
#[case::generated_names_and_which_is_which(
    started()
        .added("Pod/p-abc", 1, &json!({"metadata": {"generateName": "p-"}, "spec": {"index": 0}}))
        .added("Pod/p-def", 2, &json!({"metadata": {"generateName": "p-"}, "spec": {"index": 1}})),
    started()
        .added("Pod/p-uvw", 1, &json!({"metadata": {"generateName": "p-"}, "spec": {"index": 1}}))
        .added("Pod/p-xyz", 2, &json!({"metadata": {"generateName": "p-"}, "spec": {"index": 0}})),
)]
#[case::what_is_collected_sooner_or_later(
    started().added("Run/r", 1, &json!({})).added("Job/j", 2, &owned_by("Run/r", &json!({})))
        .deleted("Run/r", 3, &json!({})).deleted("Job/j", 4, &owned_by("Run/r", &json!({}))),
    started().added("Run/r", 1, &json!({})).added("Job/j", 2, &owned_by("Run/r", &json!({})))
        .deleted("Run/r", 3, &json!({})),
)]
fn equal_are(#[case] a: Entries, #[case] b: Entries) {
    assert_eq!(told(a, b), Vec::<String>::new());
}

#[rstest]
#[case::a_field(
    started().added("Job/j", 1, &json!({"spec": {"ttl": 30, "other": 1}})),
    started().added("Job/j", 1, &json!({"spec": {"ttl": 5, "other": 1}})),
    &["Job j, spec.ttl: 30 | 5"],
)]
#[case::a_field_of_an_element(
    run(&[json!({"conditions": [{"type": "A", "reason": "Good"}]})]),
    run(&[json!({"conditions": [{"type": "A", "reason": "Bad"}]})]),
    &["Run r, status.conditions[type=A].reason: \"Good\" | \"Bad\""],
)]
#[case::a_field_that_one_lacks(
    run(&[json!({"a": 1})]),
    run(&[json!({"a": 1, "b": 2})]),
    &["Run r, status.b: still absent | 2"],
)]
#[case::an_extra_version_that_comes_and_goes(
    run(&[json!({"phase": "Running"})]),
    run(&[json!({"phase": "Running"}), json!({"phase": "Failed"}), json!({"phase": "Running"})]),
    &["Run r, status.phase: still \"Running\" | \"Failed\""],
)]
#[case::another_order_of_values(
    run(&[json!({"phase": "A"}), json!({"phase": "B"}), json!({"phase": "C"})]),
    run(&[json!({"phase": "B"}), json!({"phase": "A"}), json!({"phase": "C"})]),
    &["Run r, status.phase: \"A\" | \"B\""],
)]
#[case::a_phase_that_is_left_out(
    run(&[json!({"phase": "Running"}), json!({"phase": "Done"})]),
    run(&[json!({"phase": "Done"})]),
    &["Run r, status.phase: \"Running\" | \"Done\""],
)]
#[case::any_other_state_that_is_left_out(
    run(&[json!({"step": 1}), json!({"step": 2})]),
    run(&[json!({"step": 2})]),
    &["[Merged] Run r, status.step: 1 | 2"],
)]
#[case::a_state_that_comes_and_goes(
    run(&[json!({"step": 1}), json!({"step": 2}), json!({"step": 1})]),
    run(&[json!({"step": 1})]),
    &["Run r, status.step: 2 | still 1"],
)]
#[case::a_state_that_comes_and_goes_on_the_way(
    run(&[json!({"step": 1}), json!({"step": 2}), json!({"step": 1}), json!({"step": 3})]),
    run(&[json!({"step": 1}), json!({"step": 3})]),
    &["Run r, status.step: 2 | 3"],
)]
#[case::a_status_that_a_deletion_cut_short(
    run(&[json!({"phase": "A"}), json!({"phase": "A", "job": "j"})]).deleted("Run/r#u1", 9, &json!({})),
    run(&[json!({"phase": "A"})]).deleted("Run/r#u1", 9, &json!({})),
    &["[BeforeDeletion] Run r, status.job: \"j\" | still absent"],
)]
#[case::an_object_that_one_lacks(
    started().added("Job/j", 1, &json!({})),
    started(),
    &["Job j, existence: there | still absent"],
)]
#[case::an_object_that_is_made_again(
    started().added("Job/j#u1", 1, &json!({})),
    started().added("Job/j#u1", 1, &json!({})).deleted("Job/j#u1", 2, &json!({})).added("Job/j#u2", 3, &json!({})),
    &["Job j, existence: still there | gone", "Job j, existence: still absent | there"],
)]
#[case::another_name_for_what_one_owns(
    started().added("Run/r", 1, &json!({})).added("Job/r-job", 2, &owned_by("Run/r", &json!({"spec": {"ttl": 1}}))),
    started().added("Run/r", 1, &json!({})).added("Job/r-7f", 2, &owned_by("Run/r", &json!({"spec": {"ttl": 2}}))),
    &["Job r-job, metadata.name: \"r-job\" | \"r-7f\"", "Job r-job, spec.ttl: 1 | 2"],
)]
fn different_are(#[case] a: Entries, #[case] b: Entries, #[case] expected: &[&str]) {
    assert_eq!(told(a, b), expected);
}

#[test]
fn the_first_place_comes_first() {
    let a = run(&[json!({"z": 1}), json!({"z": 1, "a": 1})]);
    let b = run(&[json!({"z": 2}), json!({"z": 2, "a": 2})]);
    assert_eq!(told(a, b), ["Run r, status.z: 1 | 2", "Run r, status.a: 1 | 2"]);
}

#[test]
fn order_between_objects_counts_where_it_is_asked_for() {
    let entries = |first: &str, second: &str| {
        quiet(started().added(first, 1, &json!({})).added(second, 2, &phase("Running")))
    };
    let (a, b) = (
        entries("Job/a", "Run/b"),
        quiet(started().added("Run/b", 1, &phase("Running")).added("Job/a", 2, &json!({}))),
    );
    let rules = Rules { order: true, ..Rules::default() };
    assert_eq!(told_by(&a, &b, &rules), ["Job a, order: Job a is there first | Run b is there first"]);
    assert_eq!(told_by(&a, &entries("Job/a", "Run/b"), &rules), Vec::<String>::new());
}

#[test]
fn what_comes_right_before_the_end_may_have_come_after_it_elsewhere() {
    let cut_short = ended(run(&[json!({"phase": "Done"})]));
    let whole = ended(run(&[json!({"phase": "Done"}), json!({"phase": "Done", "ttl": 5})]));
    let late = ["[AtTheEnd] Run r, status.ttl: still absent | 5"];
    assert_eq!(told_by(&cut_short, &whole, &Rules::default()), late);
    let exact = Rules { exact: true, ..Rules::default() };
    assert_eq!(told_by(&cut_short, &whole, &exact), ["Run r, status.ttl: still absent | 5"]);
}

#[test]
fn ignored_fields_do_not_count_with_all_below_them() {
    let rules = Rules { ignore: vec!["status.a".to_owned()], ..Rules::default() };
    let history = |n: u32| quiet(run(&[json!({"a": {"deep": n}, "ab": n})]));
    assert_eq!(told_by(&history(1), &history(2), &rules), ["Run r, status.ab: 1 | 2"]);
}
