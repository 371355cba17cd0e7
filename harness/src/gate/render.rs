//! Rendering both charts, with helm but without a cluster.

use std::path::Path;

use futures::future::try_join;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;

use super::error::GateError;
use super::finding::Finding;
use super::{objects, rules};
use crate::cluster::provision;
use crate::subject::{Helm, HelmRelease};

/// Release and namespace of all renderings.
const RELEASE: &str = "agents";
/// What charts see as the version of the cluster, the same for both.
const KUBERNETES: &str = "v1.35.0";

/// A set of values with which both charts are rendered.
#[derive(Debug, Clone)]
pub struct ValueSet {
    /// For people.
    pub name: String,
    /// The values.
    pub values: Value,
    /// Whether the old chart is known to take them; what it refuses by itself is no news of the new one.
    pub is_shipped: bool,
}

/// The objects, or what the chart said instead.
type Rendering = Result<Vec<Value>, String>;

/// Renders charts; several at the same time, each with a helm of its own.
#[derive(Debug)]
pub struct Renderer {
    helms: Vec<Helm>,
}

impl Renderer {
    /// As many as there are processors, but few: a rendering is a matter of milliseconds.
    pub fn new(found: &provision::Helm) -> Result<Self, GateError> {
        let number = std::thread::available_parallelism().map_or(1, |number| number.get().min(4));
        let helms = (0..number).map(|_| Helm::new(found)).collect::<Result<_, _>>()?;
        Ok(Self { helms })
    }

    /// Renders both charts with each set of values and tells what differs, set by set.
    pub async fn compare(
        &self,
        old: &Path,
        new: &Path,
        sets: Vec<ValueSet>,
    ) -> Result<Vec<Finding>, GateError> {
        let helms = self.helms.iter().cycle();
        let found: Vec<Vec<Finding>> = stream::iter(sets.into_iter().zip(helms))
            .map(|(set, helm)| async move {
                let (before, after) =
                    try_join(render(helm, old, &set.values), render(helm, new, &set.values)).await?;
                Ok::<_, GateError>(told(&set, before, after))
            })
            .buffered(self.helms.len())
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Whether the new chart renders with a set of values that the old one does not have.
    pub async fn renders(&self, chart: &Path, set: &ValueSet) -> Result<Option<Finding>, GateError> {
        let Some(helm) = self.helms.first() else { return Ok(None) };
        let rendering = render(helm, chart, &set.values).await?;
        Ok(rendering.err().map(|message| not_rendered(set, &message)))
    }
}

fn told(set: &ValueSet, before: Rendering, after: Rendering) -> Vec<Finding> {
    match (before, after) {
        (Ok(before), Ok(after)) => objects::compare(&before, &after, &set.name),
        (Ok(_), Err(message)) if set.name == SHIPPED => vec![not_rendered(set, &message)],
        (Ok(_), Err(message)) => {
            let key = set.name.split('=').next().unwrap_or(&set.name);
            let what = format!("the chart refuses what it took before: {}", short(&message));
            vec![Finding::new(rules::VALUES_REFUSED, &set.name, key, what)]
        }
        (Err(message), Err(_)) if set.is_shipped => vec![not_rendered(set, &message)],
        // An edge that the old chart has not, or a repair.
        (Err(_), _) => Vec::new(),
    }
}

/// The name of the set without values.
pub const SHIPPED: &str = "values.yaml";

fn not_rendered(set: &ValueSet, message: &str) -> Finding {
    Finding::new(rules::CHART_NOT_RENDERED, &set.name, &set.name, short(message))
}

/// Helm's message in one line that can be read.
fn short(message: &str) -> String {
    const MOST: usize = 300;
    let line: Vec<&str> = message.split_whitespace().collect();
    line.join(" ").chars().take(MOST).collect()
}

async fn render(helm: &Helm, chart: &Path, values: &Value) -> Result<Rendering, GateError> {
    let release = HelmRelease { chart, name: RELEASE, namespace: RELEASE, value_files: &[], values };
    let extra = ["--kube-version", KUBERNETES].map(str::to_owned);
    match helm.template(release, &extra).await {
        Ok(objects) => Ok(Ok(objects)),
        Err(error) => match error.message() {
            // Nothing but the chart can be at fault where there is no cluster.
            Some(message) => Ok(Err(message.to_owned())),
            None if error.is_chart_fault() => Ok(Err(error.to_string())),
            None => Err(error.into()),
        },
    }
}
