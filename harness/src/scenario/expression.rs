//! CEL expressions of scenarios, compiled when they are read.
//!
//! The language is the one of CRD validation rules, with the Kubernetes function libraries. This module
//! is for syntax, names and evaluation over JSON; what a result means for an assertion is decided in
//! [`crate::check`].
//!
//! Two readings are stricter than the interpreter's own, so that no expression passes by accident: a field
//! of something that is no mapping is an error, where the interpreter says `false`; and names of functions
//! are looked up when the expression is read.

mod convert;
mod regexes;
mod tree;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use kube::core::cel::KubeCelExt;
use kube::core::cel::cel::{Context, ExecutionError, IdedExpr, ParseErrors, Program};

use crate::diagnostic::Diagnostic;
use crate::yaml::{Location, Span};

/// The functions that expressions may call; variables are added per evaluation in an inner scope.
static FUNCTIONS: LazyLock<Context<'static>> = LazyLock::new(|| {
    let mut functions = Context::default().with_all();
    functions.add_function("matches", regexes::matches);
    functions
});

/// A compiled expression that knows where it is written.
pub struct Expression {
    text: String,
    location: Location,
    tree: IdedExpr,
    names: tree::Names,
}

/// Why an expression has no value for the given variables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The expression names a variable that was not given; a mistake of the scenario, never of the data.
    #[error("no variable `{name}` exists here")]
    Undeclared {
        /// The name.
        name: String,
    },
    /// The data lacks a key, has another type, or a function refused it.
    #[error("{message}")]
    Data {
        /// What the interpreter said, as a fragment.
        message: String,
    },
    /// The value is of a kind that JSON does not have, for example a quantity.
    #[error("the result is {kind}, which is no JSON value")]
    NotJson {
        /// The kind of value.
        kind: &'static str,
    },
}

impl Expression {
    /// Reads `text`, which is written at `location`.
    ///
    /// Syntax errors, and functions that do not exist, point into the text where it stands unfolded in
    /// its file, and at its beginning otherwise.
    pub fn compile(text: &str, location: &Location) -> Result<Self, Diagnostic> {
        let program = Program::compile(text).map_err(|errors| syntax_error(text, location, &errors))?;
        let tree = tree::strict(program.expression().clone());
        let names = tree::Names::of(&tree, &|name| function_exists(name));
        if let Some(name) = names.unknown_functions.first() {
            let place =
                text.find(name.as_str()).map_or_else(|| location.clone(), |at| within(text, location, at));
            return Err(Diagnostic::new(place, format!("no function `{name}` exists in CEL"))
                .with_help("the functions are CEL's own and those of Kubernetes validation rules"));
        }
        Ok(Self { text: text.to_owned(), location: location.clone(), tree, names })
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it is written.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The variables that have to be given, without those that macros such as `all` bind.
    pub fn variables(&self) -> BTreeSet<String> {
        self.names.variables.clone()
    }

    /// The first name that is not one of `allowed`, for checks before anything runs.
    pub fn undeclared(&self, allowed: &[&str]) -> Option<String> {
        self.names.variables.iter().find(|name| !allowed.contains(&name.as_str())).cloned()
    }

    /// Longest chains of plain fields that are read from `variable`: `self.spec.ttl < 30` reads
    /// `["spec", "ttl"]` from `self`. For explanations, and to check names such as `objects.<alias>`.
    pub fn fields_of(&self, variable: &str) -> Vec<&[String]> {
        self.names
            .chains
            .iter()
            .filter_map(|chain| chain.split_first())
            .filter(|(first, rest)| first.as_str() == variable && !rest.is_empty())
            .map(|(_, rest)| rest)
            .collect()
    }

    /// The aliases of the objects that the expression reads.
    pub fn aliases_read(&self) -> impl Iterator<Item = String> {
        self.fields_of("objects").into_iter().filter_map(|fields| fields.first().cloned())
    }

    /// The value over `variables`; names that the expression does not use cost nothing.
    pub fn evaluate(
        &self,
        variables: &[(&str, &serde_json::Value)],
    ) -> Result<serde_json::Value, EvaluationError> {
        let mut scope = FUNCTIONS.new_inner_scope();
        for (name, value) in variables {
            let reads: Vec<&[String]> = self
                .names
                .reads
                .iter()
                .filter_map(|chain| chain.split_first())
                .filter(|(variable, _)| variable == name)
                .map(|(_, fields)| fields)
                .collect();
            if !reads.is_empty() {
                scope.add_variable_from_value(*name, convert::to_cel_pruned(value, &reads));
            }
        }
        let value = scope.resolve(&self.tree).map_err(evaluation_error)?;
        convert::to_json(&value).map_err(|kind| EvaluationError::NotJson { kind })
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?} at {})", self.text, self.location)
    }
}

/// Whether a function of this name is registered. The registry cannot be asked, but a call that fails for
/// any other reason than its name has found its function.
fn function_exists(name: &str) -> bool {
    !matches!(FUNCTIONS.resolve(&tree::bare_call(name)), Err(ExecutionError::UndeclaredReference(unknown)) if *unknown == name)
}

fn evaluation_error(error: ExecutionError) -> EvaluationError {
    match error {
        ExecutionError::UndeclaredReference(name) => EvaluationError::Undeclared { name: name.to_string() },
        ExecutionError::NoSuchKey(key) => EvaluationError::Data { message: format!("no such key: {key}") },
        // The interpreter's messages for operators print whole values in debug form.
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => EvaluationError::Data {
            message: format!("`{operator}` of {} and {}", convert::kind(&left), convert::kind(&right)),
        },
        ExecutionError::ValuesNotComparable(left, right) => EvaluationError::Data {
            message: format!("{} cannot be compared with {}", convert::kind(&left), convert::kind(&right)),
        },
        ExecutionError::NoSuchOverload => EvaluationError::Data {
            message: "an operator or function was given a value of another type".to_owned(),
        },
        ExecutionError::UnexpectedType { got, want } => {
            EvaluationError::Data { message: format!("got {got}, want {want}") }
        }
        ExecutionError::NotSupportedAsMethod { method, target } => {
            EvaluationError::Data { message: format!("{} has no `{method}`", convert::kind(&target)) }
        }
        ExecutionError::UnsupportedTargetType { target } => {
            EvaluationError::Data { message: format!("a function cannot take {}", convert::kind(&target)) }
        }
        ExecutionError::FunctionError { function, message } => {
            EvaluationError::Data { message: format!("`{function}`: {message}") }
        }
        other => EvaluationError::Data { message: other.to_string() },
    }
}

fn syntax_error(text: &str, location: &Location, errors: &ParseErrors) -> Diagnostic {
    let Some(first) = errors.errors.first() else {
        return Diagnostic::new(location.clone(), "this is no CEL expression");
    };
    let offset = offset_of(text, first.pos);
    let reason = first.msg.lines().next().unwrap_or_default().trim_start_matches("Syntax error: ");
    Diagnostic::new(within(text, location, offset), "this is no CEL expression")
        .with_label(reason)
        .with_help("expressions are written in CEL, for example `has(self.status.phase)`")
}

/// Byte offset of a line (from 1) and column (from 0) of the parser.
fn offset_of(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line).unwrap_or(1).max(1);
    let column = usize::try_from(column).unwrap_or(0);
    let start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
}

/// The place of byte `offset` of `text` in its file. Quoted scalars with escapes and folded blocks differ
/// from their text, for them the place of the whole scalar is kept.
fn within(text: &str, location: &Location, offset: usize) -> Location {
    let written = location.source.text().get(location.span.offset..).unwrap_or_default();
    let quote = usize::from(written.starts_with(['"', '\'']));
    let stands_there = written.get(quote..).is_some_and(|written| written.starts_with(text));
    let before = text.get(..offset).unwrap_or_default();
    if !stands_there || before.contains('\n') {
        return location.clone();
    }
    Location {
        source: location.source.clone(),
        span: Span {
            line: location.span.line,
            column: location.span.column + quote + before.chars().count(),
            offset: location.span.offset + quote + offset,
            len: 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::yaml::Source;

    fn compile(text: &str) -> Result<Expression, Diagnostic> {
        let location = Location::start_of(&Source::new("expression.cel", text));
        Expression::compile(text, &location)
    }

    fn value(text: &str, object: &serde_json::Value) -> Result<serde_json::Value, EvaluationError> {
        compile(text).unwrap().evaluate(&[("self", object)])
    }

    #[rstest]
    #[case::integer_comparison("self.ttl < 30", json!({"ttl": 29}), json!(true))]
    #[case::large_unsigned("self.ttl == 7", json!({"ttl": 7_u64}), json!(true))]
    #[case::whole_float_is_an_integer("self.ttl + 1", json!({"ttl": 3.0}), json!(4))]
    #[case::fraction("self.ttl > 2.5", json!({"ttl": 2.75}), json!(true))]
    #[case::fraction_against_integer("self.ttl > 2", json!({"ttl": 2.75}), json!(true))]
    #[case::missing_field("has(self.a)", json!({}), json!(false))]
    #[case::field_named_like_a_keyword("self.metadata.namespace", json!({"metadata": {"namespace": "n"}}), json!("n"))]
    #[case::label_by_index("self.labels['a/b']", json!({"labels": {"a/b": "c"}}), json!("c"))]
    #[case::list_macro("self.items.all(i, i > 0)", json!({"items": [1, 2]}), json!(true))]
    #[case::list_of_mappings("self.c.exists(c, c.type == 'Ready' && c.status == 'True')", json!({"c": [{"type": "Ready", "status": "True"}]}), json!(true))]
    #[case::kubernetes_quantity("quantity(self.m).isGreaterThan(quantity('1Gi'))", json!({"m": "2Gi"}), json!(true))]
    #[case::durations("timestamp(self.b) - timestamp(self.a) < duration('2s')", json!({"a": "2026-01-01T00:00:00Z", "b": "2026-01-01T00:00:01Z"}), json!(true))]
    #[case::duration_result("duration('1500ms')", json!({}), json!("1.5s"))]
    #[case::mapping_result("{'a': 1}", json!({}), json!({"a": 1}))]
    #[case::size("size(self.items)", json!({"items": [1, 2]}), json!(2))]
    #[case::namespaced_function("math.greatest(1, 2)", json!({}), json!(2))]
    #[case::whole_and_part("size(self.a) == 2 && self.a.b == 1", json!({"a": {"b": 1, "c": 2}}), json!(true))]
    #[case::computed_key("self.a[self.k] == 1", json!({"a": {"b": 1, "c": 2}, "k": "b"}), json!(true))]
    #[case::bound_name("self.a.map(k, self.a[k]).size()", json!({"a": {"b": 1, "c": 2}}), json!(2))]
    #[case::the_value_itself("self.exists(x, x == 2)", json!([1, 2]), json!(true))]
    #[case::null_comparison("self.a == null", json!({"a": null}), json!(true))]
    #[case::regular_expression("self.a.matches('^[a-z]+$') && !self.b.matches('^[a-z]+$')", json!({"a": "x", "b": "X"}), json!(true))]
    #[case::regular_expressions_of_the_data("self.all(x, 'b'.matches(x) == (x == 'b'))", json!(["a", "b", "c"]), json!(true))]
    fn evaluates_to(
        #[case] text: &str,
        #[case] object: serde_json::Value,
        #[case] expected: serde_json::Value,
    ) {
        assert_eq!(value(text, &object), Ok(expected));
    }

    #[rstest]
    #[case::missing_key("self.a.b == 1", json!({}))]
    #[case::field_of_a_string("self.a.b != 'x'", json!({"a": "text"}))]
    #[case::field_of_null("self.a.b != 'x'", json!({"a": null}))]
    #[case::field_of_a_list("self.a.b != 'x'", json!({"a": [1]}))]
    #[case::string_against_number("self.a < 30", json!({"a": "29"}))]
    #[case::malformed_regular_expression("self.a.matches('[')", json!({"a": "text"}))]
    #[case::malformed_time("timestamp(self.a) < timestamp('2026-01-01T00:00:00Z')", json!({"a": "soon"}))]
    fn is_an_error_of_the_data(#[case] text: &str, #[case] object: serde_json::Value) {
        assert!(
            matches!(value(text, &object), Err(EvaluationError::Data { .. })),
            "{:?}",
            value(text, &object)
        );
    }

    #[test]
    fn a_variable_that_is_not_given_is_no_error_of_the_data() {
        assert_eq!(value("other", &json!({})), Err(EvaluationError::Undeclared { name: "other".into() }));
    }

    #[rstest]
    #[case("self.items.all(x, x.y == case.z)", &["case", "self"])]
    #[case("math.greatest(case.a, 1)", &["case"])]
    #[case("[1].map(self, self * 2).size() == size(case.x)", &["case"])]
    fn only_free_names_are_variables(#[case] text: &str, #[case] expected: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|&name| name.to_owned()).collect();
        assert_eq!(compile(text).unwrap().variables(), expected);
    }

    #[test]
    fn names_outside_the_allowed_ones_are_found() {
        let expression = compile("self.a == foo.b").unwrap();
        assert_eq!(expression.undeclared(&["self"]), Some("foo".to_owned()));
        assert_eq!(expression.undeclared(&["self", "foo"]), None);
    }

    #[test]
    fn fields_are_the_longest_chains() {
        let expression =
            compile("has(self.spec.ttl) && self.spec.ttl < 30 && objects.run.metadata.uid == 'x'").unwrap();
        assert_eq!(expression.fields_of("self"), [["spec", "ttl"]]);
        assert_eq!(expression.fields_of("objects"), [["run", "metadata", "uid"]]);
    }

    #[rstest]
    #[case::function("1 + sizze(self.x)", 5)]
    #[case::method("self.x.sizze()", 8)]
    #[case::syntax("self.a ==", 10)]
    fn mistakes_are_found_when_the_expression_is_read(#[case] text: &str, #[case] column: usize) {
        let diagnostic = compile(text).unwrap_err();
        assert_eq!(diagnostic.location.span.column, column, "{}", diagnostic.render(false));
    }
}
