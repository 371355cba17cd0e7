//! The variables that `values.yaml` names are those that the template renders.

use std::collections::BTreeSet;

use crate::{read, values};

/// Rendered without a key in the values.
const ALWAYS: [&str; 2] = ["JANGAR_POD_NAMESPACE", "PORT"];

/// The names in a text.
fn names(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !(character.is_ascii_uppercase() || character == '_'))
        .filter(|word| word.len() > 3 && (word.starts_with("JANGAR_") || is_foreign(word)))
        .map(str::to_owned)
        .collect()
}

/// Names that clients of `PostgreSQL` and the platform have given.
fn is_foreign(word: &str) -> bool {
    ["DATABASE_URL", "PGSSLROOTCERT", "PORT"].contains(&word)
}

/// Every variable that the chart renders by itself.
pub(crate) fn rendered() -> BTreeSet<String> {
    let template = read("templates/_env.tpl");
    let expanded: String = ["ORCHESTRATION", "SUPPORTING"]
        .map(|name| template.replace("JANGAR_{{ $name }}_CONTROLLER", &format!("JANGAR_{name}_CONTROLLER")))
        .concat();
    let rows = expanded.lines().filter_map(|line| line.split_once(": ")).map(|(name, _)| name);
    rows.filter(|name| !name.contains(' ')).flat_map(names).chain(ALWAYS.map(str::to_owned)).collect()
}

/// [CH-01] The table of the README lists what is rendered, and nothing else.
#[test]
fn values_and_template_name_the_same_variables() {
    let documented: BTreeSet<_> = values::rows()
        .iter()
        .flat_map(|row| names(&row.environment))
        .chain(ALWAYS.map(str::to_owned))
        .collect();
    assert_eq!(documented, rendered());
    assert!(documented.len() > 60, "only {} variables were found", documented.len());
}
