//! The file system as a stream of changes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify_debouncer_full::notify::event::{EventKind, ModifyKind};
use notify_debouncer_full::notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{
    DebounceEventResult, DebouncedEvent, Debouncer, NoCache, new_debouncer_opt, notify,
};
use tokio::sync::mpsc;

use crate::scenario::suite::Suite;
use crate::scenario::{Changes, plain_path};

/// How long a path has to be quiet until its change is told: editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(80);

/// A folder that cannot be watched.
#[derive(Debug, thiserror::Error)]
#[error("watch `{}` for changes", path.display())]
pub(super) struct WatchError {
    path: PathBuf,
    source: notify::Error,
}

/// Watches the folder of a suite, and the folders of files that it names elsewhere.
pub(super) struct Watch {
    debouncer: Debouncer<RecommendedWatcher, NoCache>,
    changed: mpsc::UnboundedReceiver<Vec<PathBuf>>,
    root: PathBuf,
    others: BTreeSet<PathBuf>,
}

impl Watch {
    /// Begins to watch a folder and all below it.
    pub(super) fn start(root: &Path) -> Result<Self, WatchError> {
        let root = plain_path(root);
        let (sender, changed) = mpsc::unbounded_channel();
        let tell = move |result: DebounceEventResult| {
            let events = result.unwrap_or_default();
            let paths: Vec<PathBuf> =
                events.iter().filter(|event| is_change(event)).flat_map(paths).collect();
            if !paths.is_empty() {
                let _nobody_listens = sender.send(paths);
            }
        };
        let failed = |source| WatchError { path: root.clone(), source };
        let mut debouncer = new_debouncer_opt(QUIET, None, tell, NoCache::new(), notify::Config::default())
            .map_err(failed)?;
        debouncer.watch(&root, RecursiveMode::Recursive).map_err(failed)?;
        Ok(Self { debouncer, changed, root, others: BTreeSet::new() })
    }

    /// Watches the folders of files of the suite that are not below its own.
    pub(super) fn follow(&mut self, suite: &Suite) -> Result<(), WatchError> {
        let folders =
            suite.files().iter().filter_map(|file| Some(plain_path(file.path()).parent()?.to_owned()));
        let outside: BTreeSet<PathBuf> = folders.filter(|folder| !folder.starts_with(&self.root)).collect();
        for folder in outside {
            if self.others.insert(folder.clone()) {
                self.debouncer
                    .watch(&folder, RecursiveMode::NonRecursive)
                    .map_err(|source| WatchError { path: folder, source })?;
            }
        }
        Ok(())
    }

    /// Waits for changes.
    pub(super) async fn next(&mut self) -> Changes {
        let mut changes: Changes = self.changed.recv().await.into_iter().flatten().collect();
        while let Ok(more) = self.changed.try_recv() {
            changes.extend(more);
        }
        changes
    }
}

/// Whoever reads a suite opens its files, which changes nothing; nor does a new time of a folder.
fn is_change(event: &DebouncedEvent) -> bool {
    match event.kind {
        EventKind::Access(_) => false,
        EventKind::Modify(ModifyKind::Metadata(_)) => event.paths.iter().all(|path| !path.is_dir()),
        _ => true,
    }
}

fn paths(event: &DebouncedEvent) -> impl Iterator<Item = PathBuf> {
    event.paths.iter().cloned()
}
