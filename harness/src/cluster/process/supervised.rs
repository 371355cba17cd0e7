//! The handle of a running supervised process.

use std::future::Future;
use std::time::Duration;

use tokio::io::{BufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio::sync::watch;

use super::exit::{Exit, Message};

/// How long a process group may take to disappear after SIGKILL.
const KILL: Duration = Duration::from_secs(10);

/// A signal that can be sent to a supervised process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: end in order.
    Terminate,
    /// SIGINT.
    Interrupt,
    /// SIGKILL: end at once.
    Kill,
    /// SIGSTOP: stand still.
    Stop,
    /// SIGCONT: go on after [`Signal::Stop`].
    Continue,
}

impl Signal {
    fn number(self) -> u8 {
        use rustix::process::Signal as Raw;
        let raw = match self {
            Self::Terminate => Raw::TERM,
            Self::Interrupt => Raw::INT,
            Self::Kill => Raw::KILL,
            Self::Stop => Raw::STOP,
            Self::Continue => Raw::CONT,
        };
        u8::try_from(raw.as_raw()).unwrap_or(0)
    }
}

/// A running process with its group.
///
/// Dropping it kills the whole group at once without waiting.
#[derive(Debug)]
pub struct Supervised {
    pid: u32,
    control: OwnedWriteHalf,
    /// How the child ended; set before the rest of its group is gone.
    exit: watch::Receiver<Option<Exit>>,
    /// Whether the supervisor is gone, and with it every process of the group.
    gone: watch::Receiver<bool>,
}

impl Supervised {
    pub(super) fn new(
        pid: i32,
        child: Child,
        messages: Lines<BufReader<OwnedReadHalf>>,
        control: OwnedWriteHalf,
    ) -> Self {
        let (exit_sender, exit) = watch::channel(None);
        let (gone_sender, gone) = watch::channel(false);
        tokio::spawn(observe(child, messages, exit_sender, gone_sender));
        Self { pid: pid.cast_unsigned(), control, exit, gone }
    }

    /// Process id of the program itself, which is also its process group.
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it did.
    pub fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Resolves when the program ends, for whatever reason. Does not borrow the handle.
    pub fn ended(&self) -> impl Future<Output = Exit> + Send + 'static {
        let mut exit = self.exit.clone();
        async move {
            let seen = exit.wait_for(Option::is_some).await;
            seen.ok().and_then(|seen| *seen).unwrap_or(Exit::Unknown)
        }
    }

    /// Waits for the end of the program and of everything it started.
    pub async fn wait(&mut self) -> Exit {
        let exit = self.ended().await;
        let _observer_gone = self.gone.wait_for(|gone| *gone).await;
        exit
    }

    /// Sends a signal to the process group; nothing happens if it ended.
    pub fn signal(&self, signal: Signal) {
        let _ended = self.control.try_write(&[signal.number()]);
    }

    /// Kills the process group at once; [`Supervised::wait`] tells when it is gone.
    pub fn kill(&self) {
        self.signal(Signal::Kill);
    }

    /// Asks it to end, kills it after `grace`, and waits until everything it started is gone.
    ///
    /// Bounded by `grace` plus ten seconds, after which the system itself is in trouble.
    pub async fn stop(mut self, grace: Duration) -> Exit {
        self.signal(Signal::Terminate);
        if let Ok(exit) = tokio::time::timeout(grace, self.ended()).await {
            let _slow_group = tokio::time::timeout(KILL, self.wait()).await;
            return exit;
        }
        self.stop_now().await
    }

    /// Kills it and waits, at most ten seconds, until everything it started is gone.
    pub async fn stop_now(mut self) -> Exit {
        self.kill();
        tokio::time::timeout(KILL, self.wait()).await.unwrap_or(Exit::Unknown)
    }
}

/// Follows the supervisor's messages, then reaps it. Ends by itself once the handle is dropped, because
/// the supervisor ends then.
async fn observe(
    mut child: Child,
    mut messages: Lines<BufReader<OwnedReadHalf>>,
    exit: watch::Sender<Option<Exit>>,
    gone: watch::Sender<bool>,
) {
    while let Ok(Some(line)) = messages.next_line().await {
        if let Some(Message::Ended(how)) = Message::parse(&line) {
            exit.send_replace(Some(how));
        }
    }
    let _reaped = child.wait().await;
    exit.send_if_modified(|exit| exit.is_none() && exit.insert(Exit::Unknown) == &Exit::Unknown);
    gone.send_replace(true);
}
