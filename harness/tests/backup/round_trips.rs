//! What a restore gives back.

use hallmark::backup::{self, Existing, Finding, Outcome, RestoreError, RestoreOptions};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::bed::{Bed, core};

/// [DR-R01] [DR-R03] [DR-B03] [DR-X05] Two generations: what was restored is backed up and restored again.
pub(crate) async fn everything_deleted_comes_back_equal(bed: &Bed) {
    bed.populate().await;
    let before = bed.content().await;
    let (first, checked) = bed.backup("generation-0").await;
    let mut checked = checked;
    let options = RestoreOptions { allow_missing_secrets: true, ..Bed::options() };
    for generation in 1..=2 {
        bed.clear_namespaces().await;
        let report = backup::restore(bed.client(), &checked, &options, &bed.events).await.unwrap();
        assert_eq!((report.outcome, &*report.failed), (Outcome::Completed, &[][..]));
        assert_eq!(report.created, 7 + 2 + 2 + 12 + 14, "definitions, namespaces, ConfigMaps, kinds, runs");
        assert_eq!(report.undecided, [("Running".to_owned(), 2), ("none".to_owned(), 6)].into());
        assert_eq!(bed.content().await, before, "generation {generation}");

        // Again: nothing to do, nothing done.
        let (writes, versions) = (bed.writes(), bed.versions().await);
        let again = backup::restore(bed.client(), &checked, &options, &bed.events).await.unwrap();
        assert_eq!((again.outcome, again.created, again.completed), (Outcome::Completed, 0, 0));
        assert_eq!(again.unchanged, 37);
        assert_eq!(bed.writes(), writes);
        assert_eq!(bed.versions().await, versions);

        let (report, next) = bed.backup(&format!("generation-{generation}")).await;
        assert_eq!(report.manifest.content_digest, first.manifest.content_digest);
        checked = next;
    }
    // Status says that the only generation was seen, not a later one.
    let run = bed.api("AgentRun", "team-a").get("won").await.unwrap();
    assert_eq!(run.metadata.generation, Some(1));
    assert_eq!(run.data["status"]["observedGeneration"], 1);
}

/// [DR-R04] [DR-R05]
pub(crate) async fn other_objects_of_the_same_names_are_not_touched(bed: &Bed) {
    bed.populate().await;
    let before = bed.content().await;
    let (_report, checked) = bed.backup("conflicts").await;
    let runs = bed.api("AgentRun", "team-a");
    let edit = Patch::Merge(json!({"spec": {"parameters": {"repository": "another/one"}}}));
    runs.patch("won", &PatchParams::default(), &edit).await.unwrap();
    let edit = Patch::Merge(json!({"status": {"phase": "Failed"}}));
    runs.patch_status("going", &PatchParams::default(), &edit).await.unwrap();
    // Something is to be restored, too.
    let gone = bed.api("Agent", "team-b");
    gone.delete("example", &kube::api::DeleteParams::default()).await.unwrap();

    let versions = bed.versions().await;
    let refused = backup::restore(bed.client(), &checked, &Bed::options(), &bed.events).await.unwrap_err();
    let RestoreError::Refused(findings) = refused else { panic!("{refused:?}") };
    let conflict = |name: &str, fields: &[&str]| Finding::Conflict {
        object: format!("agentruns.agents.proompteng.ai team-a/{name}"),
        differences: fields.iter().map(|field| (*field).to_owned()).collect(),
    };
    let other_spec = ["spec.parameters.repository", "status.observedGeneration"];
    assert_eq!(findings, [conflict("going", &["status.phase"]), conflict("won", &other_spec)]);
    assert_eq!(bed.versions().await, versions);

    let skip = RestoreOptions { existing: Existing::Skip, ..Bed::options() };
    let report = backup::restore(bed.client(), &checked, &skip, &bed.events).await.unwrap();
    assert_eq!(report.outcome, Outcome::CompletedWithSkips);
    assert_eq!(report.skipped.len(), 2);
    assert_eq!(report.created, 1);
    let mut expected = before;
    for (name, change) in [("won", "spec"), ("going", "status")] {
        let place = format!("AgentRun team-a {name}");
        let live = bed.content().await.remove(&place).unwrap();
        assert_ne!(live["data"][change], expected[&place]["data"][change], "the live object stays");
        expected.insert(place, live);
    }
    assert_eq!(bed.content().await, expected);
}

/// [DR-R10]
pub(crate) async fn owners_get_their_new_uids(bed: &Bed) {
    bed.populate().await;
    let agents = bed.api("Agent", "team-a");
    let owner = agents.get("example").await.unwrap().metadata.uid.unwrap();
    let elsewhere: Api<DynamicObject> =
        Api::namespaced_with(bed.admin(), "team-a", &core("Secret", "secrets"));
    let elsewhere = elsewhere.get("example-memory").await.unwrap().metadata.uid.unwrap();
    let owners = json!({"metadata": {"ownerReferences": [
        {"apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "Agent", "name": "example", "uid": owner},
        {"apiVersion": "v1", "kind": "Secret", "name": "example-memory", "uid": elsewhere},
    ]}});
    let runs = bed.api("AgentRun", "team-a");
    runs.patch("won", &PatchParams::default(), &Patch::Merge(owners)).await.unwrap();
    let (_report, checked) = bed.backup("owners").await;
    bed.clear().await;
    bed.secrets().await;
    let report = backup::restore(bed.client(), &checked, &Bed::options(), &bed.events).await.unwrap();
    assert_eq!(report.outcome, Outcome::Completed, "{report:?}");
    let owner = agents.get("example").await.unwrap().metadata.uid.unwrap();
    let restored: Value =
        serde_json::to_value(runs.get("won").await.unwrap().metadata.owner_references).unwrap();
    assert_eq!(
        restored,
        json!([{"apiVersion": "agents.proompteng.ai/v1alpha1", "kind": "Agent", "name": "example", "uid": owner}])
    );
}
