use rstest::rstest;

use super::{Dialect, Kind, compare};
use crate::yaml::{Node, Source, parse_documents};

fn node(text: &str) -> Node {
    parse_documents(&Source::new("s.yaml", text)).expect("parses").remove(0)
}

fn kinds(old: &str, new: &str, dialect: Dialect) -> Vec<(Kind, String)> {
    let (old, new) = (node(old), node(new));
    let mut found: Vec<_> =
        compare(&old, &new, dialect).into_iter().map(|change| (change.kind, change.path)).collect();
    found.sort();
    found
}

/// Both directions of one difference: what narrows one way widens the other way.
#[rstest]
#[case::field(
    "{properties: {a: {type: string}}}",
    "{properties: {}}",
    Kind::FieldRemoved,
    Kind::FieldAdded,
    "a"
)]
#[case::type_("{type: string}", "{type: integer}", Kind::TypeNarrowed, Kind::TypeNarrowed, "")]
#[case::integers_are_numbers("{type: number}", "{type: integer}", Kind::TypeNarrowed, Kind::TypeWidened, "")]
#[case::int_or_string(
    "{x-kubernetes-int-or-string: true}",
    "{type: string}",
    Kind::TypeNarrowed,
    Kind::TypeWidened,
    ""
)]
#[case::required(
    "{properties: {a: {}}}",
    "{properties: {a: {}}, required: [a]}",
    Kind::NewlyRequired,
    Kind::Widened,
    "a"
)]
#[case::choices("{enum: [a, b]}", "{enum: [a]}", Kind::EnumNarrowed, Kind::Widened, "")]
#[case::choices_where_were_none(
    "{type: string}",
    "{type: string, enum: [a]}",
    Kind::EnumNarrowed,
    Kind::Widened,
    ""
)]
#[case::maximum(
    "{type: integer, maximum: 10}",
    "{type: integer, maximum: 9}",
    Kind::BoundNarrowed,
    Kind::Widened,
    ""
)]
#[case::minimum("{minimum: 1}", "{minimum: 2}", Kind::BoundNarrowed, Kind::Widened, "")]
#[case::exclusive(
    "{minimum: 1}",
    "{minimum: 1, exclusiveMinimum: true}",
    Kind::BoundNarrowed,
    Kind::Widened,
    ""
)]
#[case::length("{maxLength: 10}", "{maxLength: 9}", Kind::BoundNarrowed, Kind::Widened, "")]
#[case::a_new_length("{}", "{minLength: 1}", Kind::BoundNarrowed, Kind::Widened, "")]
#[case::items("{}", "{maxItems: 1}", Kind::BoundNarrowed, Kind::Widened, "")]
#[case::pattern("{}", "{pattern: a}", Kind::PatternNarrowed, Kind::Widened, "")]
#[case::another_pattern("{pattern: b}", "{pattern: a}", Kind::PatternNarrowed, Kind::PatternNarrowed, "")]
#[case::format("{format: int64}", "{format: int32}", Kind::PatternNarrowed, Kind::Widened, "")]
#[case::nullable(
    "{type: string, nullable: true}",
    "{type: string}",
    Kind::NullableRemoved,
    Kind::Widened,
    ""
)]
#[case::in_items(
    "{items: {maxLength: 2}}",
    "{items: {maxLength: 1}}",
    Kind::BoundNarrowed,
    Kind::Widened,
    "[]"
)]
#[case::in_maps(
    "{additionalProperties: {maxLength: 2}}",
    "{additionalProperties: {maxLength: 1}}",
    Kind::BoundNarrowed,
    Kind::Widened,
    "[*]"
)]
#[case::no_other_keys(
    "{additionalProperties: {type: string}}",
    "{}",
    Kind::FieldRemoved,
    Kind::Widened,
    "[*]"
)]
#[case::unknown_fields(
    "{x-kubernetes-preserve-unknown-fields: true}",
    "{}",
    Kind::UnknownFieldsDropped,
    Kind::Widened,
    ""
)]
#[case::list_type(
    "{type: array, x-kubernetes-list-type: map}",
    "{type: array}",
    Kind::ListTypeChanged,
    Kind::ListTypeChanged,
    ""
)]
#[case::map_keys(
    "{x-kubernetes-list-map-keys: [a]}",
    "{x-kubernetes-list-map-keys: [a, b]}",
    Kind::ListTypeChanged,
    Kind::ListTypeChanged,
    ""
)]
#[case::rule("{}", "{x-kubernetes-validations: [{rule: self.a}]}", Kind::RuleAdded, Kind::Widened, "")]
#[case::changed_rule(
    "{x-kubernetes-validations: [{rule: self.b}]}",
    "{x-kubernetes-validations: [{rule: self.a}]}",
    Kind::RuleChanged,
    Kind::RuleChanged,
    ""
)]
#[case::default("{default: 1}", "{default: 2}", Kind::DefaultChanged, Kind::DefaultChanged, "")]
#[case::condition("{}", "{not: {type: string}}", Kind::ConditionChanged, Kind::Widened, "")]
fn a_difference_is_told_in_both_directions(
    #[case] wide: &str,
    #[case] narrow: &str,
    #[case] there: Kind,
    #[case] back: Kind,
    #[case] path: &str,
) {
    let dialect = Dialect::Structural;
    assert_eq!(kinds(wide, narrow, dialect), [(there, path.to_owned())]);
    assert_eq!(kinds(narrow, wide, dialect), [(back, path.to_owned())]);
}

#[rstest]
#[case::order(
    "{required: [a, b], enum: [x, y], properties: {a: {}, b: {}}}",
    "{properties: {b: {}, a: {}}, enum: [y, x], required: [b, a]}"
)]
#[case::words("{description: one, title: a}", "{description: two}")]
#[case::white_space_in_rules(
    "{x-kubernetes-validations: [{rule: 'self.a  ==\n 1'}]}",
    "{x-kubernetes-validations: [{rule: 'self.a == 1'}]}"
)]
#[case::no_length("{}", "{minLength: 0}")]
#[case::the_default_list_type("{type: array}", "{type: array, x-kubernetes-list-type: atomic}")]
#[case::required_but_filled_in(
    "{properties: {a: {default: 1}}}",
    "{properties: {a: {default: 1}}, required: [a]}"
)]
#[case::keys_of_a_condition("{if: {a: 1, b: 2}}", "{if: {b: 2, a: 1}}")]
fn what_means_the_same_is_no_difference(#[case] old: &str, #[case] new: &str) {
    assert_eq!(kinds(old, new, Dialect::Structural), []);
}

#[test]
fn a_required_field_that_is_no_longer_filled_in_is_newly_required() {
    let old = "{properties: {a: {default: 1}}, required: [a]}";
    let found = kinds(old, "{properties: {a: {}}, required: [a]}", Dialect::Structural);
    assert_eq!(found, [(Kind::NewlyRequired, "a".to_owned()), (Kind::DefaultChanged, "a".to_owned())]);
}

#[test]
fn a_field_that_is_no_longer_named_may_still_be_kept() {
    let old = "{x-kubernetes-preserve-unknown-fields: true, properties: {a: {type: string}}}";
    let new = "{x-kubernetes-preserve-unknown-fields: true}";
    assert_eq!(kinds(old, new, Dialect::Structural), [(Kind::FieldUntyped, "a".to_owned())]);
    // The way back narrows: anything may stand there.
    let found = kinds(new, old, Dialect::Structural);
    assert_eq!(found, [(Kind::FieldAdded, "a".to_owned()), (Kind::TypeNarrowed, "a".to_owned())]);
}

#[rstest]
#[case::through_a_reference(
    "{properties: {a: {$ref: '#/definitions/n'}}, definitions: {n: {maximum: 2}}}",
    "{properties: {a: {maximum: 1}}}",
    &[(Kind::BoundNarrowed, "a")]
)]
#[case::through_all_of("{allOf: [{maxLength: 2}, {minLength: 1}]}", "{minLength: 1, maxLength: 2}", &[])]
#[case::null_is_a_type("{type: [string, 'null']}", "{type: string}", &[(Kind::NullableRemoved, "")])]
#[case::closed("{type: object}", "{type: object, additionalProperties: false}", &[(Kind::FieldRemoved, "[*]")])]
#[case::a_key_that_the_rest_covers(
    "{properties: {a: {type: string}}, additionalProperties: {type: string}}",
    "{additionalProperties: {type: string}}",
    &[]
)]
#[case::an_alternative_less("{oneOf: [{type: string}, {type: integer}]}", "{oneOf: [{type: integer}]}", &[(Kind::ConditionChanged, "")])]
#[case::an_alternative_more("{oneOf: [{type: string}]}", "{oneOf: [{type: integer}, {type: string}]}", &[])]
#[case::a_narrower_alternative("{anyOf: [{maximum: 2}]}", "{anyOf: [{maximum: 1}]}", &[(Kind::ConditionChanged, "")])]
#[case::nothing("{properties: {a: {}}}", "{properties: {a: false}}", &[(Kind::TypeNarrowed, "a")])]
#[case::a_schema_within_itself(
    "{properties: {a: {$ref: '#'}, b: {maximum: 2}}}",
    "{properties: {a: {$ref: '#'}, b: {maximum: 1}}}",
    &[(Kind::BoundNarrowed, "a.b"), (Kind::BoundNarrowed, "b")]
)]
fn json_schema_is_read_as_helm_reads_it(
    #[case] old: &str,
    #[case] new: &str,
    #[case] expected: &[(Kind, &str)],
) {
    let expected: Vec<_> = expected.iter().map(|(kind, path)| (*kind, (*path).to_owned())).collect();
    assert_eq!(kinds(old, new, Dialect::Json), expected);
}

#[test]
fn a_change_knows_its_line_in_the_new_document() {
    let (old, new) = (node("properties:\n  a: {maximum: 2}\n"), node("\nproperties:\n\n  a: {maximum: 1}\n"));
    let changes = compare(&old, &new, Dialect::Json);
    assert_eq!(changes[0].at.span.line, 4);
    assert_eq!(changes[0].what, "maximum 2 became 1");
}
