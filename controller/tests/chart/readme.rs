//! The tables of values in the chart's README are made from `values.yaml`.

use std::fmt::Write as _;
use std::{env, fs};

use serde_json::Value;

use crate::values::{self, Row};
use crate::{chart, read};

const BEGIN: &str =
    "<!-- values: made from values.yaml; UPDATE_README=1 cargo test -p agents-controller --test chart -->\n";
const END: &str = "<!-- values: end -->\n";
/// Keys that are no maps are collected under this heading.
const OTHER: &str = "Other keys";

/// One table for each map at the top, and one for the rest.
fn tables(rows: &[Row]) -> String {
    let heading = |row: &Row| row.key.split_once('.').map_or(OTHER, |(group, _)| group).to_owned();
    let mut headings: Vec<String> = Vec::new();
    for heading in rows.iter().map(heading) {
        if heading != OTHER && !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    headings.push(OTHER.to_owned());
    let mut text = String::new();
    for name in headings {
        let title = if name == OTHER { name.clone() } else { format!("`{name}`") };
        let of_group: Vec<_> = rows.iter().filter(|row| heading(row) == name).collect();
        let passed_on = of_group.iter().any(|row| !row.environment.is_empty());
        let (columns, rule) = if passed_on { (" variable |", " --- |") } else { ("", "") };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n### {title}\n\n| key | default | meaning |{columns}\n| --- | --- | --- |{rule}\n"
        );
        for row in of_group {
            let _ = write!(text, "| `{}` | `{}` | {} |", row.key, default(&row.default), cell(&row.meaning));
            if passed_on {
                let _ = write!(text, " {} |", names(&row.environment));
            }
            text.push('\n');
        }
    }
    text.push('\n');
    text
}

/// A default as it is written in YAML.
fn default(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => text.clone(),
        other => other.to_string(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The names of variables as code, remarks as they are.
fn names(environment: &str) -> String {
    let is_name =
        |word: &str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let words = environment.split(' ').map(|word| {
        let name = word.trim_end_matches(',');
        if is_name(name) { word.replacen(name, &format!("`{name}`"), 1) } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_tables_of_the_readme_are_those_of_the_values() {
    let readme = read("README.md");
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    let tables = tables(&values::rows());
    if env::var_os("UPDATE_README").is_some() {
        fs::write(chart("README.md"), [before, BEGIN, &tables, END, after].concat()).unwrap();
    } else {
        assert!(written == tables, "README.md is not current; run the command in its comment");
    }
}

/// [CH-06] What a backup has to hold, and how it comes back, without any object in the chart.
#[test]
fn the_readme_recommends_a_backup() {
    let readme = read("README.md");
    let (_, section) = readme.split_once("\n## Backup recommendation\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    for word in [
        "with their status",
        "Secrets",
        "CustomResourceDefinitions",
        "controller.restoreHold",
        "disaster-recovery.md",
    ] {
        assert!(section.contains(word), "the backup recommendation does not mention {word}");
    }
}

#[test]
fn names_of_variables_become_code_and_remarks_stay() {
    assert_eq!(names("A_B (where it runs), C_D *"), "`A_B` (where it runs), `C_D` *");
}
