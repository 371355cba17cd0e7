//! Which image a run uses: the first source that is not blank.

use crate::api::Workload;
use crate::config::RunnerDefaults;
use crate::defects::Defect;

use super::text::given;

/// The trimmed image of the first source that gives one.
///
/// `workloads` are looked at in their order, a step's before the run's.
pub fn resolve<'a>(
    workloads: impl IntoIterator<Item = Option<&'a Workload>>,
    defaults: &'a RunnerDefaults,
) -> Option<&'a str> {
    let own = workloads.into_iter().find_map(|workload| given(workload?.image.as_ref()));
    let runner = given(defaults.runner_image.as_ref()).filter(|_| !Defect::RunnerDefaultIgnored.is_planted());
    let agent = given(defaults.agent_image.as_ref()).filter(|_| !Defect::AgentImageIgnored.is_planted());
    if Defect::DefaultBeatsOwnImage.is_planted() {
        return runner.or(own).or(agent);
    }
    let invented = Defect::MissingImageIsInvented.is_planted().then_some("image:unknown");
    own.or(runner).or(agent).or(invented)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// [IMG-01] to [IMG-06]
    #[rstest]
    #[case(Some("own"), Some("runner"), Some("agent"), Some("own"))]
    #[case(Some(" own "), None, None, Some("own"))]
    #[case(Some("  "), Some("runner"), Some("agent"), Some("runner"))]
    #[case(None, Some("runner"), Some("agent"), Some("runner"))]
    #[case(None, Some(""), Some("agent"), Some("agent"))]
    #[case(None, None, Some("agent"), Some("agent"))]
    #[case(Some(""), Some(" "), None, None)]
    #[case(None, None, None, None)]
    fn the_first_source_that_is_not_blank_wins(
        #[case] own: Option<&str>,
        #[case] runner: Option<&str>,
        #[case] agent: Option<&str>,
        #[case] expected: Option<&str>,
    ) {
        let workload = Workload { image: own.map(str::to_owned), ..Workload::default() };
        let defaults = RunnerDefaults {
            runner_image: runner.map(str::to_owned),
            agent_image: agent.map(str::to_owned),
            ..RunnerDefaults::default()
        };
        assert_eq!(resolve([Some(&workload)], &defaults), expected);
    }
}
