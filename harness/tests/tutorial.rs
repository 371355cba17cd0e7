//! The tutorial works as it is written: its files are put where it says, its commands are executed in order, and
//! each ends with the exit code and the words that stand in the page.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests, too")]

use std::path::Path;
use std::process::Command;

/// A block of the page: what stands behind the fence, and its lines.
struct Block<'a> {
    head: &'a str,
    body: &'a str,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut parts = page.split("```");
    parts.next();
    parts
        .step_by(2)
        .map(|part| {
            let (head, body) = part.split_once('\n').unwrap();
            Block { head, body }
        })
        .collect()
}

/// Runs a line that begins with `hallmark`; returns the exit code and all that it said.
fn execute(line: &str, folder: &Path) -> (i32, String) {
    let mut words = line.split_whitespace();
    assert_eq!(words.next(), Some("hallmark"), "{line}");
    let output = Command::new(env!("CARGO_BIN_EXE_hallmark"))
        .args(words)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

#[test]
fn every_command_of_the_tutorial_does_what_the_page_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorial.md");
    let page = std::fs::read_to_string(page).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut said = String::new();
    let mut commands = 0;
    for Block { head, body } in blocks(&page) {
        let (language, rest) = head.split_once(' ').unwrap_or((head, ""));
        match language {
            "yaml" => {
                let path = folder.path().join(rest.strip_prefix("file=").unwrap());
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, body).unwrap();
            }
            "console" => {
                let expected = rest.strip_prefix("exit=").map_or(0, |code| code.parse().unwrap());
                for line in body.lines() {
                    let (code, text) = execute(line, folder.path());
                    assert_eq!(code, expected, "{line}\n{text}");
                    said = text;
                    commands += 1;
                }
            }
            // What the command before said, without what differs from run to run.
            "text" => {
                for line in body.lines().filter(|line| *line != "...") {
                    assert!(said.contains(line.trim()), "`{line}` was not said:\n{said}");
                }
            }
            other => panic!("a block of `{other}`"),
        }
    }
    assert!(commands >= 8, "{commands}");
}
