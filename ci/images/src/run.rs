//! A run as its runner sees it: the document `run.json`.

use std::process::ExitCode;

use serde_json::Value;

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As wished: exit code 0.
    Succeeds,
    /// As asked for by the parameter `fail`: exit code 3, which no crash has.
    Fails,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeds => Self::SUCCESS,
            Outcome::Fails => Self::from(3),
        }
    }
}

/// The part of `run.json` that the runner looks at. Only the keys of the document are specified, not the
/// shapes below them, so a missing or differently shaped part is tolerated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Name of the run, or `unknown`.
    pub name: String,
    /// How it ends.
    pub outcome: Outcome,
}

impl Run {
    /// Reads the document.
    ///
    /// # Errors
    /// Returns an error if `json` is no JSON.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        let document: Value = serde_json::from_str(json)?;
        let name = ["/agentRun/metadata/name", "/agentRun/name", "/agentRun"]
            .iter()
            .find_map(|pointer| document.pointer(pointer)?.as_str())
            .unwrap_or("unknown");
        let outcome = match document.pointer("/parameters/fail") {
            Some(Value::Bool(true)) => Outcome::Fails,
            Some(Value::String(text)) if text == "true" => Outcome::Fails,
            _ => Outcome::Succeeds,
        };
        Ok(Self { name: name.to_owned(), outcome })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, outcome: Outcome) -> Run {
        Run { name: name.to_owned(), outcome }
    }

    #[test]
    fn the_name_is_found_in_every_usual_shape() {
        for agent_run in [r#"{"metadata":{"name":"a"}}"#, r#"{"name":"a","uid":"u"}"#, r#""a""#] {
            let json = format!(r#"{{"agentRun":{agent_run}}}"#);
            assert_eq!(Run::parse(&json).unwrap(), run("a", Outcome::Succeeds), "{json}");
        }
    }

    #[test]
    fn only_the_parameter_fail_makes_a_run_fail() {
        for (parameters, outcome) in [
            (r#"{"fail":"true"}"#, Outcome::Fails),
            (r#"{"fail":true}"#, Outcome::Fails),
            (r#"{"fail":"false"}"#, Outcome::Succeeds),
            (r#"{"other":"true"}"#, Outcome::Succeeds),
            ("null", Outcome::Succeeds),
        ] {
            let json = format!(r#"{{"agentRun":{{"name":"a"}},"parameters":{parameters}}}"#);
            assert_eq!(Run::parse(&json).unwrap(), run("a", outcome), "{json}");
        }
    }

    #[test]
    fn a_document_without_known_keys_is_a_nameless_run() {
        assert_eq!(Run::parse("[]").unwrap(), run("unknown", Outcome::Succeeds));
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        assert!(Run::parse("agentRun: a").is_err());
    }
}
