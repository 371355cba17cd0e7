//! Which backend `--cluster auto` takes.
//!
//! The local one where it can start: it alone has faults, clusters for single cases and databases, without which
//! no run of a suite that claims them ends with a verdict. A node where that cannot start, or where nothing but
//! pods can run the implementation.

use super::provision::{self, Prospect};
use super::{BackendChoice, ClusterSpec, k3s};
use crate::event::EventSink;

/// How what is tested can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunsAs {
    /// As processes of this machine, too, or it is the cluster itself.
    Anything,
    /// Only as pods, which takes a node.
    Pods,
}

/// What the local backend is good for.
#[derive(Debug)]
enum Local {
    /// It can start.
    Possible(Prospect),
    /// It cannot, for this reason.
    Impossible(String),
    /// Nothing would run there.
    Useless,
}

/// The backend that [`start`](super::start) will use: [`BackendChoice::Auto`] becomes one of the others, and why
/// is told.
pub async fn resolve(spec: &ClusterSpec, runs_as: RunsAs, events: &EventSink) -> BackendChoice {
    if spec.backend != BackendChoice::Auto {
        return spec.backend;
    }
    let local = match runs_as {
        RunsAs::Pods => Local::Useless,
        RunsAs::Anything => match provision::prospect(spec.kubernetes).await {
            Ok(prospect) => Local::Possible(prospect),
            Err(error) => Local::Impossible(first_line(&anyhow::Error::from(error))),
        },
    };
    // Docker may take long to answer, and a registry longer.
    let docker = !matches!(local, Local::Possible(_)) && k3s::available(&spec.k3s_image).await;
    let (choice, reason) = choose(&local, docker, &spec.k3s_image);
    events.note(reason);
    choice
}

/// The choice and its reason; `docker` is whether it can run a node of `image`.
fn choose(local: &Local, docker: bool, image: &str) -> (BackendChoice, String) {
    let no_docker = format!("Docker does not answer or cannot get `{image}`");
    match (local, docker) {
        (Local::Possible(prospect), _) => {
            let how = match prospect {
                Prospect::AtHand => "its programs are at hand",
                Prospect::ToBeBuilt => "Go can build its programs",
            };
            (BackendChoice::Local, format!("using the local backend, without a node: {how}"))
        }
        (Local::Impossible(reason), true) => (
            BackendChoice::K3s,
            format!(
                "using the k3s backend: Docker can run `{image}`, and the local one cannot start: {reason}"
            ),
        ),
        (Local::Useless, true) => (
            BackendChoice::K3s,
            format!(
                "using the k3s backend: the implementation file has no `process` section, so a node has to run \
                 it, and Docker can run `{image}`"
            ),
        ),
        // Its error tells in full what is missing.
        (Local::Impossible(_), false) => {
            (BackendChoice::Local, format!("trying the local backend, without a node: {no_docker}"))
        }
        (Local::Useless, false) => (
            BackendChoice::Local,
            format!(
                "using the local backend, where nothing runs an implementation without a `process` section: \
                 {no_docker}"
            ),
        ),
    }
}

/// The error and its causes without its help, which the choice makes needless.
fn first_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::at_hand(Local::Possible(Prospect::AtHand), false, BackendChoice::Local, "are at hand")]
    #[case::to_be_built(Local::Possible(Prospect::ToBeBuilt), false, BackendChoice::Local, "Go can build")]
    #[case::both(Local::Possible(Prospect::AtHand), true, BackendChoice::Local, "are at hand")]
    #[case::only_docker(Local::Impossible("no Go".to_owned()), true, BackendChoice::K3s, "cannot start: no Go")]
    #[case::neither(Local::Impossible("no Go".to_owned()), false, BackendChoice::Local, "Docker does not answer")]
    #[case::pods(Local::Useless, true, BackendChoice::K3s, "no `process` section")]
    #[case::pods_without_docker(Local::Useless, false, BackendChoice::Local, "Docker does not answer")]
    fn local_wins_wherever_it_can_run_what_is_tested(
        #[case] local: Local,
        #[case] docker: bool,
        #[case] choice: BackendChoice,
        #[case] reason: &str,
    ) {
        let (chosen, why) = choose(&local, docker, "node:v1");
        assert_eq!(chosen, choice);
        assert!(why.contains(reason) && !why.contains('\n'), "{why}");
        let named = if chosen == BackendChoice::K3s { "the k3s backend" } else { "the local backend" };
        assert!(why.contains(named), "{why}");
    }

    #[tokio::test]
    async fn what_was_named_is_taken_without_a_word() {
        let (events, mut received) = EventSink::channel();
        for backend in [BackendChoice::Local, BackendChoice::K3s, BackendChoice::Kept] {
            let spec = ClusterSpec { backend, ..ClusterSpec::default() };
            assert_eq!(resolve(&spec, RunsAs::Pods, &events).await, backend);
        }
        assert!(received.try_recv().is_err());
    }
}
