//! Runs that have to be looked at although nothing about them has changed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures::{Stream, stream};
use kube::runtime::reflector::ObjectRef;
use tokio::sync::Notify;

use crate::api::AgentRun;

/// Has a run looked at by whoever looks at its namespace. `all` are the controllers by their namespace; one
/// without looks at all of them.
pub(super) fn wake(all: &[(Option<String>, Arc<Wakes>)], run: ObjectRef<AgentRun>) {
    let here = |(of, _): &&(Option<String>, _)| of.is_none() || *of == run.namespace;
    if let Some((_, wakes)) = all.iter().find(here) {
        wakes.wake(run);
    }
}

/// A set, so that a run that is woken twice is looked at once and the memory is bounded by the runs.
#[derive(Debug, Default)]
pub(super) struct Wakes {
    waiting: Mutex<HashSet<ObjectRef<AgentRun>>>,
    added: Notify,
}

impl Wakes {
    /// Has the run looked at.
    pub(super) fn wake(&self, run: ObjectRef<AgentRun>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(run);
        self.added.notify_one();
    }

    /// The runs to look at, for one consumer; never ends.
    pub(super) fn stream(self: Arc<Self>) -> impl Stream<Item = ObjectRef<AgentRun>> + Send {
        stream::unfold(self, |wakes| async {
            loop {
                if let Some(run) = wakes.next() {
                    return Some((run, wakes));
                }
                // A wake since the look above has left a permit, so none is missed.
                wakes.added.notified().await;
            }
        })
    }

    fn next(&self) -> Option<ObjectRef<AgentRun>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let run = waiting.iter().next().cloned()?;
        waiting.take(&run)
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    #[tokio::test]
    async fn a_run_that_is_woken_twice_comes_once_and_none_is_lost() {
        let wakes = Arc::new(Wakes::default());
        let mut stream = Box::pin(Arc::clone(&wakes).stream());
        let run = |name: &str| ObjectRef::<AgentRun>::new(name).within("ns");
        wakes.wake(run("a"));
        wakes.wake(run("a"));
        assert_eq!(stream.next().await, Some(run("a")));
        assert_eq!(stream.next().now_or_never(), None);
        wakes.wake(run("b"));
        assert_eq!(stream.next().await, Some(run("b")));
    }
}
