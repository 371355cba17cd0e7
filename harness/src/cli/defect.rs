//! What commands have in common that run an implementation with one of its defects.

use super::args::Output;
use super::console::Console;
use crate::event::EventSink;
use crate::exit;
use crate::report;
use crate::subject::{Implementation, defects};

/// The implementation with one of its defects; what keeps it from that is told, and the exit code returned.
pub(super) async fn planted(
    implementation: &Implementation,
    name: &str,
    output: &Output,
    console: Console,
) -> Result<Implementation, u8> {
    let (Some(settings), Some(defective)) = (implementation.defects.clone(), implementation.defective())
    else {
        console.say(&format!("{} has no `defects`", implementation.file().display()));
        return Err(exit::USAGE);
    };
    let (sink, receiver) = EventSink::channel();
    let progress = report::spawn_progress(receiver, output.settings());
    let known = defects::list(implementation, &settings, &sink).await;
    drop(sink);
    let _panicked = progress.await;
    let known = known.map_err(|error| {
        console.error(&error);
        exit::INCONCLUSIVE
    })?;
    if known.iter().all(|defect| defect.name != name) {
        let names: Vec<&str> = known.iter().map(|defect| defect.name.as_str()).collect();
        console.say(&format!("no defect `{name}`; known are: {}", names.join(", ")));
        return Err(exit::USAGE);
    }
    Ok(defective.with_defect(name))
}
