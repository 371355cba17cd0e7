//! Runbooks and README: complete, and true to the chart in the keys, variables and files that they name.
//!
//! Their commands are executed by `ci/runbooks.sh`.

use std::collections::BTreeSet;
use std::fs;

use rstest::rstest;
use serde_json::Value;

use crate::{chart, environment, read, values};

/// Variables that are read by the program and rendered through `env.vars` only.
pub(crate) const WITHOUT_KEY: [&str; 2] =
    ["JANGAR_AGENT_RUNNER_BACKOFF_LIMIT", "JANGAR_AGENTRUN_IMMUTABILITY_ENFORCED"];
/// What every runbook tells.
const SECTIONS: [&str; 6] =
    ["Enable", "Disable", "Rollback", "Expected failure modes", "What shows it", "Verification"];

/// All documents of the chart with their texts.
pub(crate) fn documents() -> Vec<(String, String)> {
    let runbooks = fs::read_dir(chart("docs/runbooks")).unwrap();
    let names =
        runbooks.map(|entry| format!("docs/runbooks/{}", entry.unwrap().file_name().to_str().unwrap()));
    names.chain(["README.md".to_owned()]).map(|name| (name.clone(), read(&name))).collect()
}

/// Words between single backticks, outside of fenced blocks.
pub(crate) fn code(text: &str) -> Vec<&str> {
    let outside = text.split("\n```").step_by(2);
    outside.flat_map(|part| part.lines()).flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// The commands in the fenced blocks, one a line.
fn commands(text: &str) -> Vec<&str> {
    let blocks = text.split("\n```console\n").skip(1);
    blocks.flat_map(|block| block.split("\n```").next().unwrap().lines()).collect()
}

/// Whether a user may set the key: it stands in the values, or below a map that is free there.
fn is_key(data: &Value, key: &str) -> bool {
    let mut value = data;
    for name in key.split('.') {
        match value.as_object() {
            Some(map) if map.is_empty() => return true,
            Some(map) if map.contains_key(name) => value = &map[name],
            _ => return false,
        }
    }
    true
}

/// Keys of the values in code and after `--set`, as they are written.
fn keys<'a>(data: &Value, text: &'a str) -> BTreeSet<&'a str> {
    let first = |word: &str| word.split('.').next().is_some_and(|name| data.get(name).is_some());
    let is_path = |word: &str| {
        word.contains('.')
            && word
                .split('.')
                .all(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    let written = code(text).into_iter().map(|word| word.split('=').next().unwrap_or(word));
    let set = commands(text).into_iter().flat_map(|command| command.split("--set ").skip(1));
    written
        .filter(|word| is_path(word) && first(word))
        .chain(set.map(|setting| setting.split('=').next().unwrap()))
        .collect()
}

#[test]
fn every_key_in_a_document_exists() {
    let data = values::data();
    let mut found = 0;
    for (name, text) in documents() {
        for key in keys(&data, &text) {
            assert!(is_key(&data, key), "{name}: there is no key `{key}`");
            found += 1;
        }
    }
    assert!(found > 150, "only {found} keys were found");
}

#[test]
fn every_variable_in_a_document_exists() {
    let known: BTreeSet<_> =
        environment::rendered().into_iter().chain(WITHOUT_KEY.map(str::to_owned)).collect();
    for (name, text) in documents() {
        for word in text.split(|character: char| !character.is_ascii_uppercase() && character != '_') {
            let is_variable = word.starts_with("JANGAR_");
            assert!(!is_variable || known.contains(word), "{name}: there is no variable {word}");
        }
    }
}

#[test]
fn every_runbook_has_all_sections_and_is_linked() {
    let readme = read("README.md");
    let runbooks: Vec<_> = documents().into_iter().filter(|(name, _)| name != "README.md").collect();
    assert_eq!(runbooks.len(), 8);
    for (name, text) in runbooks {
        for section in SECTIONS {
            assert!(text.contains(&format!("\n## {section}\n")), "{name} has no section {section}");
        }
        assert!(!commands(&text).is_empty(), "{name} has no command");
        assert!(readme.contains(&format!("]({name})")), "the README does not link {name}");
    }
}

#[test]
fn every_linked_file_and_heading_exists() {
    for (name, text) in documents() {
        let folder = chart(&name).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { chart(&name) } else { folder.join(file) };
            let target = fs::read_to_string(&target).unwrap_or_else(|_| panic!("{name}: no file {link}"));
            let anchors = target.lines().filter(|line| line.starts_with('#')).map(anchor_of);
            assert!(
                anchor.is_empty() || anchors.into_iter().any(|it| it == anchor),
                "{name}: no heading {link}"
            );
        }
    }
}

/// The anchor that a heading gets.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars().filter(|it| it.is_alphanumeric() || " -".contains(*it)).collect::<String>().replace(' ', "-")
}

/// A command of another program could not be executed by `ci/runbooks.sh`, and would not be noticed.
#[test]
fn commands_are_those_of_programs_that_can_be_executed() {
    let mut found = 0;
    for (name, text) in documents() {
        for command in commands(&text) {
            let program = command.split(' ').next().unwrap();
            assert!(
                ["hallmark", "helm", "kubectl", "pg_dump", "pg_restore", "psql"].contains(&program),
                "{name}: {command}"
            );
            assert!(!command.ends_with('\\'), "{name}: one line for each command: {command}");
            found += 1;
        }
    }
    assert!(found > 50, "only {found} commands were found");
}

#[rstest]
#[case("controller.queue.perRepo", true)]
#[case("controller.queue", true)]
#[case("env.vars.ANYTHING", true)]
#[case("controller.queue.perRepository", false)]
#[case("controller.enabled.really", false)]
fn keys_are_looked_up_in_the_values(#[case] key: &str, #[case] expected: bool) {
    assert_eq!(is_key(&values::data(), key), expected);
}

#[test]
fn code_and_commands_are_told_apart() {
    let text = "Set `a.b=1`.\n```console\nhelm x `y`\nkubectl z\n```\nThen `c`.\n";
    assert_eq!(code(text), ["a.b=1", "c"]);
    assert_eq!(commands(text), ["helm x `y`", "kubectl z"]);
}
