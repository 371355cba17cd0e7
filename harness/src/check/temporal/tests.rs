//! What each operator says about which history.

use std::sync::Arc;

use rstest::rstest;
use serde_json::json;

use super::{Judgement, judge, missed};
use crate::check::testing::*;
use crate::record::{LOG, Observation};
use crate::scenario::assertion::{Assertion, MadeBy, Operator, Standing, Target};

fn judged(assertion: &Assertion, history: &History) -> Judgement {
    judge(assertion, &history.0, 0, &bindings())
}

fn run(phases: &[&str]) -> History {
    let mut history = History::default().added("Run/r", 1, &json!({}));
    for (resource_version, name) in (2..).zip(phases) {
        history = history.modified("Run/r", resource_version, &phase(name));
    }
    history
}

#[test]
fn eventually_sees_a_state_that_is_gone_again() {
    let assertion = eventually(matches(object("run"), &phase("Running")));
    assert_eq!(judged(&assertion, &run(&["Running", "Failed"])), Judgement::Holds);
}

#[test]
fn eventually_does_not_see_what_was_over_before_the_window() {
    let history = run(&["Running", "Failed"]);
    let assertion = eventually(matches(object("run"), &phase("Running")));
    assert_eq!(judge(&assertion, &history.0, 2, &bindings()), Judgement::Holds);
    assert_eq!(judge(&assertion, &history.0, 3, &bindings()), Judgement::NotYet);
}

#[test]
fn eventually_takes_the_version_that_was_current_when_the_window_began() {
    let history = run(&["Running"]);
    let assertion = eventually(matches(object("run"), &phase("Running")));
    assert_eq!(judge(&assertion, &history.0, 99, &bindings()), Judgement::Holds);
}

#[rstest]
#[case::after_the_window_began(2, Judgement::Holds)]
#[case::before(3, Judgement::NotYet)]
fn what_lost_its_labels_is_not_current(#[case] window: u64, #[case] expected: Judgement) {
    let leads = json!({"metadata": {"labels": {"role": "leader"}}});
    let history = History::default()
        .added("Job/other", 1, &json!({}))
        .added("Job/a", 2, &leads)
        .modified("Job/a", 3, &json!({}))
        .modified("Job/other", 4, &json!({}));
    let assertion = eventually(exists(resources(None, &[("role", "leader")]), true));
    assert_eq!(judge(&assertion, &history.0, window, &bindings()), expected);
}

#[test]
fn eventually_waits_while_a_field_is_missing_or_of_another_type() {
    let assertion = eventually(cel(object("run"), "self.status.count > 2"));
    let history = History::default().added("Run/r", 1, &json!({"status": {"count": "3"}}));
    assert_eq!(judged(&assertion, &run(&[])), Judgement::NotYet);
    assert_eq!(judged(&assertion, &history), Judgement::NotYet);
}

#[test]
fn eventually_is_impossible_once_its_object_is_deleted() {
    let assertion = eventually(matches(object("run"), &phase("Running")));
    let deleted = run(&[]).deleted("Run/r", 9, &json!({}));
    assert_eq!(judged(&assertion, &deleted), Judgement::Impossible);
    let restored = deleted.added("Run/r#second", 10, &json!({}));
    assert_eq!(judged(&assertion, &restored), Judgement::NotYet);
    let running = restored.modified("Run/r#second", 11, &phase("Running"));
    assert_eq!(judged(&assertion, &running), Judgement::Holds);
}

#[test]
fn a_deleted_state_is_no_success() {
    let assertion = eventually(matches(object("run"), &phase("Running")));
    let history = run(&[]).deleted("Run/r", 9, &phase("Running"));
    assert_eq!(judge(&assertion, &history.0, 1, &bindings()), Judgement::Impossible);
}

#[test]
fn an_earlier_object_of_the_name_is_not_the_alias() {
    let assertion = eventually(matches(object("run"), &phase("Running")));
    let history = History::default()
        .added("Run/r#old", 1, &phase("Running"))
        .deleted("Run/r#old", 2, &phase("Running"))
        .added("Run/r", 3, &json!({}));
    assert_eq!(judged(&assertion, &history), Judgement::NotYet);
}

#[test]
fn absence_is_judged_at_the_end() {
    let assertion = eventually(exists(object("run"), false));
    // An object that was created and is not on record yet is not gone.
    assert_eq!(judged(&assertion, &History::default()), Judgement::NotYet);
    assert_eq!(judged(&assertion, &run(&[])), Judgement::NotYet);
    let deleted = run(&[]).deleted("Run/r", 9, &json!({}));
    assert_eq!(judged(&assertion, &deleted), Judgement::Holds);
    let again = deleted.added("Run/r#again", 10, &json!({}));
    assert_eq!(judged(&assertion, &again), Judgement::NotYet);
    assert_eq!(judged(&eventually(exists(jobs(), false)), &run(&[])), Judgement::Holds);
}

#[test]
fn always_over_nothing_does_not_hold() {
    let assertion = assertion(Operator::Always(matches(jobs(), &json!({"spec": {"$absent": true}}))));
    assert_eq!(judged(&assertion, &run(&[])), Judgement::NotYet);
    assert_eq!(judged(&assertion, &run(&[]).added("Job/a", 9, &json!({}))), Judgement::Holds);
}

#[rstest]
#[case::every_version(&["Running", "Running"], Judgement::Holds)]
#[case::one_does_not(&["Running", "Pending", "Running"], Judgement::Violated)]
fn always_judges_every_version(#[case] phases: &[&str], #[case] expected: Judgement) {
    let claim = cel(object("run"), "!has(self.status) || self.status.phase == 'Running'");
    assert_eq!(judged(&assertion(Operator::Always(claim)), &run(phases)), expected);
}

#[test]
fn always_there_means_never_deleted() {
    let assertion = assertion(Operator::Always(exists(object("run"), true)));
    assert_eq!(judged(&assertion, &run(&["Running"])), Judgement::Holds);
    assert_eq!(judged(&assertion, &run(&[]).deleted("Run/r", 9, &json!({}))), Judgement::Violated);
}

#[test]
fn never_sees_states_that_last_a_moment_and_last_states() {
    let assertion = assertion(Operator::Never(matches(object("run"), &phase("Failed"))));
    assert_eq!(judged(&assertion, &run(&["Running", "Succeeded"])), Judgement::Holds);
    assert_eq!(judged(&assertion, &run(&["Failed", "Succeeded"])), Judgement::Violated);
    assert_eq!(judged(&assertion, &run(&[]).deleted("Run/r", 9, &phase("Failed"))), Judgement::Violated);
}

#[test]
fn never_absent_needs_an_object() {
    let assertion = assertion(Operator::Never(exists(object("run"), false)));
    assert_eq!(judged(&assertion, &run(&[])), Judgement::Holds);
    assert_eq!(judged(&assertion, &History::default()), Judgement::Violated);
}

#[rstest]
#[case::no_boolean("self.status.phase")]
#[case::unknown_variable("other == 1")]
fn a_wrong_expression_is_no_answer(#[case] text: &str) {
    let assertion = assertion(Operator::Never(cel(object("run"), text)));
    assert!(matches!(judged(&assertion, &run(&["Failed"])), Judgement::Inconclusive(_)));
}

#[test]
fn an_error_of_the_data_counts_as_false() {
    let assertion = assertion(Operator::Never(cel(object("run"), "self.status.phase != 'Failed'")));
    let history = History::default().added("Run/r", 1, &json!({"status": "none"}));
    assert_eq!(judged(&assertion, &history), Judgement::Holds);
}

#[rstest]
#[case::unbound(object("nobody"))]
#[case::unbound_owner(resources(Some("nobody"), &[]))]
#[case::not_rendered(Target::Rendered { of: "nothing".into(), kind: "Service".into(), name: None })]
fn a_target_that_cannot_exist_never_passes(#[case] target: Target) {
    let assertion = assertion(Operator::Never(matches(target, &json!({}))));
    assert!(matches!(judged(&assertion, &run(&[])), Judgement::Inconclusive(_)));
}

#[rstest]
#[case::in_order(&["Pending", "Running", "Succeeded"], Judgement::Holds)]
#[case::out_of_order(&["Succeeded", "Running", "Pending"], Judgement::NotYet)]
#[case::incomplete(&["Pending", "Running"], Judgement::NotYet)]
#[case::back_and_forth(&["Running", "Pending", "Running", "Succeeded"], Judgement::Holds)]
fn sequence_needs_the_order(#[case] phases: &[&str], #[case] expected: Judgement) {
    let claims = ["Pending", "Running", "Succeeded"];
    let claims = claims.iter().map(|name| matches(object("run"), &phase(name))).collect();
    assert_eq!(judged(&assertion(Operator::Sequence(claims)), &run(phases)), expected);
}

#[test]
fn one_version_satisfies_only_one_item_of_a_sequence() {
    let claims = || vec![matches(object("run"), &phase("Running")), exists(object("run"), true)];
    let history = run(&["Running"]);
    assert_eq!(judged(&assertion(Operator::Sequence(claims())), &history), Judgement::NotYet);
    let repeated = history.modified("Run/r", 2, &phase("Running"));
    assert_eq!(judged(&assertion(Operator::Sequence(claims())), &repeated), Judgement::NotYet);
}

#[test]
fn sequence_goes_by_resource_version_not_by_receipt() {
    let claims = vec![matches(object("run"), &phase("Running")), exists(resources(None, &[]), true)];
    let history = History::default().added("Job/a", 7, &json!({})).added("Run/r", 3, &phase("Running"));
    assert_eq!(judged(&assertion(Operator::Sequence(claims)), &history), Judgement::Holds);
}

#[test]
fn sequence_can_end_with_a_deletion() {
    let claims = vec![matches(object("run"), &phase("Running")), exists(object("run"), false)];
    let assertion = assertion(Operator::Sequence(claims));
    assert_eq!(judged(&assertion, &run(&["Running"])), Judgement::NotYet);
    let deleted = run(&["Running"]).deleted("Run/r", 9, &phase("Running"));
    assert_eq!(judged(&assertion, &deleted), Judgement::Holds);
}

#[rstest]
#[case::too_few(2, Judgement::NotYet)]
#[case::as_many(1, Judgement::Holds)]
#[case::too_many(0, Judgement::Violated)]
fn exactly_counts_objects_not_versions(#[case] count: usize, #[case] expected: Judgement) {
    let history = History::default().added("Job/a", 1, &phase("x")).modified("Job/a", 2, &phase("x")).added(
        "Job/b",
        3,
        &phase("y"),
    );
    let operator = Operator::Exactly { count, claim: matches(jobs(), &phase("x")) };
    assert_eq!(judged(&assertion(operator), &history), expected);
}

#[test]
fn ownership_is_followed_through_chains_and_not_lost() {
    let history = History::default()
        .added("Run/r", 1, &json!({}))
        .added("Step/s", 2, &owned_by("Run/r", &json!({})))
        .added("Job/a", 3, &owned_by("Step/s", &json!({})))
        .modified("Job/a", 4, &phase("x"))
        .added("Job/b", 5, &owned_by("Run/other", &phase("x")));
    let operator =
        |count| Operator::Exactly { count, claim: matches(resources(Some("run"), &[]), &phase("x")) };
    assert_eq!(judged(&assertion(operator(1)), &history), Judgement::Holds);
}

#[test]
fn objects_of_other_namespaces_are_not_meant() {
    let history = History::default().added("Job/a", 1, &json!({"metadata": {"namespace": "other"}}));
    let assertion = assertion(Operator::Never(matches(jobs(), &json!({}))));
    assert_eq!(judged(&assertion, &history), Judgement::Holds);
}

#[test]
fn an_object_that_lost_its_label_is_not_there_any_more() {
    let labelled = json!({"metadata": {"labels": {"a": "b"}}});
    let history = History::default().added("Job/a", 1, &labelled);
    let assertion = eventually(exists(resources(None, &[("a", "b")]), false));
    assert_eq!(judged(&assertion, &history), Judgement::NotYet);
    assert_eq!(judged(&assertion, &history.modified("Job/a", 2, &json!({}))), Judgement::Holds);
}

#[rstest]
#[case::of_the_kind("v1/Job", true)]
#[case::of_another_kind("v1/Pod", false)]
fn a_gap_leaves_nothing_proved(#[case] kind: &str, #[case] inconclusive: bool) {
    let history = History::default().added("Job/a", 1, &phase("x")).gap(kind);
    let never = |name| assertion(Operator::Never(matches(jobs(), &phase(name))));
    assert_eq!(matches!(judged(&never("y"), &history), Judgement::Inconclusive(_)), inconclusive);
    assert_eq!(judged(&never("x"), &history), Judgement::Violated);
}

#[rstest]
#[case::of_the_log(LOG, true)]
#[case::of_a_watch("v1/Job", false)]
fn a_log_that_broke_off_leaves_nothing_proved(#[case] kind: &str, #[case] inconclusive: bool) {
    let history = History::default().log("all is well").gap(kind);
    let says = |text: &str| matches(Target::Log, &json!({"$matches": text}));
    let never = judged(&assertion(Operator::Never(says("panicked"))), &history);
    assert_eq!(matches!(never, Judgement::Inconclusive(_)), inconclusive);
    let awaited = eventually(says("panicked"));
    let open = judged(&awaited, &history);
    assert_eq!(missed(&open, &awaited, &history.0, &bindings()).is_some(), inconclusive);
    assert_eq!(judged(&assertion(Operator::Never(says("well"))), &history), Judgement::Violated);
}

/// While it is waited for the judgement stays open; that it was interrupted matters at the deadline.
#[rstest]
#[case::of_the_kind("v1/Job", true)]
#[case::of_another_kind("v1/Pod", false)]
fn what_is_waited_for_may_have_been_in_a_gap(#[case] kind: &str, #[case] is_interrupted: bool) {
    let history = History::default().added("Job/a", 1, &phase("x")).gap(kind);
    let is = |name| matches(jobs(), &phase(name));
    for assertion in [eventually(is("y")), assertion(Operator::Sequence(vec![is("x"), is("y")]))] {
        let open = judged(&assertion, &history);
        assert_eq!(open, Judgement::NotYet);
        assert_eq!(missed(&open, &assertion, &history.0, &bindings()).is_some(), is_interrupted);
    }
}

/// The deletion settles that it never comes, not that it never came.
#[rstest]
#[case::of_the_kind("v1/Run", true)]
#[case::of_another_kind("v1/Pod", false)]
fn what_was_deleted_may_have_been_right_in_a_gap(#[case] kind: &str, #[case] is_interrupted: bool) {
    let history =
        History::default().added("Run/r", 1, &phase("x")).gap(kind).deleted("Run/r", 3, &phase("x"));
    let target = Target::Object { alias: "run".to_owned() };
    let assertion = eventually(matches(target, &phase("y")));
    let judged = judged(&assertion, &history);
    assert_eq!(judged, Judgement::Impossible);
    assert_eq!(missed(&judged, &assertion, &history.0, &bindings()).is_some(), is_interrupted);
}

/// A Pod belongs to a run by way of its Job.
#[rstest]
#[case::of_an_owner(Some("run"), true)]
#[case::of_nobody(None, false)]
fn a_gap_between_an_object_and_its_owner_counts(#[case] of: Option<&str>, #[case] inconclusive: bool) {
    let history = History::default().added("Run/r", 1, &json!({})).gap("batch/v1/Job");
    let never = assertion(Operator::Never(matches(resources(of, &[]), &phase("y"))));
    assert_eq!(matches!(judged(&never, &history), Judgement::Inconclusive(_)), inconclusive);
}

#[test]
fn rendered_objects_are_judged_like_one_version() {
    let target = || Target::Rendered { of: "chart".into(), kind: "Service".into(), name: Some("s".into()) };
    let is = |port: u16| eventually(matches(target(), &json!({"spec": {"port": port}})));
    assert_eq!(judged(&is(80), &History::default()), Judgement::Holds);
    assert_eq!(judged(&is(81), &History::default()), Judgement::Impossible);
}

#[test]
fn expressions_see_case_namespace_and_objects() {
    let text =
        "case.expected == 30 && namespace == 'ns' && objects.run.spec.ttl == 5 && self.metadata.name == 'r'";
    assert_eq!(judged(&eventually(cel(object("run"), text)), &run(&[])), Judgement::Holds);
}

#[test]
fn a_pattern_with_an_unknown_operator_is_no_answer() {
    let assertion = assertion(Operator::Never(matches(object("run"), &json!({"spec": {"$nope": 1}}))));
    assert!(matches!(judged(&assertion, &run(&[])), Judgement::Inconclusive(_)));
}

#[rstest]
#[case::as_many(2, Judgement::Holds)]
#[case::one_too_many(1, Judgement::Violated)]
#[case::none_allowed(0, Judgement::Violated)]
fn at_most_counts_objects_that_satisfy_it_together(#[case] count: usize, #[case] expected: Judgement) {
    let history = History::default()
        .added("Job/a", 1, &phase("x"))
        .modified("Job/a", 2, &phase("x"))
        .added("Job/b", 3, &phase("x"))
        .modified("Job/a", 4, &phase("y"))
        .added("Job/c", 5, &phase("x"))
        .deleted("Job/b", 6, &phase("x"))
        .added("Job/d", 7, &phase("x"));
    let operator = Operator::AtMost { count, claim: matches(jobs(), &phase("x")) };
    assert_eq!(judged(&assertion(operator), &history), expected);
}

#[test]
fn at_most_goes_by_resource_version_not_by_receipt() {
    let history = History::default().added("Job/b", 3, &phase("x")).added("Job/a", 1, &phase("x")).modified(
        "Job/a",
        2,
        &phase("y"),
    );
    let operator = Operator::AtMost { count: 1, claim: matches(jobs(), &phase("x")) };
    assert_eq!(judged(&assertion(operator), &history), Judgement::Holds);
}

#[test]
fn at_most_does_not_count_what_lost_its_label() {
    let labelled = json!({"metadata": {"labels": {"a": "b"}}});
    let history = History::default()
        .added("Job/a", 1, &labelled)
        .modified("Job/a", 2, &json!({}))
        .added("Job/b", 3, &labelled);
    let claim = exists(resources(None, &[("a", "b")]), true);
    let operator = Operator::AtMost { count: 1, claim };
    assert_eq!(judged(&assertion(operator), &history), Judgement::Holds);
}

/// A Job that came into being at the given second and then satisfied the claim.
fn created(history: History, name: &str, second: u8, resource_version: u64) -> History {
    let mut object = phase("x");
    object["metadata"] = json!({"creationTimestamp": format!("2026-01-01T00:00:{second:02}Z")});
    history.added(name, resource_version, &object)
}

#[rstest]
#[case::in_order(&[("Job/b", 1), ("Job/a", 2)], Judgement::Holds)]
#[case::overtaken(&[("Job/b", 2), ("Job/a", 1)], Judgement::Violated)]
#[case::names_decide_within_a_second(&[("Job/a", 1), ("Job/b", 1)], Judgement::Holds)]
#[case::names_decide_against_it(&[("Job/b", 1), ("Job/a", 1)], Judgement::Violated)]
#[case::one_has_no_order(&[("Job/a", 1)], Judgement::NotYet)]
#[case::nothing(&[], Judgement::NotYet)]
fn creation_order_is_that_of_times_and_names(#[case] order: &[(&str, u8)], #[case] expected: Judgement) {
    let history = (1..).zip(order).fold(History::default(), |history, (version, (name, second))| {
        created(history, name, *second, version)
    });
    let operator = Operator::InCreationOrder(matches(jobs(), &phase("x")));
    assert_eq!(judged(&assertion(operator), &history), expected);
}

#[test]
fn creation_order_looks_at_the_first_time_only() {
    let history = created(created(History::default(), "Job/a", 1, 1), "Job/b", 2, 2);
    let history = created(history, "Job/a", 1, 3);
    let operator = Operator::InCreationOrder(matches(jobs(), &phase("x")));
    assert_eq!(judged(&assertion(operator), &history), Judgement::Holds);
}

#[rstest]
#[case::as_many(2, Judgement::Holds)]
#[case::too_many(1, Judgement::Violated)]
fn versions_are_counted_per_object_and_without_deletions(
    #[case] at_most: usize,
    #[case] expected: Judgement,
) {
    let history = History::default()
        .added("Job/a", 1, &phase("x"))
        .modified("Job/a", 2, &phase("x"))
        .modified("Job/a", 3, &phase("y"))
        .deleted("Job/a", 4, &phase("x"))
        .added("Job/b", 5, &phase("x"))
        .added("Job/b", 6, &phase("x"));
    let operator = Operator::Versions { at_most, claim: matches(jobs(), &phase("x")) };
    assert_eq!(judged(&assertion(operator), &history), expected);
}

#[test]
fn versions_of_nothing_prove_nothing() {
    let operator = Operator::Versions { at_most: 1, claim: matches(jobs(), &phase("x")) };
    assert_eq!(judged(&assertion(operator), &run(&[])), Judgement::NotYet);
}

fn requests(verbs: &[&str], resource: &str) -> Target {
    Target::Requests {
        verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
        resource: Some(resource.to_owned()),
        name: None,
    }
}

fn asked() -> History {
    History::default()
        .request("1", &json!({"verb": "patch", "resource": "jobs", "code": 200}))
        .request("2", &json!({"verb": "patch", "resource": "jobs", "subresource": "status", "code": 403}))
        .request("3", &json!({"verb": "watch", "resource": "jobs", "code": 200}))
        .request("3", &json!({"verb": "watch", "resource": "jobs", "code": 200}))
}

#[rstest]
#[case::verb(requests(&["patch"], "jobs"), 1)]
#[case::subresource(requests(&["patch"], "jobs/status"), 1)]
#[case::several_verbs(requests(&["patch", "watch"], "jobs"), 2)]
#[case::any_verb(requests(&[], "jobs"), 2)]
#[case::another_verb(requests(&["delete"], "jobs"), 0)]
#[case::another_resource(requests(&[], "pods"), 0)]
fn each_request_is_one_object(#[case] target: Target, #[case] count: usize) {
    let operator = Operator::Exactly { count, claim: matches(target, &json!({})) };
    assert_eq!(judged(&assertion(operator), &asked()), Judgement::Holds);
}

#[test]
fn requests_are_judged_by_their_content() {
    let refused = |resource: &str| {
        let claim = matches(requests(&[], resource), &json!({"code": 403}));
        judged(&assertion(Operator::Never(claim)), &asked())
    };
    assert_eq!(refused("jobs"), Judgement::Holds);
    assert_eq!(refused("jobs/status"), Judgement::Violated);
}

/// The assertion as an invariant of objects that came into being in this way.
fn standing(operator: Operator, made_by: Option<MadeBy>) -> Assertion {
    let standing = Arc::new(Standing { id: "INV-01".to_owned(), made_by });
    Assertion { standing: Some(standing), ..assertion(operator) }
}

#[rstest]
#[case::counted(Operator::Versions { at_most: 1, claim: matches(jobs(), &json!({})) })]
#[case::advancing(Operator::Advances {
    path: vec!["status".to_owned(), "phase".to_owned()],
    order: vec![vec!["a".to_owned()], vec!["b".to_owned()]],
    claim: matches(jobs(), &json!({})),
})]
#[case::settled(Operator::Settled {
    path: vec!["status".to_owned()],
    except: Vec::new(),
    claim: matches(jobs(), &phase("a")),
})]
fn an_invariant_holds_where_nothing_is_that_a_claim_would_need(#[case] operator: Operator) {
    let nothing = History::default();
    assert_eq!(judged(&assertion(operator.clone()), &nothing), Judgement::NotYet);
    assert_eq!(judged(&standing(operator, None), &nothing), Judgement::Holds);
}

#[rstest]
#[case::of_all(None, Judgement::Violated)]
#[case::of_the_controller(Some(MadeBy::Controller), Judgement::Violated)]
#[case::of_a_restore(Some(MadeBy::Restore), Judgement::Holds)]
fn an_invariant_is_about_those_that_one_maker_made(
    #[case] made_by: Option<MadeBy>,
    #[case] expected: Judgement,
) {
    let history = History::default().added("Job/a", 1, &phase("x"));
    let operator = Operator::Never(matches(jobs(), &phase("x")));
    assert_eq!(judged(&standing(operator, made_by), &history), expected);
}

#[test]
fn a_restored_object_is_judged_from_what_the_restore_left() {
    let written =
        |resource_version| Observation::Written { uid: "new".to_owned(), resource_version, restored: true };
    // Made without status first, as the API server wants it.
    let restored = History::default()
        .added("Job/a#new", 1, &json!({}))
        .modified("Job/a#new", 2, &phase("b"))
        .push(written(1))
        .push(written(2));
    let operator = Operator::Advances {
        path: vec!["status".to_owned(), "phase".to_owned()],
        order: vec![vec!["a".to_owned()], vec!["b".to_owned()], vec!["c".to_owned()]],
        claim: matches(jobs(), &json!({})),
    };
    let assertion = standing(operator, Some(MadeBy::Restore));
    let on = History(restored.0.clone()).modified("Job/a#new", 3, &phase("c"));
    assert_eq!(judged(&assertion, &on), Judgement::Holds);
    let back = restored.modified("Job/a#new", 3, &phase("a"));
    assert_eq!(judged(&assertion, &back), Judgement::Violated);
}
