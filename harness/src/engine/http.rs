//! Asking the subject over HTTP, until the answer is as claimed.

use std::time::Duration;

use serde_json::Value;

use super::case::{CaseRun, Stop};
use super::wait::Wait;
use crate::check::matching::Pattern;
use crate::count::agree;
use crate::record::Observation;
use crate::scenario::step::Http;
use crate::subject::{Answer, Endpoint, SubjectError};
use crate::yaml::Location;

/// Pause between two questions.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What is wrong with the answers of one round; nothing if they are as claimed.
type Objection = Option<String>;

impl CaseRun<'_> {
    /// Asks all replicas again and again until as many as wanted answer as claimed.
    pub(super) async fn http(&mut self, http: &Http, at: &Location) -> Result<(), Stop> {
        let pattern = match &http.matches {
            None => None,
            Some(matches) => {
                let expanded = self.expand(matches)?;
                Some(Pattern::compile(&expanded).map_err(|mistakes| {
                    let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                    Stop::Inconclusive(mistakes.join("; "))
                })?)
            }
        };
        let within = Wait::Claimed(http.within).within(self.run.slack);
        let patience = self.run.pulse.patience(within);
        let mut pause = tokio::time::interval(ASK_EVERY);
        pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pause.tick().await;
            let (answers, objection) = self.round(http, pattern.as_ref()).await?;
            let over = tokio::time::Instant::now() >= patience.deadline();
            if objection.is_none() || over {
                for (question, answer) in answers {
                    let Answer { status, body } = answer;
                    self.record.append(Observation::Answer { question, status, body });
                }
            }
            match objection {
                None => return Ok(()),
                Some(objection) if over => {
                    if let Some(excuse) = patience.excuse() {
                        return Err(Stop::Inconclusive(excuse));
                    }
                    let claim = format!(
                        "GET {} answers {} within {} s",
                        http.path,
                        http.status,
                        within.as_secs_f32()
                    );
                    return Err(self.refused(&claim, "the subject", &objection, at));
                }
                Some(_) => {}
            }
        }
    }

    async fn round(
        &self,
        http: &Http,
        pattern: Option<&Pattern>,
    ) -> Result<(Vec<(String, Answer)>, Objection), Stop> {
        let Some(subject) = &self.subject else {
            return Err(Stop::Inconclusive("the case has no subject to be asked".to_owned()));
        };
        let port = http.port.unwrap_or(self.subjects()?.implementation.health.ready.port);
        let endpoints = subject.endpoints(port).await;
        let mut answers = Vec::new();
        let mut objections = Vec::new();
        for (index, endpoint) in endpoints.iter().enumerate() {
            match ask(endpoint, http, pattern).await.map_err(Stop::Inconclusive)? {
                (Some(answer), objection) => {
                    answers.push((format!("GET {} of replica {}", http.path, index + 1), answer));
                    objections.extend(objection);
                }
                (None, objection) => objections.extend(objection),
            }
        }
        let wanted = http.replicas.unwrap_or(endpoints.len());
        let satisfied = endpoints.len() - objections.len();
        let objection = if endpoints.is_empty() {
            Some(format!("no replica with port {port} runs"))
        } else if satisfied == wanted {
            None
        } else {
            let found = format!(
                "{satisfied} of {} {}",
                endpoints.len(),
                agree(&endpoints.len(), "replica answers so", "replicas answer so")
            );
            Some(format!("{found} instead of {wanted}: {}", objections.join("; ")))
        };
        Ok((answers, objection))
    }
}

/// The answer, if there is one, and what is wrong with it; the error tells what is wrong with the claim itself.
async fn ask(
    endpoint: &Endpoint,
    http: &Http,
    pattern: Option<&Pattern>,
) -> Result<(Option<Answer>, Objection), String> {
    Ok(match endpoint.get(&http.path).await {
        Ok(answer) => {
            let objection = objection(&answer, http, pattern)?;
            (Some(answer), objection)
        }
        Err(SubjectError::NoAnswer { message, .. }) => (None, Some(format!("no answer: {message}"))),
        Err(error) => (None, Some(error.to_string())),
    })
}

fn objection(answer: &Answer, http: &Http, pattern: Option<&Pattern>) -> Result<Objection, String> {
    if let Some(text) = text_objection(answer, http) {
        return Ok(Some(text));
    }
    let Some(pattern) = pattern else { return Ok(None) };
    let value = match serde_json::from_str::<Value>(&answer.body) {
        Err(error) => return Ok(Some(format!("{answer} is no JSON: {error}"))),
        Ok(value) => value,
    };
    if pattern.matches(&value)? {
        return Ok(None);
    }
    Ok(pattern
        .mismatches(&value)
        .first()
        .map(|mismatch| format!("{}: expected {}, is {}", mismatch.path, mismatch.expected, mismatch.actual)))
}

/// What is wrong with the answer as a text.
fn text_objection(answer: &Answer, http: &Http) -> Objection {
    let body = &answer.body;
    if answer.status != http.status {
        return Some(answer.to_string());
    }
    if let Some(text) = http.contains.as_ref().filter(|text| !body.contains(text.as_str())) {
        return Some(format!("{answer} does not contain `{text}`"));
    }
    if let Some(text) = http.lacks.as_ref().filter(|text| body.contains(text.as_str())) {
        return Some(format!("{answer} contains `{text}`"));
    }
    if let Some(wanted) = http.finds.as_ref().filter(|wanted| !wanted.is_match(body)) {
        return Some(format!("nothing like `{wanted}` is found in {answer}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use regex::Regex;
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::yaml::{Location, Node, Source};

    fn http() -> Http {
        Http {
            path: "/".to_owned(),
            port: None,
            status: 200,
            contains: None,
            lacks: None,
            finds: None,
            matches: None,
            replicas: None,
            within: Duration::ZERO,
        }
    }

    fn pattern(expected: &Value) -> Pattern {
        let at = Location::start_of(&Source::new("s.yaml", "-\n"));
        Pattern::compile(&Node::from_json(expected, &at)).unwrap()
    }

    #[rstest]
    #[case::as_claimed(http(), None, true)]
    #[case::status(Http { status: 503, ..http() }, None, false)]
    #[case::contains(Http { contains: Some("ok".to_owned()), ..http() }, None, true)]
    #[case::does_not_contain(Http { contains: Some("bad".to_owned()), ..http() }, None, false)]
    #[case::lacks(Http { lacks: Some("bad".to_owned()), ..http() }, None, true)]
    #[case::does_not_lack(Http { lacks: Some("ok".to_owned()), ..http() }, None, false)]
    #[case::finds(Http { finds: Some(Regex::new("o.").unwrap()), ..http() }, None, true)]
    #[case::does_not_find(Http { finds: Some(Regex::new("o{2}").unwrap()), ..http() }, None, false)]
    #[case::matches(http(), Some(pattern(&json!({"status": "ok"}))), true)]
    #[case::does_not_match(http(), Some(pattern(&json!({"status": "degraded"}))), false)]
    fn an_answer_is_as_claimed_or_the_objection_says_why_not(
        #[case] http: Http,
        #[case] pattern: Option<Pattern>,
        #[case] expected: bool,
    ) {
        let answer = Answer { status: 200, body: r#"{"status": "ok"}"#.to_owned() };
        let objection = objection(&answer, &http, pattern.as_ref()).unwrap();
        assert_eq!(objection.is_none(), expected, "{objection:?}");
    }

    #[test]
    fn what_is_no_json_never_matches() {
        let answer = Answer { status: 200, body: "ok".to_owned() };
        let objection = objection(&answer, &http(), Some(&pattern(&json!({})))).unwrap();
        assert!(objection.unwrap().contains("is no JSON"));
    }
}
