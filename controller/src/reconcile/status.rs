//! Writing the status of a run.

use kube::ResourceExt;
use kube::api::PostParams;
use tracing::info;

use crate::api::{AgentRun, AgentRunStatusView};
use crate::decide::status::{Draft, phase};
use crate::defects::Defect;

use super::FIELD_MANAGER;
use super::context::Context;
use super::error::{Error, api_code};
use super::pass::KIND;

/// Writes the draft if it changes anything.
///
/// The write is conditional on the resource version that was read. When somebody else was faster this
/// fails, and the next pass decides again on what is there then.
pub(super) async fn write(run: &AgentRun, draft: Draft<'_>, context: &Context) -> Result<(), Error> {
    let Some(update) = draft.into_update() else { return Ok(()) };
    let name = run.name_any();
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    match context.api::<AgentRunStatusView>(run).replace_status(&name, &params, &update).await {
        Ok(written) => {
            context.wrote(&written);
            context.metrics.status_written(KIND);
            let status = written.status;
            context.events.tell(run, &status);
            let before = run.status.as_ref().and_then(|status| status.phase.as_deref());
            if before != status.phase.as_deref() {
                let phase = status.phase.as_deref().unwrap_or_default();
                let reason = status.reason.as_deref().unwrap_or_default();
                let terminal = phase::is_terminal(phase);
                if Defect::PanicsAside.is_planted() {
                    tokio::spawn(async move { assert!(!terminal, "planted") });
                }
                if terminal {
                    context.metrics.ended(phase, reason);
                }
                info!(namespace = run.namespace(), run = name, phase, reason, terminal, "phase");
            }
            Ok(())
        }
        // A run that is gone needs no status.
        Err(error) if api_code(&error) == Some(404) => Ok(()),
        Err(source) => Err(Error::WriteStatus { run: name, source }),
    }
}
