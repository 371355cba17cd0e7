//! Rendering the chart, or proving that it refuses.

use std::sync::Arc;

use super::case::{CaseRun, Stop, chain};
use crate::record::Observation;
use crate::scenario::step::Render;
use crate::yaml::Location;

impl CaseRun<'_> {
    /// Renders the chart; the objects are known by the step's name from now on.
    pub(super) async fn render(&mut self, render: &Render, at: &Location) -> Result<(), Stop> {
        let subjects = self.subjects()?;
        let (helm, chart) = subjects.chart().map_err(|error| Stop::Inconclusive(error.to_string()))?;
        let renderings = &self.run.renderings;
        let rendered = renderings
            .of((helm, &chart), &subjects.implementation, &render.values, &render.value_files)
            .await;
        match (rendered.as_ref(), &render.fails) {
            (Ok(objects), None) => {
                let (alias, objects) = (render.alias.clone(), Arc::new(objects.clone()));
                self.record
                    .append(Observation::Rendered { alias: alias.clone(), objects: Arc::clone(&objects) });
                self.bindings.rendered.insert(alias, objects);
                Ok(())
            }
            (Err(error), pattern) if error.is_chart_fault() => {
                let message = error.message().map_or_else(|| error.to_string(), ToOwned::to_owned);
                match pattern {
                    Some(pattern) if pattern.is_match(&message) => Ok(()),
                    Some(pattern) => Err(self.refused(
                        &format!("rendering fails with a message like `{pattern}`"),
                        "the chart",
                        &message,
                        at,
                    )),
                    None => Err(self.refused("the chart renders", "the chart", &message, at)),
                }
            }
            (Err(error), _) => Err(Stop::Inconclusive(chain(error))),
            (Ok(_), Some(pattern)) => Err(self.refused(
                &format!("rendering fails with a message like `{pattern}`"),
                "the chart",
                "the chart rendered",
                at,
            )),
        }
    }
}
