//! Names of generated objects: a pure function of the run's name and a suffix.
//!
//! Names are valid DNS labels of at most 63 characters. Whenever information is cut away a hash of the
//! uncut text takes its place, so that runs with similar names never share an object.

use crate::defects::Defect;

use sha1::{Digest, Sha1};

/// Longest label value and name, in characters.
const LIMIT: usize = 63;
/// What is kept in front of the hash of a text that is too long.
const KEPT: usize = 54;

/// Which Job of a run is meant, with the objects that belong to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Part {
    /// The only one, of a run with runtime `job`.
    #[default]
    Run,
    /// One attempt of a workflow step.
    Attempt {
        /// Index of the step, from 0.
        step: usize,
        /// Number of the attempt, from 1.
        attempt: i32,
    },
}

impl Part {
    /// Suffix of the Job.
    pub fn job(self) -> String {
        if Defect::NamesDependOnTheProcess.is_planted() {
            return format!("job-{}", std::process::id());
        }
        self.attempt().unwrap_or_else(|| "job".to_owned())
    }

    /// Suffix of the `ConfigMap` with the run's files.
    pub fn spec(self) -> String {
        self.belonging("spec")
    }

    /// Suffix of the `ConfigMap` with the provider's input files.
    pub fn inputs(self) -> String {
        self.belonging("inputs")
    }

    fn belonging(self, what: &str) -> String {
        self.attempt().map_or_else(|| what.to_owned(), |attempt| format!("{what}-{attempt}"))
    }

    fn attempt(self) -> Option<String> {
        match self {
            Self::Run => None,
            Self::Attempt { step, attempt } => Some(format!("step-{}-attempt-{attempt}", step + 1)),
        }
    }
}

/// The name of the object that belongs to `run` under `suffix`.
pub fn object(run: &str, suffix: &str) -> String {
    let normalised = normalise(run);
    let base = if normalised == run || Defect::NamesCollide.is_planted() {
        normalised
    } else {
        format!("{normalised}-{}", short_hash(run))
    };
    shorten(format!("{base}-{suffix}").trim_matches('-'))
}

/// The value of the label that carries a run's name.
pub fn run_label(run: &str) -> String {
    shorten(run)
}

/// Lower-cases and replaces each stretch of characters outside `[a-z0-9-]` by one dash.
fn normalise(run: &str) -> String {
    let mut out = String::with_capacity(run.len());
    let mut replacing = false;
    for c in run.chars().flat_map(char::to_lowercase) {
        let keep = c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if keep {
            out.push(c);
        } else if !replacing {
            out.push('-');
        }
        replacing = !keep;
    }
    out
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= LIMIT {
        return text.to_owned();
    }
    let kept: String = text.chars().take(KEPT).collect();
    format!("{kept}-{}", short_hash(text))
}

fn short_hash(text: &str) -> String {
    hex::encode(Sha1::digest(text.as_bytes())).chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// [JOB-01] [JOB-06] [JOB-07] The vectors of the specification.
    #[rstest]
    #[case("demo".to_owned(), "job", "demo-job".to_owned())]
    #[case("demo.v1".to_owned(), "job", "demo-v1-4477065c-job".to_owned())]
    #[case("a.b".to_owned(), "job", "a-b-69f6642c-job".to_owned())]
    #[case("a-b".to_owned(), "job", "a-b-job".to_owned())]
    #[case("a".repeat(59), "job", "a".repeat(59) + "-job")]
    #[case("a".repeat(60), "job", "a".repeat(54) + "-b092de76")]
    #[case("a".repeat(60), "spec", "a".repeat(54) + "-960eb550")]
    #[case("a".repeat(60), "inputs", "a".repeat(54) + "-eac92d6e")]
    #[case("run-".to_owned() + &"x".repeat(60), "step-1-attempt-1", "run-".to_owned() + &"x".repeat(50) + "-bac4836f")]
    #[case("run-".to_owned() + &"x".repeat(60), "step-2-attempt-1", "run-".to_owned() + &"x".repeat(50) + "-46bad9cc")]
    fn the_documented_vectors_hold(#[case] run: String, #[case] suffix: &str, #[case] expected: String) {
        assert_eq!(object(&run, suffix), expected);
    }

    /// [JOB-01] Steps and attempts are counted from 1.
    #[rstest]
    #[case(Part::Run, ["job", "spec", "inputs"])]
    #[case(
        Part::Attempt { step: 0, attempt: 2 },
        ["step-1-attempt-2", "spec-step-1-attempt-2", "inputs-step-1-attempt-2"],
    )]
    fn every_attempt_has_objects_of_its_own(#[case] part: Part, #[case] expected: [&str; 3]) {
        assert_eq!([part.job(), part.spec(), part.inputs()], expected);
    }

    /// [JOB-07]
    #[test]
    fn a_long_run_name_gets_a_hashed_label() {
        let run = "run-".to_owned() + &"x".repeat(60);
        assert_eq!(run_label(&run), "run-".to_owned() + &"x".repeat(50) + "-c45549df");
    }

    proptest! {
        /// [JOB-01]
        #[test]
        fn names_are_valid_dns_labels(run in "[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?", suffix in "[a-z]{1,6}(-[1-9]){0,2}") {
            let name = object(&run, &suffix);
            prop_assert!(name.len() <= 63);
            prop_assert!(name.starts_with(|c: char| c.is_ascii_alphanumeric()));
            prop_assert!(name.ends_with(|c: char| c.is_ascii_alphanumeric()));
            prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        }

        /// [JOB-06]
        #[test]
        fn different_runs_get_different_names(a in "[a-z][a-z.-]{0,5}[a-z]", b in "[a-z][a-z.-]{0,5}[a-z]") {
            prop_assume!(a != b);
            prop_assert_ne!(object(&a, "job"), object(&b, "job"));
        }
    }
}
