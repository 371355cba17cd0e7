//! A schema as a conjunction of the parts that state it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::bound::{Bound, PAIRS, is_higher, is_lower, number};
use crate::yaml::{Location, Node, Value};

/// How a schema is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gate) enum Dialect {
    /// A structural schema of a CRD: what it does not name is pruned.
    Structural,
    /// JSON Schema: what it does not name is allowed.
    Json,
}

/// Parts that all have to hold; none hold for everything.
pub(in crate::gate) type Conjunction<'a> = Vec<&'a Node>;

/// What a map may hold beside the keys that are named.
#[derive(Debug, Clone)]
pub(super) enum Rest<'a> {
    /// Anything.
    Open,
    /// Nothing, or nothing that is kept.
    Closed,
    /// What a schema says.
    Schema(Conjunction<'a>),
}

/// A CEL rule of a structural schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) text: String,
    pub(super) message: String,
}

/// What a conjunction says, keyword by keyword.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a keyword of its own")]
pub(in crate::gate) struct View<'a> {
    /// Whether nothing is valid (`false`).
    pub(super) never: bool,
    /// Types other than null; `None` is any.
    pub(super) types: Option<BTreeSet<String>>,
    pub(super) nullable: bool,
    pub(super) keeps_unknown: bool,
    properties: BTreeMap<String, (&'a Location, Conjunction<'a>)>,
    patterned: Vec<(String, Conjunction<'a>)>,
    pub(super) rest: Rest<'a>,
    pub(super) required: BTreeSet<String>,
    pub(super) choices: Option<Vec<Json>>,
    /// By keyword, those from below first.
    pub(super) bounds: Vec<[(&'static str, Option<Bound>); 2]>,
    pub(super) multiple_of: Option<f64>,
    pub(super) unique: bool,
    pub(super) patterns: BTreeSet<String>,
    pub(super) format: Option<String>,
    pub(super) items: Conjunction<'a>,
    pub(super) default: Option<Json>,
    pub(super) rules: Vec<Rule>,
    pub(super) list: BTreeMap<&'static str, String>,
    /// The branches of each `anyOf` and `oneOf`.
    pub(super) alternatives: Vec<(&'static str, Vec<Conjunction<'a>>)>,
    /// What cannot be compared, only told to be the same: keyword and text.
    pub(super) conditions: BTreeSet<(&'static str, String)>,
}

/// Keywords whose meaning is not followed.
const OPAQUE: [&str; 8] = ["not", "if", "then", "else", "const", "contains", "dependencies", "propertyNames"];
const LISTS: [&str; 3] = ["x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"];

impl<'a> View<'a> {
    /// Reads a conjunction; `root` is the document that `$ref` points into.
    pub(in crate::gate) fn new(schema: &[&'a Node], root: &'a Node, dialect: Dialect) -> Self {
        let mut parts = Vec::new();
        for part in schema {
            expand(part, root, &mut parts);
        }
        let mut view = Self::anything(dialect);
        for part in parts {
            view.add(part, dialect);
        }
        if view.keeps_unknown {
            view.rest = match view.rest {
                Rest::Closed => Rest::Open,
                stated => stated,
            };
        }
        view
    }

    fn anything(dialect: Dialect) -> Self {
        Self {
            never: false,
            types: None,
            nullable: dialect == Dialect::Json,
            keeps_unknown: false,
            properties: BTreeMap::new(),
            patterned: Vec::new(),
            rest: if dialect == Dialect::Json { Rest::Open } else { Rest::Closed },
            required: BTreeSet::new(),
            choices: None,
            bounds: PAIRS.iter().map(|pair| [(pair.lower, None), (pair.upper, None)]).collect(),
            multiple_of: None,
            unique: false,
            patterns: BTreeSet::new(),
            format: None,
            items: Vec::new(),
            default: None,
            rules: Vec::new(),
            list: BTreeMap::new(),
            alternatives: Vec::new(),
            conditions: BTreeSet::new(),
        }
    }

    fn add(&mut self, part: &'a Node, dialect: Dialect) {
        self.never |= part.value == Value::Bool(false);
        self.add_types(part, dialect);
        self.add_map(part, dialect);
        self.add_bounds(part);
        if let Some(choices) = part.get("enum").and_then(Node::as_list) {
            let choices: Vec<Json> = choices.iter().map(Node::to_json).collect();
            self.choices = Some(match self.choices.take() {
                None => choices,
                Some(before) => before.into_iter().filter(|choice| choices.contains(choice)).collect(),
            });
        }
        self.patterns.extend(text(part, "pattern"));
        self.format = text(part, "format").or(self.format.take());
        self.items.extend(part.get("items"));
        self.default = part.get("default").map(Node::to_json).or(self.default.take());
        for rule in part.get("x-kubernetes-validations").and_then(Node::as_list).unwrap_or_default() {
            let text = |key| text(rule, key).unwrap_or_default();
            let words: Vec<String> = text("rule").split_whitespace().map(str::to_owned).collect();
            self.rules.push(Rule { text: words.join(" "), message: text("message") });
        }
        for keyword in LISTS {
            if let Some(value) = part.get(keyword) {
                self.list.insert(keyword, value.to_json().to_string());
            }
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(branches) = part.get(keyword).and_then(Node::as_list) {
                self.alternatives.push((keyword, branches.iter().map(|branch| vec![branch]).collect()));
            }
        }
        for keyword in OPAQUE {
            if let Some(value) = part.get(keyword) {
                self.conditions.insert((keyword, canonical(&value.to_json()).to_string()));
            }
        }
    }

    fn add_types(&mut self, part: &Node, dialect: Dialect) {
        let mut stated: Option<BTreeSet<String>> = part.get("type").map(|types| match &types.value {
            Value::List(types) => types.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
            _ => types.as_str().map(str::to_owned).into_iter().collect(),
        });
        if is_true(part, "x-kubernetes-int-or-string") {
            stated = Some(["integer", "string"].map(str::to_owned).into());
        }
        match dialect {
            Dialect::Structural => self.nullable |= is_true(part, "nullable"),
            Dialect::Json => {
                if let Some(types) = &mut stated {
                    self.nullable &= types.remove("null");
                }
            }
        }
        let Some(stated) = stated else { return };
        self.types = Some(match self.types.take() {
            None => stated,
            Some(before) => before.intersection(&stated).cloned().collect(),
        });
    }

    fn add_map(&mut self, part: &'a Node, dialect: Dialect) {
        for entry in part.get("properties").and_then(Node::as_map).unwrap_or_default() {
            let place = (&entry.key_location, Vec::new());
            let property = self.properties.entry(entry.key.clone()).or_insert(place);
            property.1.push(&entry.value);
        }
        for entry in part.get("patternProperties").and_then(Node::as_map).unwrap_or_default() {
            self.patterned.push((entry.key.clone(), vec![&entry.value]));
        }
        for name in part.get("required").and_then(Node::as_list).unwrap_or_default() {
            self.required.extend(name.as_str().map(str::to_owned));
        }
        self.keeps_unknown |= is_true(part, "x-kubernetes-preserve-unknown-fields");
        match part.get("additionalProperties") {
            None => {}
            Some(node) if node.value == Value::Bool(false) => self.rest = Rest::Closed,
            Some(node) if node.value == Value::Bool(true) && dialect == Dialect::Structural => {
                self.rest = Rest::Open;
            }
            // In JSON Schema it says what holds anyway.
            Some(node) if node.value == Value::Bool(true) => {}
            Some(node) => match &mut self.rest {
                Rest::Schema(parts) => parts.push(node),
                Rest::Closed if dialect == Dialect::Json => {}
                Rest::Open | Rest::Closed => self.rest = Rest::Schema(vec![node]),
            },
        }
    }

    fn add_bounds(&mut self, part: &Node) {
        for (pair, [lower, upper]) in PAIRS.iter().zip(&mut self.bounds) {
            let stated = pair.lower_of(part);
            if is_higher(lower.1, stated) {
                lower.1 = stated;
            }
            let stated = pair.upper_of(part);
            if is_lower(upper.1, stated) {
                upper.1 = stated;
            }
        }
        self.multiple_of = number(part.get("multipleOf")).or(self.multiple_of);
        self.unique |= is_true(part, "uniqueItems");
    }

    /// The named properties, and where they are named.
    pub(in crate::gate) fn properties(&self) -> impl Iterator<Item = (&str, &'a Location, &Conjunction<'a>)> {
        self.properties.iter().map(|(name, (place, schema))| (name.as_str(), *place, schema))
    }

    pub(in crate::gate) fn property(&self, name: &str) -> Option<&Conjunction<'a>> {
        self.properties.get(name).map(|(_, schema)| schema)
    }

    /// What holds for a key that is not named: `None` if it must not be there.
    pub(super) fn unnamed(&self, name: &str) -> Option<Conjunction<'a>> {
        let matching: Conjunction<'a> = self
            .patterned
            .iter()
            .filter(|(pattern, _)| regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(name)))
            .flat_map(|(_, schema)| schema.iter().copied())
            .collect();
        if !matching.is_empty() {
            return Some(matching);
        }
        match &self.rest {
            Rest::Open => Some(Vec::new()),
            Rest::Closed => None,
            Rest::Schema(schema) => Some(schema.clone()),
        }
    }

    pub(super) fn patterned(&self) -> &[(String, Conjunction<'a>)] {
        &self.patterned
    }

    /// The edges of what is accepted: choices, bounds, both switches, null and the empty text.
    pub(in crate::gate) fn edge_values(&self) -> Vec<Json> {
        let mut values = self.choices.clone().unwrap_or_default();
        let may_be = |name: &str| self.types.as_ref().is_some_and(|types| types.contains(name));
        if may_be("boolean") {
            values.extend([Json::Bool(false), Json::Bool(true)]);
        }
        if may_be("integer") || may_be("number") {
            let ends = self.bounds.first().into_iter().flatten();
            for bound in ends.filter_map(|(_, bound)| *bound).filter(|bound| !bound.exclusive) {
                values.extend(whole(bound.value));
            }
        }
        if may_be("string") && self.choices.is_none() {
            values.push(Json::String(String::new()));
        }
        if self.nullable && self.types.is_some() {
            values.push(Json::Null);
        }
        values
    }
}

/// A whole number without a fraction, as Helm would print it.
#[expect(clippy::cast_possible_truncation, reason = "only numbers that a float holds exactly")]
fn whole(value: f64) -> Option<Json> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    (value.fract() == 0.0 && value.abs() <= EXACT).then(|| Json::from(value as i64))
}

/// The part itself, what it refers to, and the members of its `allOf`.
fn expand<'a>(part: &'a Node, root: &'a Node, parts: &mut Vec<&'a Node>) {
    // References that lead back here add nothing.
    if parts.iter().any(|known| std::ptr::eq(*known, part)) {
        return;
    }
    parts.push(part);
    if let Some(target) = part.get("$ref").and_then(Node::as_str).and_then(|path| resolve(root, path)) {
        expand(target, root, parts);
    }
    for member in part.get("allOf").and_then(Node::as_list).unwrap_or_default() {
        expand(member, root, parts);
    }
}

/// What a reference within the document means; others are not followed.
fn resolve<'a>(root: &'a Node, reference: &str) -> Option<&'a Node> {
    let path = reference.strip_prefix('#')?;
    let keys = path.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~"));
    keys.into_iter().try_fold(root, |node, key| node.get(&key))
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(Node::as_str).map(str::to_owned)
}

fn is_true(node: &Node, key: &str) -> bool {
    node.get(key).is_some_and(|value| value.value == Value::Bool(true))
}

/// The value with the keys of all maps in order, so that equal values are equal texts.
pub(in crate::gate) fn canonical(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let sorted: BTreeMap<&String, Json> =
                map.iter().map(|(key, value)| (key, canonical(value))).collect();
            sorted.into_iter().map(|(key, value)| (key.clone(), value)).collect()
        }
        Json::Array(items) => items.iter().map(canonical).collect(),
        other => other.clone(),
    }
}
