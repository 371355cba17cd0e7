//! What matches, and what does not.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::yaml::{Location, Node, Source};

fn node(value: &Value) -> Node {
    Node::from_json(value, &Location::start_of(&Source::new("expected.yaml", value.to_string())))
}

fn pattern(value: &Value) -> Pattern {
    Pattern::compile(&node(value)).unwrap()
}

fn paths(expected: &Value, actual: &Value) -> Vec<String> {
    pattern(expected).mismatches(actual).iter().map(|mismatch| mismatch.path.to_string()).collect()
}

#[rstest]
#[case::subset(json!({"a": 1}), json!({"a": 1, "b": 2}))]
#[case::whole_float(json!({"a": 3}), json!({"a": 3.0}))]
#[case::null_is_absent(json!({"a": null}), json!({}))]
#[case::null_is_null(json!({"a": null}), json!({"a": null}))]
#[case::by_name(json!([{"name": "b", "v": 2}]), json!([{"name": "a"}, {"name": "b", "v": 2}]))]
#[case::by_type(json!([{"type": "Ready", "status": "True"}]), json!([{"type": "X"}, {"type": "Ready", "status": "True"}]))]
#[case::mounts_of_one_volume(json!([{"name": "d", "mountPath": "/b", "readOnly": true}]), json!([{"name": "d", "mountPath": "/a"}, {"name": "d", "mountPath": "/b", "readOnly": true}]))]
#[case::scalars_in_order(json!(["a", "b"]), json!(["a", "b"]))]
#[case::absent_below_absent(json!({"status": {"reason": {"$absent": true}}}), json!({}))]
#[case::present(json!({"a": {"$present": true}}), json!({"a": 0}))]
#[case::not_absent(json!({"a": {"$absent": false}}), json!({"a": 0}))]
#[case::equals(json!({"a": {"$equals": {"b": 1}}}), json!({"a": {"b": 1}}))]
#[case::not(json!({"a": {"$not": 30}}), json!({"a": 31}))]
#[case::matches(json!({"a": {"$matches": "^r-[0-9]+$"}}), json!({"a": "r-12"}))]
#[case::cel(json!({"a": {"$cel": "self > 3"}}), json!({"a": 4}))]
#[case::any(json!({"a": {"$any": {"b": 1}}}), json!({"a": [{"b": 2}, {"b": 1}]}))]
#[case::all(json!({"a": {"$all": {"b": 1}}}), json!({"a": [{"b": 1, "c": 2}, {"b": 1}]}))]
#[case::none(json!({"a": {"$none": {"b": 1}}}), json!({"a": [{"b": 2}]}))]
#[case::none_of_absent(json!({"a": {"$none": {"b": 1}}}), json!({}))]
#[case::exactly(json!({"a": {"$exactly": {"count": 2, "of": 1}}}), json!({"a": [1, 2, 1]}))]
#[case::ordered(json!({"a": {"$ordered": [{"name": "x"}, {"name": "y"}]}}), json!({"a": [{"name": "x", "v": 1}, {"name": "y"}]}))]
#[case::contains(json!({"a": {"$contains": ["y", "x"]}}), json!({"a": ["x", "y", "z"]}))]
#[case::length(json!({"a": {"$length": 2}}), json!({"a": ["x", "y"]}))]
#[case::length_of_absent(json!({"a": {"$length": 0}}), json!({}))]
#[case::one_of(json!({"a": {"$oneOf": ["x", "y"]}}), json!({"a": "y"}))]
#[case::json(json!({"a": {"$json": {"$equals": {"b": 1, "c": [2]}}}}), json!({"a": r#"{"c": [2], "b": 1}"#}))]
fn holds(#[case] expected: Value, #[case] actual: Value) {
    assert_eq!(paths(&expected, &actual), Vec::<String>::new());
    assert_eq!(pattern(&expected).matches(&actual), Ok(true));
}

#[rstest]
#[case::string_is_no_number(json!({"a": "3"}), json!({"a": 3}), &["a"])]
#[case::large_integers_are_not_rounded(json!({"a": 9_007_199_254_740_993_i64}), json!({"a": 9_007_199_254_740_992_i64}), &["a"])]
#[case::absent_mapping_by_leaf(json!({"s": {"a": 1, "b": 2}}), json!({}), &["s.a", "s.b"])]
#[case::empty_mapping_is_required(json!({"status": {}}), json!({}), &["status"])]
#[case::empty_list_is_required(json!({"a": []}), json!({}), &["a"])]
#[case::empty_list_is_empty(json!({"a": []}), json!({"a": [1]}), &["a[0]"])]
#[case::mapping_where_a_string_is(json!({"s": {"a": null}}), json!({"s": "x"}), &["s"])]
#[case::element_is_missing(json!({"e": [{"name": "b"}]}), json!({"e": [{"name": "a"}]}), &["e[name=b]"])]
#[case::element_differs(json!({"e": [{"name": "b", "v": 1}]}), json!({"e": [{"name": "b", "v": 2}]}), &["e[name=b].v"])]
#[case::element_set_twice(json!({"e": [{"name": "b", "v": 1}]}), json!({"e": [{"name": "b", "v": 1}, {"name": "b", "v": 2}]}), &["e[name=b].v"])]
#[case::scalars_out_of_order(json!(["a", "b"]), json!(["b", "a"]), &["[0]", "[1]"])]
#[case::longer_list(json!({"l": ["a"]}), json!({"l": ["a", "b"]}), &["l[1]"])]
#[case::not_present(json!({"a": {"$present": true}}), json!({"a": null}), &["a"])]
#[case::equals_more(json!({"a": {"$equals": {"b": 1}}}), json!({"a": {"b": 1, "c": 2}}), &["a"])]
#[case::not_of_equal(json!({"a": {"$not": 30}}), json!({"a": 30}), &["a"])]
#[case::matches_absent(json!({"a": {"$matches": ".*"}}), json!({}), &["a"])]
#[case::matches_number(json!({"a": {"$matches": "3"}}), json!({"a": 3}), &["a"])]
#[case::cel_error(json!({"a": {"$cel": "self.b < 3"}}), json!({"a": {"b": "2"}}), &["a"])]
#[case::cel_absent(json!({"a": {"$cel": "true"}}), json!({}), &["a"])]
#[case::any_of_none(json!({"a": {"$any": {"b": 1}}}), json!({"a": []}), &["a"])]
#[case::all_of_nothing(json!({"a": {"$all": {"b": 1}}}), json!({"a": []}), &["a"])]
#[case::all_of_absent(json!({"a": {"$all": {"b": 1}}}), json!({}), &["a"])]
#[case::all_but_one(json!({"a": {"$all": {"b": 1}}}), json!({"a": [{"b": 1}, {"b": 2}]}), &["a[1].b"])]
#[case::none_but_one(json!({"a": {"$none": {"b": 1}}}), json!({"a": [{"b": 1}]}), &["a"])]
#[case::none_of_a_string(json!({"a": {"$none": {"b": 1}}}), json!({"a": "x"}), &["a"])]
#[case::exactly_more(json!({"a": {"$exactly": {"count": 1, "of": 1}}}), json!({"a": [1, 1]}), &["a"])]
#[case::contains_one(json!({"a": {"$contains": ["x", "q"]}}), json!({"a": ["x"]}), &["a"])]
#[case::json_differs(json!({"a": {"$json": {"b": 1, "c": 2}}}), json!({"a": r#"{"b": 1, "c": 3}"#}), &["a.c"])]
#[case::no_json(json!({"a": {"$json": {"b": 1}}}), json!({"a": "b: 1"}), &["a"])]
#[case::json_of_a_mapping(json!({"a": {"$json": {"b": 1}}}), json!({"a": {"b": 1}}), &["a"])]
#[case::json_of_absent(json!({"a": {"$json": {"$absent": true}}}), json!({}), &["a"])]
#[case::one_of_none(json!({"a": {"$oneOf": ["x", "y"]}}), json!({"a": "z"}), &["a"])]
fn fails_at(#[case] expected: Value, #[case] actual: Value, #[case] at: &[&str]) {
    assert_eq!(paths(&expected, &actual), at);
    assert_eq!(pattern(&expected).matches(&actual), Ok(false));
}

#[rstest]
#[case::alone(json!({"a": {"$cel": "self.b"}}))]
#[case::the_other_way_round(json!({"a": {"$not": {"$cel": "self.b"}}}))]
#[case::of_an_element(json!({"e": {"$none": {"$cel": "self"}}}))]
#[case::one_of_several(json!({"e": {"$contains": [{"$oneOf": [{"$cel": "self"}, 3]}]}}))]
fn an_expression_without_an_answer_is_never_taken_for_one(#[case] expected: Value) {
    let actual = json!({"a": {"b": "2"}, "e": ["x"]});
    let wrong = pattern(&expected).matches(&actual).unwrap_err();
    assert!(wrong.contains("not true or false"), "{wrong}");
}

#[rstest]
#[case::unknown(json!({"a": {"$absnt": true}}), "unknown operator")]
#[case::mixed(json!({"a": {"$absent": true, "b": 1}}), "only key")]
#[case::regex(json!({"a": {"$matches": "("}}), "no regular expression")]
#[case::cel(json!({"a": {"$cel": "self.b ="}}), "no CEL expression")]
#[case::cel_variable(json!({"a": {"$cel": "case.b"}}), "no variable `case`")]
#[case::count(json!({"a": {"$exactly": {"count": -1, "of": 1}}}), "`count`")]
#[case::exactly_typo(json!({"a": {"$exactly": {"count": 1, "off": 1}}}), "$exactly")]
#[case::contains_nothing(json!({"a": {"$contains": []}}), "$contains")]
#[case::absent_of_text(json!({"a": {"$absent": "yes"}}), "$absent")]
fn mistakes_are_found_before_anything_runs(#[case] expected: Value, #[case] message: &str) {
    let mistakes = validate(&node(&expected));
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].message.contains(message), "{}", mistakes[0].message);
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,6}".prop_map(Value::from),
    ]
}

/// Objects as Kubernetes has them: mappings, lists of scalars and lists of named elements.
fn object() -> impl Strategy<Value = Value> {
    let tree = scalar().prop_recursive(4, 40, 4, |inner| {
        let map = prop::collection::btree_map("[a-f]{1,3}", inner, 0..4);
        prop_oneof![
            map.clone().prop_map(|map| map.into_iter().collect()),
            prop::collection::vec(scalar(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", map, 0..4).prop_map(|elements| {
                elements
                    .into_iter()
                    .map(|(name, rest)| {
                        let mut element: serde_json::Map<_, _> = rest.into_iter().collect();
                        element.insert("name".into(), name.into());
                        Value::Object(element)
                    })
                    .collect()
            }),
        ]
    });
    prop::collection::btree_map("[a-f]{1,3}", tree, 1..5).prop_map(|map| map.into_iter().collect())
}

/// Leaves out keys and named elements as `choices` says.
fn subset(value: &Value, choices: &mut impl Iterator<Item = bool>) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter_map(|(key, value)| {
                let keep = key == "name" || choices.next().unwrap_or(true);
                keep.then(|| (key.clone(), subset(value, choices)))
            })
            .collect(),
        Value::Array(items) if items.iter().all(Value::is_object) && !items.is_empty() => {
            let mut kept: Vec<Value> = Vec::new();
            for item in items {
                if kept.is_empty() || choices.next().unwrap_or(true) {
                    kept.push(subset(item, choices));
                }
            }
            kept.into()
        }
        _ => value.clone(),
    }
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(map) => map.values().map(leaves).sum(),
        Value::Array(items) => items.iter().map(leaves).sum(),
        _ => 1,
    }
}

/// Replaces the `n`th leaf by a value that occurs nowhere.
fn mutate(value: &mut Value, n: &mut usize) {
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| mutate(value, n)),
        Value::Array(items) => items.iter_mut().for_each(|value| mutate(value, n)),
        leaf => {
            if *n == 0 {
                *leaf = "MUTATED".into();
            }
            *n = n.wrapping_sub(1);
        }
    }
}

proptest! {
    #[test]
    fn an_object_matches_itself(object in object()) {
        prop_assert_eq!(paths(&object, &object), Vec::<String>::new());
    }

    #[test]
    fn an_object_matches_its_subsets(object in object(), choices in prop::collection::vec(any::<bool>(), 64)) {
        let expected = subset(&object, &mut choices.into_iter());
        prop_assert_eq!(paths(&expected, &object), Vec::<String>::new());
    }

    #[test]
    fn no_leaf_of_an_expected_subset_can_change_unnoticed(
        object in object(),
        choices in prop::collection::vec(any::<bool>(), 64),
        leaf in any::<prop::sample::Index>(),
    ) {
        let mut expected = subset(&object, &mut choices.into_iter());
        let count = leaves(&expected);
        prop_assume!(count > 0);
        mutate(&mut expected, &mut leaf.index(count));
        let pattern = pattern(&expected);
        prop_assert_eq!(pattern.matches(&object), Ok(false));
        prop_assert!(!pattern.mismatches(&object).is_empty());
    }
}
