//! Objects that come, change and go in the background.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::time::{Interval, MissedTickBehavior};

use super::api::{RequestError, request};
use super::case::{CaseRun, Stop};
use crate::scenario::step::Manifest;

/// How many rounds of objects are there at the same time.
const KEPT: usize = 4;

/// The objects of one round, in the order of their creation.
type Templates = Vec<(Api<DynamicObject>, DynamicObject)>;

impl CaseRun<'_> {
    /// From now on until [`CaseRun::disarm`] such objects are created, changed and deleted.
    pub(super) fn churn(&mut self, manifests: &[Manifest], every: Duration) -> Result<(), Stop> {
        let mut templates = Vec::new();
        for manifest in manifests {
            let object = self.object(manifest)?;
            templates.push((self.api_of(&object)?, object));
        }
        let mut pause = tokio::time::interval(every);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let trouble = Arc::clone(&self.players.trouble);
        self.players.churning.spawn(async move {
            if let Err(error) = churn(&templates, &mut pause).await {
                let mut trouble = trouble.lock().unwrap_or_else(PoisonError::into_inner);
                trouble.get_or_insert_with(|| format!("churn objects: {error}"));
            }
        });
        Ok(())
    }
}

async fn churn(templates: &Templates, pause: &mut Interval) -> Result<(), RequestError> {
    let mut kept = VecDeque::new();
    for round in 0_u64.. {
        let mut made = Vec::new();
        for (api, template) in templates {
            let mut object = template.clone();
            let name = format!("{}-{round}", object.metadata.name.take().unwrap_or_default());
            object.metadata.name = Some(name.clone());
            pause.tick().await;
            request(|| async { api.create(&PostParams::default(), &object).await }).await?;
            made.push((api, name));
        }
        for (api, name) in &made {
            let change = Patch::Merge(json!({"metadata": {"labels": {"round": round.to_string()}}}));
            pause.tick().await;
            request(|| async { api.patch(name, &PatchParams::default(), &change).await }).await?;
        }
        kept.push_back(made);
        let old = if kept.len() > KEPT { kept.pop_front() } else { None };
        for (api, name) in old.into_iter().flatten().rev() {
            pause.tick().await;
            request(|| async { api.delete(&name, &DeleteParams::default()).await }).await?;
        }
    }
    Ok(())
}
