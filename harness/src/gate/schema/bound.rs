//! Numbers that a schema puts around values.

use crate::yaml::{Node, Value};

/// A number from below or above.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bound {
    pub(super) value: f64,
    /// Whether the number itself is outside.
    pub(super) exclusive: bool,
}

/// The keywords of a kind of bound: from below, from above, and what holds when the first is absent.
pub(super) struct Keywords {
    pub(super) lower: &'static str,
    pub(super) upper: &'static str,
    floor: Option<f64>,
}

/// Every pair of bounds.
pub(super) const PAIRS: [Keywords; 4] = [
    Keywords { lower: "minimum", upper: "maximum", floor: None },
    Keywords { lower: "minLength", upper: "maxLength", floor: Some(0.0) },
    Keywords { lower: "minItems", upper: "maxItems", floor: Some(0.0) },
    Keywords { lower: "minProperties", upper: "maxProperties", floor: Some(0.0) },
];

impl Keywords {
    /// The bound from below that a schema states.
    pub(super) fn lower_of(&self, schema: &Node) -> Option<Bound> {
        let floor = |bound: &Bound| bound.exclusive || self.floor.is_none_or(|floor| bound.value > floor);
        let exclusive = (self.lower == "minimum").then_some("exclusiveMinimum");
        read(schema, self.lower, exclusive).filter(floor)
    }

    /// The bound from above that a schema states.
    pub(super) fn upper_of(&self, schema: &Node) -> Option<Bound> {
        let exclusive = (self.upper == "maximum").then_some("exclusiveMaximum");
        read(schema, self.upper, exclusive)
    }
}

/// `exclusiveMinimum` is a switch in `OpenAPI` and a number of its own since JSON Schema's sixth draft.
fn read(schema: &Node, keyword: &str, exclusive: Option<&str>) -> Option<Bound> {
    let plain = number(schema.get(keyword));
    let switch = exclusive.and_then(|keyword| schema.get(keyword));
    match (plain, number(switch)) {
        (_, Some(value)) => Some(Bound { value, exclusive: true }),
        (Some(value), None) => {
            let exclusive = switch.is_some_and(|node| node.value == Value::Bool(true));
            Some(Bound { value, exclusive })
        }
        (None, None) => None,
    }
}

pub(super) fn number(node: Option<&Node>) -> Option<f64> {
    match &node?.value {
        Value::Number(number) => number.as_f64(),
        _ => None,
    }
}

/// Whether `new` keeps out more from below than `old`.
pub(super) fn is_higher(old: Option<Bound>, new: Option<Bound>) -> bool {
    match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => {
            new.value > old.value || (is_same(old, new) && new.exclusive && !old.exclusive)
        }
    }
}

/// Whether `new` keeps out more from above than `old`.
pub(super) fn is_lower(old: Option<Bound>, new: Option<Bound>) -> bool {
    match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => {
            new.value < old.value || (is_same(old, new) && new.exclusive && !old.exclusive)
        }
    }
}

fn is_same(old: Bound, new: Bound) -> bool {
    old.value.total_cmp(&new.value).is_eq()
}

/// For people.
pub(super) fn words(bound: Option<Bound>) -> String {
    match bound {
        None => "none".to_owned(),
        Some(Bound { value, exclusive: false }) => value.to_string(),
        Some(Bound { value, exclusive: true }) => format!("{value} (excluded)"),
    }
}
