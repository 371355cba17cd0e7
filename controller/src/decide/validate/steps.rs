//! The pieces of work of a run: the run itself, or the steps of its workflow.

use std::collections::{BTreeMap, HashSet};

use crate::api::{AgentRun, ImplementationRef, ImplementationSpecSpec, NameRef, WorkflowStep, Workload};
use crate::defects::Defect;

use super::super::status::reason;
use super::super::text::{given, non_blank};
use super::{Refusal, parameters};

/// Which pieces are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All, before the first Job.
    Whole,
    /// One step, before a Job of its own.
    Step(usize),
}

/// What one Job executes.
#[derive(Debug, Clone)]
pub struct Piece<'a> {
    run: &'a AgentRun,
    /// Index of the step, from 0, and the step.
    pub step: Option<(usize, &'a WorkflowStep)>,
    /// Parameters; a step's win over the run's.
    pub parameters: BTreeMap<String, String>,
}

impl<'a> Piece<'a> {
    /// Name of the step.
    pub fn step_name(&self) -> Option<&'a str> {
        self.step.map(|(_, step)| step.name.trim())
    }

    /// Where the piece stands in the spec, for messages.
    pub fn place(&self) -> String {
        self.step_name().map_or_else(|| "spec".to_owned(), |name| format!("workflow step {name:?}"))
    }

    /// Where an image may stand, the strongest first.
    pub fn workloads(&self) -> [Option<&'a Workload>; 2] {
        let of_step = self.step.and_then(|(_, step)| step.workload.as_ref());
        [of_step.filter(|_| !Defect::StepImageIgnored.is_planted()), self.run.spec.workload.as_deref()]
    }

    /// Resources and volumes: a step's workload replaces the run's as a whole.
    pub fn workload(&self) -> Workload {
        self.workloads().into_iter().flatten().next().cloned().unwrap_or_default()
    }

    /// Secrets that the pod mounts because the workload says so.
    pub fn mounted_secrets(&self) -> impl Iterator<Item = &'a str> {
        let workload = self.workloads().into_iter().flatten().next();
        let volumes = workload.and_then(|workload| workload.volumes.as_ref()).into_iter().flatten();
        volumes
            .filter(|volume| volume.type_ == "secret")
            .filter_map(|volume| given(volume.secret_name.as_ref()))
    }

    /// The work written inline, the step's before the run's.
    pub fn inline(&self) -> Option<&'a ImplementationSpecSpec> {
        match self.work() {
            Work::Inline(inline) => Some(inline),
            Work::Named(_) | Work::Missing => None,
        }
    }

    /// Name of the `ImplementationSpec`, unless the work is written inline.
    pub fn implementation_name(&self) -> Option<&'a str> {
        match self.work() {
            Work::Named(name) => Some(name),
            Work::Inline(_) | Work::Missing => None,
        }
    }

    fn work(&self) -> Work<'a> {
        let of_step = self
            .step
            .map(|(_, step)| work(step.implementation.as_ref(), step.implementation_spec_ref.as_ref()))
            .filter(|work| !matches!(work, Work::Missing));
        let spec = &self.run.spec;
        of_step.unwrap_or_else(|| work(spec.implementation.as_ref(), spec.implementation_spec_ref.as_ref()))
    }
}

enum Work<'a> {
    Inline(&'a ImplementationSpecSpec),
    Named(&'a str),
    Missing,
}

fn work<'a>(inline: Option<&'a ImplementationRef>, name: Option<&'a NameRef>) -> Work<'a> {
    let inline = inline.and_then(|implementation| implementation.inline.as_deref());
    if let Some(inline) = inline.filter(|inline| non_blank(&inline.text).is_some()) {
        return Work::Inline(inline);
    }
    name.and_then(|name| non_blank(&name.name)).map_or(Work::Missing, Work::Named)
}

/// All pieces of `run`, unchecked: what has to be read before they can be checked.
pub fn unchecked(run: &AgentRun, extent: Extent) -> Vec<Piece<'_>> {
    let steps = run.spec.workflow.iter().filter_map(|workflow| workflow.steps.as_ref()).flatten();
    let piece = |step| Piece { run, step, parameters: BTreeMap::new() };
    if !super::is_workflow(run) {
        return vec![piece(None)];
    }
    let pieces = steps.enumerate().map(|step| piece(Some(step)));
    match extent {
        Extent::Whole => pieces.collect(),
        Extent::Step(wanted) => pieces.skip(wanted).take(1).collect(),
    }
}

/// Checks names and parameters of all pieces. `parameters` are those of the run.
pub(super) fn check<'a>(
    run: &'a AgentRun,
    parameters: &BTreeMap<String, String>,
    extent: Extent,
) -> Result<Vec<Piece<'a>>, Refusal> {
    let pieces = unchecked(run, extent);
    if pieces.is_empty() {
        let message = "runtime \"workflow\" needs at least one step in spec.workflow.steps";
        return Err(Refusal::invalid(reason::MISSING_WORKFLOW_STEPS, message));
    }
    let mut names = HashSet::new();
    for (index, name) in pieces.iter().filter_map(|piece| Some((piece.step?.0, piece.step_name()?))) {
        if name.is_empty() {
            let message = format!("spec.workflow.steps[{index}] has no name");
            return Err(Refusal::invalid(reason::WORKFLOW_STEP_MISSING_NAME, message));
        }
        if !names.insert(name) && !Defect::DuplicateStepsPass.is_planted() {
            let message = format!("spec.workflow.steps[{index}] repeats the name {name:?}");
            return Err(Refusal::invalid(reason::WORKFLOW_STEP_DUPLICATE, message));
        }
    }
    pieces
        .into_iter()
        .map(|piece| {
            let own = piece.step.and_then(|(_, step)| step.parameters.as_ref());
            let mut merged = parameters.clone();
            merged.extend(parameters::check(own).map_err(|refusal| refusal.at(&piece.place()))?);
            Ok(Piece { parameters: merged, ..piece })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "literals read better without a borrow")]
    fn run(steps: Value) -> AgentRun {
        serde_json::from_value(json!({"metadata": {"name": "r"}, "spec": {
            "agentRef": {"name": "a"}, "runtime": {"type": "workflow"}, "workflow": {"steps": steps},
            "implementation": {"inline": {"text": "the run's"}},
            "workload": {"image": "run:1", "resources": {"limits": {"cpu": "1"}}},
        }}))
        .unwrap()
    }

    /// [WF-04]
    #[rstest]
    #[case(json!([]), Some(reason::MISSING_WORKFLOW_STEPS))]
    #[case(json!(null), Some(reason::MISSING_WORKFLOW_STEPS))]
    #[case(json!([{"name": " "}]), Some(reason::WORKFLOW_STEP_MISSING_NAME))]
    #[case(json!([{"name": "a"}, {"name": " a "}]), Some(reason::WORKFLOW_STEP_DUPLICATE))]
    #[case(json!([{"name": "a", "parameters": {"x": 1}}]), Some(reason::PARAMETER_NOT_STRING))]
    #[case(json!([{"name": "a"}, {"name": "b"}]), None)]
    fn steps_need_unique_names(#[case] steps: Value, #[case] expected: Option<&str>) {
        let run = run(steps);
        let checked = check(&run, &BTreeMap::new(), Extent::Whole);
        assert_eq!(checked.err().map(|refusal| refusal.reason), expected);
    }

    #[test]
    fn a_step_has_its_own_work_workload_and_parameters_and_else_the_runs() {
        let run = run(json!([
            {"name": "plain"},
            {"name": "named", "implementationSpecRef": {"name": "spec"}, "parameters": {"k": "step"}},
            {"name": "inline", "implementation": {"inline": {"text": "own"}},
             "implementationSpecRef": {"name": "weaker"}, "workload": {"image": "own:1"}},
        ]));
        let parameters =
            BTreeMap::from([("k".to_owned(), "run".to_owned()), ("l".to_owned(), "x".to_owned())]);
        let pieces = check(&run, &parameters, Extent::Whole).unwrap();
        let [plain, named, inline] = pieces.as_slice() else { panic!("three steps") };
        assert_eq!(
            (plain.inline().unwrap().text.as_str(), plain.parameters["k"].as_str()),
            ("the run's", "run")
        );
        assert_eq!((named.inline(), named.implementation_name()), (None, Some("spec")));
        assert_eq!((named.parameters["k"].as_str(), named.parameters["l"].as_str()), ("step", "x"));
        assert_eq!(inline.inline().unwrap().text, "own");
        assert_eq!(inline.workload().resources, None);
        assert_eq!(plain.workload().image.as_deref(), Some("run:1"));
    }

    #[test]
    fn one_step_can_be_looked_at_alone() {
        let run = run(json!([{"name": "a"}, {"name": "b", "implementationSpecRef": {"name": "spec"}}]));
        let pieces = check(&run, &BTreeMap::new(), Extent::Step(1)).unwrap();
        assert_eq!(pieces.iter().map(Piece::step_name).collect::<Vec<_>>(), [Some("b")]);
    }
}
