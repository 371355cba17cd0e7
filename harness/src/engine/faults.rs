//! The fault proxy of a case, and whoever kills and restarts its subject when the proxy says so.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::case::{CaseRun, Stop, chain};
use super::wait::Wait;
use crate::check::Judgement;
use crate::fault::FaultProxy;
use crate::record::{Entry, Observation};
use crate::scenario::fault::{Fault, Party, WatchFault};
use crate::subject::{LogSink, Subject, SubjectContext, SubjectError};
use crate::yaml::Location;

/// What stands between the subject of a case and the API server.
pub(super) struct Faults {
    proxy: Arc<FaultProxy>,
    /// Who kills, once there is a subject.
    killer: Option<Killer>,
    killing: Option<mpsc::UnboundedReceiver<()>>,
}

struct Killer {
    task: JoinHandle<()>,
    /// Whether a kill is under way.
    busy: watch::Receiver<bool>,
    /// Why the subject did not come back.
    trouble: Arc<Mutex<Option<SubjectError>>>,
}

impl Faults {
    /// Starts the proxy; what it does goes to `log`.
    pub(super) async fn start(context: &SubjectContext, log: LogSink) -> Result<Self, Stop> {
        let (proxy, killing) = FaultProxy::start(&context.kubeconfig_path, log)
            .await
            .map_err(|error| Stop::Inconclusive(chain(&error)))?;
        Ok(Self { proxy: Arc::new(proxy), killer: None, killing: Some(killing) })
    }

    /// The context of a subject that asks the API server through the proxy.
    pub(super) fn between(&self, context: &SubjectContext) -> SubjectContext {
        SubjectContext { route: self.proxy.route().cloned(), ..context.clone() }
    }

    /// From now on this subject dies when a fault says so, and is started again.
    pub(super) fn kill_on_demand(&mut self, subject: &Arc<Subject>) {
        let Some(mut kills) = self.killing.take() else { return };
        let (subject, proxy) = (Arc::clone(subject), Arc::clone(&self.proxy));
        let (working, busy) = watch::channel(false);
        let trouble = Arc::new(Mutex::new(None));
        let outcome = Arc::clone(&trouble);
        let task = tokio::spawn(async move {
            while kills.recv().await.is_some() {
                working.send_replace(true);
                if let Err(error) = replace(&*subject, &mut kills, || proxy.killed()).await {
                    *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
                working.send_replace(false);
            }
        });
        self.killer = Some(Killer { task, busy, trouble });
    }

    /// Waits until a kill that is under way is over; the subject's own trouble with it is an error.
    pub(super) async fn settled(&mut self) -> Result<(), SubjectError> {
        let Some(killer) = &mut self.killer else { return Ok(()) };
        // From the decision to kill on the proxy is not calm; when it is again, the killer is still busy.
        self.proxy.calm().await;
        // The task ends with the proxy, which is still there.
        let _idle = killer.busy.wait_for(|busy| !busy).await;
        match killer.trouble.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        if let Some(killer) = &self.killer {
            killer.task.abort();
        }
    }
}

/// A subject as far as it dies and lives again.
trait Mortal {
    async fn kill(&self) -> Result<(), SubjectError>;
    async fn start(&self) -> Result<(), SubjectError>;
    /// May be given up.
    async fn until_ready(&self) -> Result<(), SubjectError>;
}

impl Mortal for Subject {
    async fn kill(&self) -> Result<(), SubjectError> {
        self.kill().await
    }

    async fn start(&self) -> Result<(), SubjectError> {
        self.start_again_unready().await
    }

    async fn until_ready(&self) -> Result<(), SubjectError> {
        self.until_ready().await
    }
}

/// Kills a subject, calls `killed`, and starts it again, as often as `kills` demands it before it is ready.
async fn replace(
    subject: &impl Mortal,
    kills: &mut mpsc::UnboundedReceiver<()>,
    killed: impl Fn(),
) -> Result<(), SubjectError> {
    loop {
        let dead = subject.kill().await;
        // Whatever it still asked for must not be done for the next one.
        killed();
        dead?;
        subject.start().await?;
        // One that writes before it was seen to be ready may have to die for that. Its requests are held from then on,
        // so that it would never be ready.
        tokio::select! {
            biased;
            Some(()) = kills.recv() => {}
            ready = subject.until_ready() => return ready,
        }
    }
}

impl CaseRun<'_> {
    /// Arms a fault.
    pub(super) fn arm(&mut self, of: Party, fault: &Fault) -> Result<(), Stop> {
        match of {
            Party::Subject => self.proxy()?.arm(fault.clone()),
            Party::Recovery => self.recovery_proxy().arm(fault.clone()),
        }
        Ok(())
    }

    /// Nothing happens to requests any more, once each fault has met its own, and nobody churns objects.
    pub(super) async fn disarm(&mut self) -> Result<(), Stop> {
        self.players.churning.shutdown().await;
        self.faults_are_met().await?;
        if let Some(proxy) = self.recovery.proxy() {
            proxy.disarm();
        }
        if let Some(faults) = &self.faults {
            let writes = faults.proxy.disarm();
            self.record.append(Observation::FaultsOver { writes });
        }
        Ok(())
    }

    /// Disturbs the watches of the subject.
    pub(super) fn disturb_watches(&self, fault: &WatchFault) -> Result<(), Stop> {
        self.record.append(Observation::Fault {
            what: format!("the watches of {} become {}", fault.resource, fault.effect),
        });
        self.proxy()?.disturb_watches(fault.clone());
        Ok(())
    }

    /// Gives the subject time to make the requests that faults are for: one that was just started has made none yet.
    /// Those that it never makes are told in the end.
    async fn faults_are_met(&self) -> Result<(), Stop> {
        let Some(faults) = &self.faults else { return Ok(()) };
        let proxy = &faults.proxy;
        // A fault that is met is recorded, and with each new entry this is asked again.
        let met =
            |_: &[Arc<Entry>]| if proxy.unmet().is_none() { Judgement::Holds } else { Judgement::NotYet };
        self.wait_for(Wait::Request, met).await.map(drop)
    }

    /// Faults are over: the subject runs, and each of them met its request.
    pub(super) async fn faults_are_done(&mut self, at: &Location) -> Result<(), Stop> {
        self.recovery_faults_are_done().await?;
        self.faults_are_met().await?;
        let Some(faults) = &mut self.faults else { return Ok(()) };
        let writes = faults.proxy.disarm();
        let settled = faults.settled().await;
        let (unmet, unwatched) = (faults.proxy.unmet(), faults.proxy.unmet_of_watches());
        self.record.append(Observation::FaultsOver { writes });
        settled.map_err(|error| self.subject_trouble(&error, at))?;
        if let Some(fault) = unmet {
            return Err(Stop::Inconclusive(format!(
                "the subject never made the request for the fault \"{fault}\", so nothing was tried"
            )));
        }
        match unwatched {
            None => Ok(()),
            Some(fault) => Err(Stop::Inconclusive(format!(
                "the subject had no watch of {} that could become {}, so nothing was tried",
                fault.resource, fault.effect
            ))),
        }
    }

    /// Each fault of backups and restores met its request.
    async fn recovery_faults_are_done(&mut self) -> Result<(), Stop> {
        self.players.churning.shutdown().await;
        let Some(proxy) = self.recovery.proxy() else { return Ok(()) };
        proxy.disarm();
        match proxy.unmet() {
            None => Ok(()),
            Some(fault) => Err(Stop::Inconclusive(format!(
                "no backup or restore made the request for the fault \"{fault}\", so nothing was tried"
            ))),
        }
    }

    fn proxy(&self) -> Result<&FaultProxy, Stop> {
        let without = || Stop::Inconclusive("there is nothing between subject and API server".to_owned());
        self.faults.as_ref().map(|faults| faults.proxy.as_ref()).ok_or_else(without)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    /// Never ready unless this many of it have died before.
    struct ReadyAfter {
        deaths: usize,
        died: AtomicUsize,
        started: AtomicUsize,
    }

    impl Mortal for ReadyAfter {
        async fn kill(&self) -> Result<(), SubjectError> {
            self.died.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        async fn start(&self) -> Result<(), SubjectError> {
            self.started.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        async fn until_ready(&self) -> Result<(), SubjectError> {
            if self.died.load(Ordering::Relaxed) < self.deaths {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn who_is_to_die_before_it_is_ready_dies() {
        let subject = ReadyAfter { deaths: 3, died: AtomicUsize::new(0), started: AtomicUsize::new(0) };
        let (demand, mut kills) = mpsc::unbounded_channel();
        let released = AtomicUsize::new(0);
        let replaced = replace(&subject, &mut kills, || {
            released.fetch_add(1, Ordering::Relaxed);
        });
        let demanding = async {
            for _ in 0..2 {
                tokio::task::yield_now().await;
                demand.send(()).unwrap();
            }
        };
        let both = async { tokio::join!(replaced, demanding).0 };
        tokio::time::timeout(Duration::from_secs(5), both).await.expect("it is ready in the end").unwrap();
        for count in [&subject.died, &subject.started, &released] {
            assert_eq!(count.load(Ordering::Relaxed), 3);
        }
    }
}
