//! `hallmark list`.

use comfy_table::{Table, presets};
use serde::Serialize;

use super::args::{ListArgs, ListFormat};
use super::console::Console;
use crate::event::CaseInfo;
use crate::exit;
use crate::scenario::suite::Suite;

/// A case as `--format json` shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: String,
    area: String,
    file: String,
    summary: String,
    requirements: Vec<String>,
    requires_node: bool,
    focus: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    skip: Option<String>,
}

pub(super) fn list(args: &ListArgs, console: Console) -> u8 {
    let suite = match Suite::load(&args.suite.path) {
        Ok(suite) => suite,
        Err(error) => {
            console.problems(&error);
            return exit::USAGE;
        }
    };
    let filter = args.filter.filter();
    let cases: Vec<Listed> = filter
        .select(suite.cases())
        .into_iter()
        .map(|case| {
            let CaseInfo { id, area, file, summary, requirements, .. } = case.info();
            Listed {
                name: id.to_string(),
                area,
                file,
                summary,
                requirements,
                requires_node: case.requires_node(),
                focus: case.focus(),
                skip: case.skip().map(ToOwned::to_owned),
            }
        })
        .collect();
    match args.format {
        ListFormat::Text if cases.is_empty() => {}
        ListFormat::Text => Console::data(&text(&cases)),
        ListFormat::Json => match serde_json::to_string_pretty(&cases) {
            Ok(json) => Console::data(&json),
            Err(error) => {
                console.error(&error);
                return exit::INCONCLUSIVE;
            }
        },
    }
    if cases.is_empty() {
        console.say("no case is selected");
        return exit::NOTHING_RUN;
    }
    exit::CONFORMANT
}

fn text(cases: &[Listed]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for case in cases {
        let mut remarks = Vec::new();
        if case.requires_node {
            remarks.push("needs a node".to_owned());
        }
        if case.focus {
            remarks.push("focus".to_owned());
        }
        if let Some(reason) = &case.skip {
            remarks.push(format!("skipped: {reason}"));
        }
        table.add_row([&case.name, &case.area, &case.requirements.join(" "), &remarks.join(", ")]);
    }
    // Cells are padded; lines for `grep` and `cut` are not.
    table.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Listed, text};

    #[test]
    fn a_line_per_case_begins_with_its_id() {
        let case = |name: &str, skip: Option<&str>| Listed {
            name: name.to_owned(),
            area: "ttl".to_owned(),
            file: String::new(),
            summary: String::new(),
            requirements: vec!["TTL-01".to_owned(), "TTL-02".to_owned()],
            requires_node: skip.is_some(),
            focus: false,
            skip: skip.map(ToOwned::to_owned),
        };
        let text = text(&[case("default", None), case("clamped/below", Some("not yet"))]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "default        ttl  TTL-01 TTL-02",
                "clamped/below  ttl  TTL-01 TTL-02  needs a node, skipped: not yet",
            ]
        );
    }
}
