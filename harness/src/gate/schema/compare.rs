//! Where two schemas differ.

use serde_json::Value as Json;

use super::bound::{Bound, is_higher, is_lower, words};
use super::view::{Conjunction, Dialect, Rest, Rule, View, canonical};
use crate::yaml::{Location, Node};

/// What kind of difference it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::gate) enum Kind {
    FieldRemoved,
    FieldAdded,
    /// No longer described, but not refused or dropped.
    FieldUntyped,
    TypeNarrowed,
    TypeWidened,
    NewlyRequired,
    EnumNarrowed,
    BoundNarrowed,
    PatternNarrowed,
    NullableRemoved,
    UnknownFieldsDropped,
    ListTypeChanged,
    RuleAdded,
    RuleChanged,
    DefaultChanged,
    ConditionChanged,
    /// More is accepted than before.
    Widened,
}

impl Kind {
    /// Whether something that was valid may not be any more.
    pub(in crate::gate) fn narrows(self) -> bool {
        !matches!(
            self,
            Self::FieldAdded | Self::FieldUntyped | Self::TypeWidened | Self::DefaultChanged | Self::Widened
        )
    }
}

/// A difference, and where it is.
#[derive(Debug, Clone)]
pub(in crate::gate) struct Change<'a> {
    pub(in crate::gate) kind: Kind,
    /// `spec.steps[].name`; empty for the whole.
    pub(in crate::gate) path: String,
    /// In the new document, unless it is no longer there.
    pub(in crate::gate) at: &'a Location,
    pub(in crate::gate) what: String,
}

/// One side of the comparison.
#[derive(Clone, Copy)]
struct Side<'a> {
    root: &'a Node,
    dialect: Dialect,
}

impl<'a> Side<'a> {
    fn view(self, schema: &[&'a Node]) -> View<'a> {
        View::new(schema, self.root, self.dialect)
    }
}

/// Everything in which the new document accepts something else than the old one.
pub(in crate::gate) fn compare<'a>(old: &'a Node, new: &'a Node, dialect: Dialect) -> Vec<Change<'a>> {
    let mut walk = Walk {
        old: Side { root: old, dialect },
        new: Side { root: new, dialect },
        changes: Vec::new(),
        open: Vec::new(),
    };
    walk.schema(&vec![old], &vec![new], "", &new.location);
    walk.changes
}

struct Walk<'a> {
    old: Side<'a>,
    new: Side<'a>,
    changes: Vec<Change<'a>>,
    /// The pairs that are being compared, for schemas that refer to themselves.
    open: Vec<(*const Node, *const Node)>,
}

impl<'a> Walk<'a> {
    fn tell(&mut self, kind: Kind, path: &str, at: &'a Location, what: impl Into<String>) {
        self.changes.push(Change { kind, path: path.to_owned(), at, what: what.into() });
    }

    fn schema(&mut self, old: &Conjunction<'a>, new: &Conjunction<'a>, path: &str, at: &'a Location) {
        let first = |schema: &Conjunction<'a>| {
            schema.first().map_or(std::ptr::null(), |node| std::ptr::from_ref(*node))
        };
        let pair = (first(old), first(new));
        if self.open.contains(&pair) {
            return;
        }
        self.open.push(pair);
        let at = new.first().map_or(at, |node| &node.location);
        let (old, new) = (self.old.view(old), self.new.view(new));
        if new.never && !old.never {
            self.tell(Kind::TypeNarrowed, path, at, "nothing is accepted any more");
        } else {
            self.values(&old, &new, path, at);
            self.maps(&old, &new, path, at);
            self.lists(&old, &new, path, at);
            self.conditions(&old, &new, path, at);
        }
        self.open.pop();
    }

    /// Types, choices, bounds, patterns and defaults.
    fn values(&mut self, old: &View<'a>, new: &View<'a>, path: &str, at: &'a Location) {
        match type_change(old, new) {
            Some(kind) => {
                let what = format!("the type {} became {}", type_words(old), type_words(new));
                self.tell(kind, path, at, what);
            }
            None if old.nullable && !new.nullable && new.types.is_some() => {
                self.tell(Kind::NullableRemoved, path, at, "null is not accepted any more");
            }
            None if new.nullable && !old.nullable => self.tell(Kind::Widened, path, at, "null is accepted"),
            None => {}
        }
        self.choices(old, new, path, at);
        for ([old_lower, old_upper], [lower, upper]) in old.bounds.iter().zip(&new.bounds) {
            for ((keyword, before), (_, after), is_stricter) in [
                (old_lower, lower, is_higher as fn(Option<Bound>, Option<Bound>) -> bool),
                (old_upper, upper, is_lower),
            ] {
                let kind = if is_stricter(*before, *after) {
                    Kind::BoundNarrowed
                } else if is_stricter(*after, *before) {
                    Kind::Widened
                } else {
                    continue;
                };
                let what = format!("{keyword} {} became {}", words(*before), words(*after));
                self.tell(kind, path, at, what);
            }
        }
        if let Some(factor) = new.multiple_of
            && old.multiple_of.is_none_or(|old| (old / factor).fract().abs() > f64::EPSILON)
        {
            self.tell(Kind::BoundNarrowed, path, at, format!("only multiples of {factor} are accepted"));
        }
        if new.unique && !old.unique {
            self.tell(Kind::BoundNarrowed, path, at, "items must be unique");
        }
        self.patterns(old, new, path, at);
        if old.default.as_ref().map(canonical) != new.default.as_ref().map(canonical) {
            let words = |default: &Option<Json>| default.as_ref().map_or("none".to_owned(), Json::to_string);
            let what = format!("the default {} became {}", words(&old.default), words(&new.default));
            self.tell(Kind::DefaultChanged, path, at, what);
        }
    }

    fn choices(&mut self, old: &View<'a>, new: &View<'a>, path: &str, at: &'a Location) {
        match (&old.choices, &new.choices) {
            (None, None) => {}
            (Some(_), None) => self.tell(Kind::Widened, path, at, "any value is accepted, not only some"),
            (None, Some(choices)) => {
                let what = format!("only {} are accepted", list(choices));
                self.tell(Kind::EnumNarrowed, path, at, what);
            }
            (Some(before), Some(after)) => {
                let only = |one: &[Json], other: &[Json]| -> Vec<Json> {
                    one.iter().filter(|choice| !other.contains(choice)).cloned().collect()
                };
                let (gone, added) = (only(before, after), only(after, before));
                if !gone.is_empty() {
                    self.tell(Kind::EnumNarrowed, path, at, format!("{} not accepted any more", list(&gone)));
                }
                if !added.is_empty() {
                    self.tell(Kind::Widened, path, at, format!("{} accepted", list(&added)));
                }
            }
        }
    }

    fn patterns(&mut self, old: &View<'a>, new: &View<'a>, path: &str, at: &'a Location) {
        let added: Vec<&String> = new.patterns.difference(&old.patterns).collect();
        for pattern in &added {
            let before = old.patterns.first().map_or("none".to_owned(), |pattern| format!("`{pattern}`"));
            self.tell(Kind::PatternNarrowed, path, at, format!("the pattern {before} became `{pattern}`"));
        }
        if added.is_empty() && old.patterns.len() > new.patterns.len() {
            self.tell(Kind::Widened, path, at, "the pattern is gone");
        }
        match (&old.format, &new.format) {
            (old, new) if old == new => {}
            (Some(old), Some(new)) if old == "int32" && new == "int64" => {
                self.tell(Kind::Widened, path, at, "the format int32 became int64");
            }
            (Some(old), None) => self.tell(Kind::Widened, path, at, format!("the format {old} is gone")),
            (old, Some(new)) => {
                let old = old.as_deref().unwrap_or("none");
                self.tell(Kind::PatternNarrowed, path, at, format!("the format {old} became {new}"));
            }
            (None, None) => {}
        }
    }

    fn maps(&mut self, old: &View<'a>, new: &View<'a>, path: &str, at: &'a Location) {
        if old.keeps_unknown && !new.keeps_unknown {
            self.tell(Kind::UnknownFieldsDropped, path, at, "unknown fields are pruned");
        } else if new.keeps_unknown && !old.keeps_unknown {
            self.tell(Kind::Widened, path, at, "unknown fields are kept");
        }
        for (name, place, schema) in old.properties() {
            let inner = join(path, name);
            match (new.property(name), new.unnamed(name)) {
                (Some(other), _) => self.schema(schema, other, &inner, at),
                (None, Some(other)) if !other.is_empty() => self.schema(schema, &other, &inner, at),
                (None, Some(_)) => {
                    self.tell(Kind::FieldUntyped, &inner, place, "it is not described any more, but kept");
                }
                (None, None) => self.tell(Kind::FieldRemoved, &inner, place, "it is gone"),
            }
        }
        for (name, place, schema) in new.properties().filter(|(name, ..)| old.property(name).is_none()) {
            let inner = join(path, name);
            let before = old.unnamed(name);
            self.tell(Kind::FieldAdded, &inner, place, "it is new");
            // Values of any kind may stand there already.
            if let Some(before) = before.filter(|before| !before.is_empty() || old.keeps_unknown) {
                self.schema(&before, schema, &inner, place);
            }
        }
        for name in new.required.difference(&old.required) {
            let default = new.property(name).and_then(|schema| self.new.view(schema).default);
            let place = new.properties().find(|(other, ..)| other == name).map_or(at, |(_, place, _)| place);
            if default.is_none() {
                self.tell(Kind::NewlyRequired, &join(path, name), place, "it is required");
            }
        }
        for name in old.required.difference(&new.required) {
            if new.property(name).is_some() {
                self.tell(Kind::Widened, &join(path, name), at, "it is not required any more");
            }
        }
        self.defaults_that_were_needed(old, new, path, at);
        self.rests(old, new, path, at);
    }

    /// A field that stays required but is no longer filled in.
    fn defaults_that_were_needed(&mut self, old: &View<'a>, new: &View<'a>, path: &str, at: &'a Location) {
        for name in new.required.intersection(&old.required) {
            let default = |side: Side<'a>, view: &View<'a>| {
                view.property(name).and_then(|schema| side.view(schema).default).is_some()
            };
            if default(self.old, old) && !default(self.new, new) {
                let what = "it is required, and no default fills it in any more";
                self.tell(Kind::NewlyRequired, &join(path, name), at, what);
            }
        }
    }

    /// What holds for keys that are not named.
    fn rests(&mut self, old: &View<'a>, new: &View<'a>, path: &str, at: &'a Location) {
        for (pattern, schema) in old.patterned() {
            let inner = format!("{path}[{pattern}]");
            match new.patterned().iter().find(|(other, _)| other == pattern) {
                Some((_, other)) => self.schema(schema, other, &inner, at),
                None if matches!(new.rest, Rest::Open) => {}
                None => self.tell(
                    Kind::FieldRemoved,
                    &inner,
                    at,
                    "keys of this pattern are not accepted any more",
                ),
            }
        }
        let inner = format!("{path}[*]");
        match (&old.rest, &new.rest) {
            (Rest::Open, Rest::Open) | (Rest::Closed, Rest::Closed) => {}
            (Rest::Schema(old), Rest::Schema(new)) => self.schema(old, new, &inner, at),
            (Rest::Open, Rest::Closed) if old.keeps_unknown => {}
            (_, Rest::Closed) => {
                self.tell(Kind::FieldRemoved, &inner, at, "other keys are not accepted any more");
            }
            (Rest::Open, Rest::Schema(schema)) => self.schema(&Vec::new(), schema, &inner, at),
            (_, Rest::Open) if new.keeps_unknown && !old.keeps_unknown => {}
            _ => self.tell(Kind::Widened, &inner, at, "other keys are accepted"),
        }
    }

    fn lists(&mut self, old: &View<'a>, new: &View<'a>, path: &str, at: &'a Location) {
        if !(old.items.is_empty() && new.items.is_empty()) {
            self.schema(&old.items, &new.items, &format!("{path}[]"), at);
        }
        for keyword in ["x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"] {
            // What is absent is `atomic` for lists and `granular` for maps.
            let absent = if keyword.ends_with("map-type") { "\"granular\"" } else { "\"atomic\"" };
            let of = |view: &View<'a>| view.list.get(keyword).cloned().unwrap_or_else(|| absent.to_owned());
            let (before, after) = (of(old), of(new));
            if before != after {
                self.tell(Kind::ListTypeChanged, path, at, format!("{keyword} {before} became {after}"));
            }
        }
    }

    /// CEL rules, alternatives and what is not followed.
    fn conditions(&mut self, old: &View<'a>, new: &View<'a>, path: &str, at: &'a Location) {
        self.rules(&old.rules, &new.rules, path, at);
        for (keyword, what) in new.conditions.difference(&old.conditions) {
            self.tell(Kind::ConditionChanged, path, at, format!("`{keyword}` is now {what}"));
        }
        for (keyword, what) in old.conditions.difference(&new.conditions) {
            if !new.conditions.iter().any(|(other, _)| other == keyword) {
                self.tell(Kind::Widened, path, at, format!("`{keyword}` {what} is gone"));
            }
        }
        for (keyword, branches) in &new.alternatives {
            let before = old.alternatives.iter().filter(|(other, _)| other == keyword);
            let mut before: Vec<&Conjunction<'a>> = before.flat_map(|(_, branches)| branches).collect();
            let anything = Vec::new();
            if before.is_empty() {
                before.push(&anything);
            }
            let kept = |branch: &Conjunction<'a>| branches.iter().any(|other| !self.narrows(branch, other));
            if !before.into_iter().all(kept) {
                let what = format!("an alternative of `{keyword}` is gone or accepts less");
                self.tell(Kind::ConditionChanged, path, at, what);
            }
        }
    }

    fn narrows(&self, old: &Conjunction<'a>, new: &Conjunction<'a>) -> bool {
        let mut walk = Walk { old: self.old, new: self.new, changes: Vec::new(), open: self.open.clone() };
        let Some(at) = new.first().map(|node| &node.location) else { return false };
        walk.schema(old, new, "", at);
        walk.changes.iter().any(|change| change.kind.narrows())
    }

    fn rules(&mut self, old: &[Rule], new: &[Rule], path: &str, at: &'a Location) {
        let is_new = |rule: &&Rule| !old.iter().any(|other| other.text == rule.text);
        let mut gone: Vec<&Rule> =
            old.iter().filter(|rule| !new.iter().any(|other| other.text == rule.text)).collect();
        for rule in new.iter().filter(is_new) {
            // The one with the same message was changed, else any that is gone.
            let same =
                gone.iter().position(|other| other.message == rule.message && !rule.message.is_empty());
            if let Some(position) = same.or((!gone.is_empty()).then_some(0)) {
                let before = gone.remove(position);
                let what = format!("the rule `{}` became `{}`", before.text, rule.text);
                self.tell(Kind::RuleChanged, path, at, what);
            } else {
                self.tell(Kind::RuleAdded, path, at, format!("the rule `{}` is new", rule.text));
            }
        }
        for rule in gone {
            self.tell(Kind::Widened, path, at, format!("the rule `{}` is gone", rule.text));
        }
    }
}

/// Whether types changed, other than by null.
fn type_change(old: &View<'_>, new: &View<'_>) -> Option<Kind> {
    let (before, after) = match (&old.types, &new.types) {
        (None, None) => return None,
        (None, Some(_)) => return Some(Kind::TypeNarrowed),
        (Some(_), None) => return Some(Kind::TypeWidened),
        (Some(before), Some(after)) if before == after => return None,
        (Some(before), Some(after)) => (before, after),
    };
    let covered = |name: &String| after.contains(name) || (name == "integer" && after.contains("number"));
    Some(if before.iter().all(covered) { Kind::TypeWidened } else { Kind::TypeNarrowed })
}

fn type_words(view: &View<'_>) -> String {
    match &view.types {
        None => "any".to_owned(),
        Some(types) => types.iter().map(String::as_str).collect::<Vec<_>>().join(" or "),
    }
}

fn list(values: &[Json]) -> String {
    values.iter().map(Json::to_string).collect::<Vec<_>>().join(", ")
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
