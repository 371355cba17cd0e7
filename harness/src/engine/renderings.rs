//! Renderings of the chart: made once for equal values, however many cases look at them.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::plan::Plan;
use crate::scenario::PlannedCase;
use crate::scenario::step::Action;
use crate::subject::Implementation;
use crate::subject::helm::{Helm, HelmError, HelmRelease};

/// What helm makes of the chart: its objects, or why there are none.
pub(super) type Rendering = Arc<Result<Vec<Value>, HelmError>>;

/// The renderings of a run.
#[derive(Debug, Default)]
pub(super) struct Renderings {
    made: Mutex<HashMap<String, Arc<OnceCell<Rendering>>>>,
}

impl Renderings {
    /// Makes what the cases of a plan will look at, one after the other, for as long as there is nothing
    /// else to do.
    pub(super) async fn ahead(
        &self,
        plan: &Plan,
        helm: Option<&Helm>,
        implementation: &Implementation,
    ) -> Infallible {
        let Some((helm, chart)) = helm.zip(implementation.chart()) else {
            return std::future::pending().await;
        };
        let cases = plan.cases.iter().filter(|placed| placed.skip.is_none()).map(|placed| &placed.case);
        for action in cases.flat_map(PlannedCase::actions) {
            if let Action::Render(render) = action {
                self.of((helm, &chart), implementation, &render.values, &render.value_files).await;
            }
        }
        std::future::pending().await
    }

    /// Renders the chart without installing it.
    pub(super) async fn of(
        &self,
        chart: (&Helm, &Path),
        implementation: &Implementation,
        values: &Value,
        value_files: &[PathBuf],
    ) -> Rendering {
        let key = format!("{value_files:?} {values}");
        let cell = {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(made.entry(key).or_default())
        };
        cell.get_or_init(async || Arc::new(render(chart, implementation, values, value_files).await))
            .await
            .clone()
    }
}

async fn render(
    (helm, chart): (&Helm, &Path),
    implementation: &Implementation,
    values: &Value,
    value_files: &[PathBuf],
) -> Result<Vec<Value>, HelmError> {
    let value_files: Vec<PathBuf> = value_files.iter().map(|file| chart.join(file)).collect();
    let release = HelmRelease {
        chart,
        name: implementation.release(),
        // Guards compare namespaces with that of the release.
        namespace: "agents",
        value_files: &value_files,
        values,
    };
    helm.template(release, &[]).await
}
