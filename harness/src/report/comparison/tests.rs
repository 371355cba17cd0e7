use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::event::CaseId;
use crate::record::{Change, ObjectVersion};
use crate::report::fixture::info;

/// What happened in a case.
#[derive(Clone)]
struct Life {
    observations: Vec<Observation>,
}

impl Life {
    fn new() -> Self {
        Self { observations: vec![Observation::CaseStarted { namespace: "namespace-1".to_owned() }] }
    }

    /// A version of `Run demo`, one second after what was before.
    fn run(mut self, status: &Value) -> Self {
        self.observations.push(Observation::Object(ObjectVersion {
            change: Change::Modified,
            api_version: "v1".to_owned(),
            kind: "Run".to_owned(),
            namespace: "namespace-1".to_owned(),
            name: "demo".to_owned(),
            uid: "uid-1".to_owned(),
            resource_version: self.observations.len() as u64,
            object: Arc::new(json!({"kind": "Run", "metadata": {"name": "demo"}, "status": status})),
        }));
        self
    }

    fn gap(mut self) -> Self {
        self.observations.push(Observation::Gap { kind: "v1/Run".to_owned(), reason: "too old".to_owned() });
        self
    }

    fn end(mut self, end: End) -> Vec<Arc<Entry>> {
        self.observations.push(Observation::RequestMark);
        self.observations.push(Observation::CaseFinished { end, by_claims: true });
        let entries = (0..).zip(self.observations).map(|(sequence, observation)| {
            let second = SignedDuration::from_secs(i64::try_from(sequence).unwrap());
            Arc::new(Entry { sequence, at: Timestamp::UNIX_EPOCH + second, observation })
        });
        entries.collect()
    }

    fn passes(self) -> Vec<Arc<Entry>> {
        self.end(End::Passed)
    }

    fn fails(self) -> Vec<Arc<Entry>> {
        let [claim, object, reason] = ["eventually ttl = 30", "Run demo", "it is 5"].map(str::to_owned);
        self.end(End::Failed { claim, object, reason })
    }
}

/// A record of the case `a-case`, which proves `TTL-01`, and perhaps its entries.
fn recording(history: Option<Vec<Arc<Entry>>>) -> Recording {
    let case = CaseInfo {
        id: CaseId { scenario: "a-case".to_owned(), case: String::new() },
        area: "ttl".to_owned(),
        file: "a-case.yaml".to_owned(),
        summary: "It has a time to live.".to_owned(),
        requirements: vec!["TTL-01".to_owned()],
        invariants: Vec::new(),
        goldens: Vec::new(),
        declined: false,
    };
    let cases = history.map(|history| ("a-case".to_owned(), history)).into_iter().collect();
    Recording { run: info(vec![case], false), cases, results: Vec::new(), end: None }
}

fn compared(a: Option<Vec<Arc<Entry>>>, b: Option<Vec<Arc<Entry>>>) -> Comparison {
    let (a, b) = (recording(a), recording(b));
    let party = |recording: &Recording, source: &str| Party::of(recording, source.to_owned(), None);
    let (one, other) = (party(&a, "a.yaml"), party(&b, "b.yaml"));
    Comparison::of((&a, one), (&b, other), |_| true, &Rules::default())
}

fn done() -> Life {
    Life::new().run(&json!({"phase": "Done", "ttl": 30}))
}

fn other() -> Life {
    Life::new().run(&json!({"phase": "Done", "ttl": 5}))
}

#[rstest]
#[case::alike(Some(done().passes()), Some(done().passes()), "no difference", exit::CONFORMANT)]
#[case::alike_in_failure(Some(done().fails()), Some(done().fails()), "no difference", exit::CONFORMANT)]
#[case::another_verdict(Some(done().passes()), Some(other().fails()), "OTHER VERDICT", exit::NON_CONFORMANT)]
#[case::another_history(Some(done().passes()), Some(other().passes()), "OTHER HISTORY", exit::NON_CONFORMANT)]
#[case::only_in_one(Some(done().passes()), None, "unknown", exit::INCONCLUSIVE)]
#[case::without_a_verdict(
    Some(done().passes()),
    Some(done().end(End::Inconclusive { reason: "slow".to_owned() })),
    "unknown",
    exit::INCONCLUSIVE
)]
#[case::with_a_gap(Some(done().passes()), Some(other().gap().passes()), "unknown", exit::INCONCLUSIVE)]
fn likeness_and_exit_code_tell_the_worst(
    #[case] a: Option<Vec<Arc<Entry>>>,
    #[case] b: Option<Vec<Arc<Entry>>>,
    #[case] likeness: &str,
    #[case] code: u8,
) {
    let comparison = compared(a, b);
    assert_eq!(comparison.cases[0].likeness.text(), likeness);
    assert_eq!(comparison.exit(), code);
}

#[test]
fn what_neither_ran_is_left_out_and_nothing_at_all_is_no_success() {
    let comparison = compared(None, None);
    assert!(comparison.cases.is_empty() && comparison.requirements.is_empty());
    assert_eq!(comparison.exit(), exit::NOTHING_RUN);
}

#[test]
fn another_verdict_is_told_with_its_requirement_and_the_first_place() {
    let comparison = compared(Some(done().passes()), Some(other().fails()));
    let text = comparison.text(false);
    assert_eq!(
        text,
        "\
A  agents-controller 0.1.0 (a.yaml)
B  agents-controller 0.1.0 (b.yaml)

requirements with another verdict
  TTL-01  MUST  passed in A, failed in B  With nothing configured the TTL is 600

OTHER VERDICT  a-case: passed in A, failed in B
  Run demo, status.ttl: 30 in A (+1.000 s), 5 in B (+1.000 s)
  failed in B: eventually ttl = 30: it is 5
"
    );
    assert_eq!(comparison.verdict(), "1 case compared: 1 with another verdict");
}

#[test]
fn cases_without_a_difference_are_named_on_demand() {
    let comparison = compared(Some(done().passes()), Some(done().passes()));
    assert!(!comparison.text(false).contains("a-case"));
    assert!(comparison.text(true).ends_with("\nno difference  a-case\n"));
    assert_eq!(comparison.verdict(), "no difference in 1 case");
}
