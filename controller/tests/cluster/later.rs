//! A status that a later version of the controller has written to, under the CRD of that version.
//!
//! That is where a rollback leads: Helm takes back the controller and leaves the CRDs.

use std::time::Duration;

use agents_controller::api::AgentRun;
use anyhow::{Context as _, Result, ensure};
use hallmark::cluster::KubeControllers;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Client, CustomResourceExt as _, ResourceExt as _};
use serde_json::{Value, json};

use crate::support::objects::{create_run, run_name};
use crate::support::player::{Ending, Player};
use crate::support::testbed::{Install, Testbed, unlimited};
use crate::wait;

const NAMESPACE: &str = "later";
/// How long a run may take on a busy machine.
const PROMPTLY: Duration = Duration::from_secs(30);
/// How long the API server may take to serve a changed CRD.
const SERVED: Duration = Duration::from_secs(15);

pub(crate) async fn what_a_later_version_wrote_is_kept() -> Result<()> {
    let testbed = Testbed::start(KubeControllers::WithoutJobs).await?;
    testbed.install_crds().await?;
    let client = testbed.client();
    add_status_field(client).await?;
    testbed.workspace(NAMESPACE).await?;
    let subject = testbed.install(Install::of(NAMESPACE, unlimited())).await?;
    let name = run_name(0);
    create_run(client, NAMESPACE, &name).await?;

    let runs: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), NAMESPACE, &ApiResource::erase::<AgentRun>(&()));
    until(&runs, &name, "the run is running", |run| at(run, "/status/phase") == "Running").await?;
    let label = Patch::Merge(json!({"metadata": {"labels": {"example.com/theirs": "yes"}}}));
    runs.patch(&name, &PatchParams::default(), &label).await?;
    let later = json!({"budget": {"spent": 7}});
    // Until the API server serves the changed CRD it drops the field.
    let written = async || {
        let patch = Patch::Merge(json!({"status": {"later": later}}));
        let run = runs.patch_status(&name, &PatchParams::default(), &patch).await?;
        Ok(if at(&run, "/status/later") == later { Ok(run) } else { Err("it was dropped") })
    };
    let (before, _) = wait::until(SERVED, "the API server keeps the field", written).await?;

    let _player = Player::start(client, NAMESPACE, |_| Ending::Complete);
    let ended = |run: &DynamicObject| at(run, "/status/phase") == "Succeeded";
    let after = until(&runs, &name, "the run has succeeded", ended).await?;
    ensure!(at(&after, "/status/later") == later, "the status lost the field: {}", at(&after, "/status"));
    ensure!(at(&after, "/spec") == at(&before, "/spec"), "the spec changed: {}", at(&after, "/spec"));
    ensure!(rest(&after)? == rest(&before)?, "{} became {}", rest(&before)?, rest(&after)?);
    subject.stop().await?;
    testbed.stop().await;
    Ok(())
}

/// Gives the status of runs one more field.
async fn add_status_field(client: &Client) -> Result<()> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut crd = crds.get(AgentRun::crd_name()).await?;
    let schema = crd.spec.versions.first_mut().and_then(|version| version.schema.as_mut());
    let schema = schema.and_then(|schema| schema.open_api_v3_schema.as_mut());
    let properties = schema.and_then(|schema| schema.properties.as_mut());
    let status = properties.and_then(|properties| properties.get_mut("status"));
    let fields = status.and_then(|status| status.properties.as_mut()).context("there is no status")?;
    let free_form = JSONSchemaProps {
        type_: Some("object".to_owned()),
        x_kubernetes_preserve_unknown_fields: Some(true),
        ..JSONSchemaProps::default()
    };
    fields.insert("later".to_owned(), free_form);
    crds.replace(AgentRun::crd_name(), &PostParams::default(), &crd).await?;
    Ok(())
}

async fn until(
    runs: &Api<DynamicObject>,
    name: &str,
    what: &str,
    is_so: impl Fn(&DynamicObject) -> bool,
) -> Result<DynamicObject> {
    let look = async || {
        let run = runs.get(name).await?;
        Ok(if is_so(&run) { Ok(run) } else { Err(at(&run, "/status").to_string()) })
    };
    Ok(wait::until(PROMPTLY, what, look).await?.0)
}

/// What is at this place of a run; null where nothing is.
fn at(run: &DynamicObject, pointer: &str) -> Value {
    run.data.pointer(pointer).cloned().unwrap_or_default()
}

/// The metadata that no writer of a status may change, with the managers of everything but statuses.
fn rest(run: &DynamicObject) -> Result<Value> {
    let managers = run.managed_fields().iter().filter(|entry| entry.subresource.is_none());
    let managers: Vec<_> = managers.map(|entry| (&entry.manager, &entry.fields_v1)).collect();
    let finalizers = run.finalizers();
    let (labels, annotations) = (run.labels(), run.annotations());
    Ok(json!({
        "labels": labels, "annotations": annotations, "finalizers": finalizers,
        "generation": run.metadata.generation, "managers": serde_json::to_value(managers)?,
    }))
}
