use super::*;
use crate::check::Failure;
use crate::scenario::suite::Suite;

fn case(steps: &str) -> PlannedCase {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "suite.yaml",
        "apiVersion: hallmark.dev/v1alpha1\nkind: Suite\nmetadata: {name: s}\nspec: {requirements: requirements.yaml, implementation: mine.yaml}\n",
    );
    write(
        "requirements.yaml",
        "apiVersion: hallmark.dev/v1alpha1\nkind: Requirements\nrequirements:\n  - {id: A-1, statement: s, level: MUST, feature: core, source: here}\n",
    );
    write("object.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\n");
    write(
        "scenario.yaml",
        &format!(
            "apiVersion: hallmark.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: life}}\nspec:\n  requirements: [A-1]\n  summary: s\n  given: {{subject: dedicated, objects: [object.yaml]}}\n  steps:\n{steps}\n"
        ),
    );
    Suite::load(folder.path()).unwrap_or_else(|error| panic!("{:?}", error.diagnostics)).cases()[0].clone()
}

const PEACEFUL: &str = "    - eventually: {object: base, matches: {metadata: {name: base}}}";

fn entry(observation: Observation) -> Arc<Entry> {
    Arc::new(Entry { sequence: 0, at: jiff::Timestamp::UNIX_EPOCH, observation })
}

fn numbered(history: Vec<Observation>) -> Vec<Arc<Entry>> {
    let entry = |(sequence, observation)| Entry { sequence, ..entry(observation).as_ref().clone() };
    (0..).zip(history).map(entry).map(Arc::new).collect()
}

fn write(number: u64, request: &str) -> Observation {
    Observation::Write { number, request: request.to_owned(), status: Some(200) }
}

#[test]
fn the_kill_is_armed_when_what_is_given_is_dealt_with() {
    let case = case(PEACEFUL);
    let killed = killed_at(&case, 3, Moment::After, true);
    assert_eq!(killed.id.to_string(), "life/after-write-3");
    assert!(killed.objects.is_empty());
    let summaries: Vec<&str> = killed.steps.iter().map(|step| step.summary.as_str()).collect();
    assert_eq!(
        summaries,
        ["create ConfigMap base", "fence", "kill: kill the subject after write 3", "eventually"]
    );
    assert!(killed.has_faults() && !case.has_faults());
}

#[test]
fn only_writes_that_arrived_while_the_kill_was_armed_count_and_in_the_order_of_their_arrival() {
    let step = |summary: &str| Observation::StepStarted {
        index: 0,
        summary: summary.to_owned(),
        assertion: false,
        digest: String::new(),
    };
    let history = numbered(vec![
        step("create"),
        write(1, "too early"),
        step("kill: it"),
        write(3, "second"),
        write(2, "first"),
        Observation::FaultsOver { writes: 4 },
        write(5, "too late"),
        write(4, "arrived before the end"),
    ]);
    assert_eq!(writes(&history), ["first", "second", "arrived before the end"]);
}

#[test]
fn a_case_that_disturbs_its_subject_itself_is_not_explored() {
    assert_eq!(hindrance(&case(PEACEFUL)), None);
    let killer = case(&format!("    - kill: {{}}\n{PEACEFUL}"));
    assert_eq!(hindrance(&killer), Some("it disturbs its subject itself"));
    let life = life(&killer, Undisturbed::of(&killer, None), &BTreeMap::new());
    assert_eq!(life.trouble.as_deref(), Some("it disturbs its subject itself"));
}

#[test]
fn a_placement_is_what_its_life_came_to() {
    let started = || entry(Observation::CaseStarted { namespace: "one".to_owned() });
    let undisturbed = Ending::of(&[started()]);
    let lived = |verdict, history| Lived { verdict, history };
    let of = |lived: Lived| Placement::of(Some(&lived), &undisturbed);
    assert_eq!(of(lived(Verdict::Passed, vec![started()])), Placement::Same);
    let more = entry(Observation::Object(crate::record::ObjectVersion {
        change: crate::record::Change::Added,
        api_version: "v1".to_owned(),
        kind: "Job".to_owned(),
        namespace: "one".to_owned(),
        name: "twin".to_owned(),
        uid: "u".to_owned(),
        resource_version: 1,
        object: Arc::default(),
    }));
    let differences = vec!["Job twin should never have existed".to_owned()];
    assert_eq!(of(lived(Verdict::Passed, vec![started(), more])), Placement::Different { differences });
    let location = crate::yaml::Location::start_of(&crate::yaml::Source::new("s.yaml", ""));
    let failure =
        Failure::refused("claim".to_owned(), "o".to_owned(), "why".to_owned(), &location, Vec::new());
    let failed = of(lived(Verdict::Failed(Box::new(failure)), Vec::new()));
    assert_eq!(failed, Placement::Failed { reason: "claim: why".to_owned() });
    assert!(matches!(Placement::of(None, &undisturbed), Placement::Inconclusive { .. }));
    let trouble = || Verdict::Inconclusive { reason: "r".to_owned() };
    let over = || entry(Observation::FaultsOver { writes: 2 });
    assert_eq!(of(lived(trouble(), vec![over()])), Placement::NotMade);
    let killed = entry(Observation::Fault { what: "kill".to_owned() });
    let unknown = Placement::Inconclusive { reason: "r".to_owned() };
    assert_eq!(of(lived(trouble(), vec![killed, over()])), unknown);
    assert_eq!(of(lived(trouble(), vec![started()])), unknown, "the steps were not done");
}
