//! CEL expressions of claims over one version of an object.
//!
//! Claims see `self`, `case`, `namespace` and `objects.<alias>`. An error of the data (no such key, another
//! type) means that the claim does not hold of this version. A mistake of the scenario, such as a result
//! that is no boolean, is never taken for an answer: `never` would pass with it.

use serde_json::Value;

use crate::scenario::assertion::Bindings;
use crate::scenario::expression::{EvaluationError, Expression};

/// The variables of claims.
pub const VARIABLES: &[&str] = &["self", "case", "namespace", "objects"];

/// What names other than `self` stand for, as JSON; made once per judgement.
#[derive(Debug)]
pub struct Scope<'a> {
    case: &'a Value,
    namespace: Value,
    objects: Value,
}

impl<'a> Scope<'a> {
    /// The scope of `expressions`; the objects behind aliases are only copied if one of them uses them.
    pub fn new<'e>(bindings: &'a Bindings, expressions: impl IntoIterator<Item = &'e Expression>) -> Self {
        let uses_objects = expressions
            .into_iter()
            .any(|expression| expression.undeclared(&["self", "case", "namespace"]).is_some());
        let objects = if uses_objects {
            let objects = bindings.objects.iter();
            objects.map(|(alias, object)| (alias.clone(), Value::clone(&object.latest))).collect()
        } else {
            Value::Null
        };
        Self { case: &bindings.case, namespace: bindings.namespace.as_str().into(), objects }
    }

    /// The variables for an evaluation over `object`.
    pub fn variables<'s>(&'s self, object: &'s Value) -> [(&'static str, &'s Value); 4] {
        [("self", object), ("case", self.case), ("namespace", &self.namespace), ("objects", &self.objects)]
    }

    /// Whether `expression` is true of `object`; the error tells what is wrong with the expression itself.
    pub fn holds(&self, expression: &Expression, object: &Value) -> Result<bool, String> {
        let wrong = |reason: String| Err(format!("{}: {reason}", expression.location()));
        match expression.evaluate(&self.variables(object)) {
            Ok(Value::Bool(answer)) => Ok(answer),
            Ok(other) => wrong(format!("`{}` is {other}, not true or false", expression.text())),
            Err(EvaluationError::Data { .. }) => Ok(false),
            Err(error @ (EvaluationError::Undeclared { .. } | EvaluationError::NotJson { .. })) => {
                wrong(format!("`{}`: {error}", expression.text()))
            }
        }
    }
}
