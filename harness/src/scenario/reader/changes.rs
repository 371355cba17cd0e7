//! Reading claims about how objects change, and about objects that are counted by a key.

use super::{Reader, assertion};
use crate::diagnostic::Diagnostic;
use crate::scenario::assertion::Operator;
use crate::scenario::document::ClaimDocument;
use crate::scenario::set::split_path;
use crate::scenario::step::Action;
use crate::yaml::{Located, Location};

impl Reader<'_> {
    pub(super) fn at_most_each(
        &mut self,
        document: ClaimDocument,
        at: &Location,
    ) -> Option<(Action, String)> {
        let count = self.number(document.count.as_ref(), "atMostEach", "count", at)?;
        let key = self.told(document.by.as_ref(), "atMostEach", "by", at)?;
        let key = self.cel(key)?;
        let claim = self.claim(document, at, &["count", "by"])?;
        Some(assertion(Operator::AtMostEach { count, key, claim }, at))
    }

    pub(super) fn advances(&mut self, document: ClaimDocument, at: &Location) -> Option<(Action, String)> {
        let path = self.told(document.path.as_ref(), "advances", "path", at)?;
        let path = self.path(path)?;
        let order = self.told(document.order.as_ref(), "advances", "order", at)?;
        let mut values: Vec<&String> = order.value.iter().flatten().collect();
        let named = values.len();
        values.sort();
        values.dedup();
        if order.value.len() < 2 || values.len() < named {
            self.problems.push(
                Diagnostic::new(order.location.clone(), "an order has several groups, and each value once")
                    .with_help("write `order: [[Pending], [Running], [Succeeded, Failed]]`"),
            );
            return None;
        }
        let order = order.value.clone();
        let claim = self.claim(document, at, &["path", "order"])?;
        let claim = self.dated(claim)?;
        Some(assertion(Operator::Advances { path, order, claim }, at))
    }

    pub(super) fn settled(&mut self, document: ClaimDocument, at: &Location) -> Option<(Action, String)> {
        let path = self.told(document.path.as_ref(), "settled", "path", at)?;
        let path = self.path(path)?;
        let mut except = Vec::new();
        if let Some(places) = &document.except {
            for place in &places.value {
                let place = Located { value: place.clone(), location: places.location.clone() };
                except.push(self.path(&place)?);
            }
        }
        let claim = self.claim(document, at, &["path", "except"])?;
        let claim = self.dated(claim)?;
        Some(assertion(Operator::Settled { path, except, claim }, at))
    }

    /// A field without which an operator says nothing.
    fn told<'d, T>(
        &mut self,
        field: Option<&'d Located<T>>,
        operator: &str,
        name: &str,
        at: &Location,
    ) -> Option<&'d Located<T>> {
        if field.is_none() {
            self.problems.push(Diagnostic::new(at.clone(), format!("`{operator}` without `{name}`")));
        }
        field
    }

    fn path(&mut self, path: &Located<String>) -> Option<Vec<String>> {
        let keys = split_path(&path.value);
        if keys.is_none() {
            self.problems.push(
                Diagnostic::new(path.location.clone(), format!("`{}` is no path", path.value))
                    .with_help("write `status.phase` or `metadata.labels[\"example.com/x\"]`"),
            );
        }
        keys
    }
}
