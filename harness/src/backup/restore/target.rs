//! What the target has under the names of the archive.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::StreamExt as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::Condition as _;
use serde_json::Value;

use super::error::{Finding, RestoreError};
use super::judge::{Action, judge};
use crate::backup::api::{ObjectApi, Which};
use crate::backup::defects::Defect;
use crate::backup::kind::{Kind, Role};
use crate::backup::verify::{Checked, Stored};

/// Up to how many namespaces are looked through one by one.
const FEW: usize = 8;
/// How many objects are read at the same time.
const READ_AT_ONCE: usize = 8;

/// One object of the archive and what is to be done about it.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) kind: &'a Kind,
    pub(super) stored: &'a Stored,
    pub(super) action: Action,
    /// uid of what has its name.
    pub(super) uid: Option<String>,
}

/// All objects, in the order of the archive's paths, and what is known about the target.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) steps: Vec<Step<'a>>,
    /// Resources whose definition is served or at least there.
    pub(super) served: BTreeSet<String>,
    /// Those whose definition says that it is served.
    pub(super) established: BTreeSet<String>,
    /// Namespaces that exist.
    pub(super) namespaces: BTreeSet<&'a str>,
    /// What stands in the way.
    pub(super) findings: Vec<Finding>,
    /// What may stand in the way, and nobody was allowed to look.
    pub(super) unchecked: Vec<String>,
}

/// Looks at everything that has a name of the archive. Reads only.
pub(super) async fn look<'a>(
    api: &ObjectApi,
    checked: &'a Checked,
    definitions: bool,
) -> Result<Target<'a>, RestoreError> {
    let mut target = Target {
        steps: Vec::new(),
        served: BTreeSet::new(),
        established: BTreeSet::new(),
        namespaces: BTreeSet::new(),
        findings: Vec::new(),
        unchecked: Vec::new(),
    };
    let mut by_resource: BTreeMap<&str, Vec<&Stored>> = BTreeMap::new();
    for object in &checked.objects {
        by_resource.entry(&object.path.resource).or_default().push(object);
    }
    let mut kinds: Vec<&Kind> = checked.manifest.kinds.iter().map(|record| &record.kind).collect();
    kinds.sort_by_key(|kind| kind.role);
    for kind in kinds {
        let Some(objects) = by_resource.remove(kind.resource().as_str()) else { continue };
        if kind.role == Role::Definition && !definitions {
            for object in &objects {
                if let Some(live) = api.get(kind, None, &object.path.name).await? {
                    target.definition(&live);
                }
            }
            continue;
        }
        if kind.role >= Role::Config && !target.serves(api, kind, &objects, checked, definitions).await? {
            target.add(kind, &objects, &HashMap::new());
            continue;
        }
        let live = live(api, kind, &objects).await?;
        target.add(kind, &objects, &live);
        for (place, object) in &live {
            if kind.role == Role::Definition {
                target.definition(object);
            }
            if kind.role == Role::Namespace
                && let Some(stored) = objects.iter().find(|stored| key(stored) == *place)
            {
                target.namespaces.insert(&stored.path.name);
            }
        }
    }
    Ok(target)
}

/// Namespace and name.
pub(super) type Key = (Option<String>, String);

/// Namespace and name of an archived object.
pub(super) fn key(stored: &Stored) -> Key {
    (stored.path.namespace.clone(), stored.path.name.clone())
}

/// The live objects with names of the archive. Custom kinds are listed, for there may be many of them; of
/// other kinds only the named objects are anybody's business here.
pub(super) async fn live(
    api: &ObjectApi,
    kind: &Kind,
    objects: &[&Stored],
) -> Result<HashMap<Key, Value>, RestoreError> {
    let mut live = HashMap::new();
    if kind.role < Role::Config {
        let mut answers = futures::stream::iter(objects)
            .map(|object| async move {
                let place = object.path.namespace.as_deref();
                api.get(kind, place, &object.path.name).await.map(|found| (key(object), found))
            })
            .buffer_unordered(READ_AT_ONCE);
        while let Some(answer) = answers.next().await {
            if let (key, Some(found)) = answer? {
                live.insert(key, found);
            }
        }
        return Ok(live);
    }
    let wanted: BTreeSet<Key> = objects.iter().map(|object| key(object)).collect();
    let namespaces: BTreeSet<Option<&str>> =
        objects.iter().map(|object| object.path.namespace.as_deref()).collect();
    for which in places(&namespaces) {
        for item in api.list(kind, which).await?.items {
            let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            let key = (text("/metadata/namespace"), text("/metadata/name").unwrap_or_default());
            if wanted.contains(&key) {
                live.insert(key, item);
            }
        }
    }
    Ok(live)
}

/// Where objects of these namespaces are listed: in each of a few, else everywhere at once.
///
/// A cluster may hold many more objects than the archive, and many more namespaces than are worth a request each.
fn places<'a>(namespaces: &BTreeSet<Option<&'a str>>) -> Vec<Which<'a>> {
    if namespaces.len() > FEW {
        return vec![Which::default()];
    }
    namespaces.iter().map(|namespace| Which { namespace: *namespace, ..Which::default() }).collect()
}

impl<'a> Target<'a> {
    fn add(&mut self, kind: &'a Kind, objects: &[&'a Stored], live: &HashMap<Key, Value>) {
        for stored in objects {
            let live = live.get(&key(stored));
            let uid = live.and_then(|live| live.pointer("/metadata/uid")?.as_str()).map(str::to_owned);
            self.steps.push(Step { kind, stored, action: judge(kind, stored, live), uid });
        }
    }

    /// Remembers a definition that the target has.
    fn definition(&mut self, live: &Value) {
        let Some(name) = live.pointer("/metadata/name").and_then(Value::as_str) else { return };
        self.served.insert(name.to_owned());
        if is_established(live) {
            self.established.insert(name.to_owned());
        }
    }

    /// Whether objects of a custom kind can be looked for; what stands in the way is noted.
    async fn serves(
        &mut self,
        api: &ObjectApi,
        kind: &Kind,
        objects: &[&Stored],
        checked: &Checked,
        definitions: bool,
    ) -> Result<bool, RestoreError> {
        let resource = kind.resource();
        if !self.served.contains(&resource) {
            let archived = checked.manifest.definitions.iter().any(|record| record.name == resource);
            if !(definitions && archived || Defect::MissingKindsNoticedLate.is_planted()) {
                self.findings.push(Finding::MissingKind { resource, version: kind.version.clone() });
            }
            return Ok(false);
        }
        let live = api.get(&Kind::definition(), None, &resource).await?.unwrap_or_default();
        let have_status = objects.iter().any(|object| object.value.get("status").is_some());
        if let Some(reason) = unfit(kind, have_status, &live) {
            self.findings.push(Finding::OtherKind { resource, reason });
            return Ok(false);
        }
        Ok(true)
    }
}

/// Whether a definition says that its kind is served.
fn is_established(live: &Value) -> bool {
    let definition = serde_json::from_value::<CustomResourceDefinition>(live.clone());
    definition.is_ok_and(|definition| is_crd_established().matches_object(Some(&definition)))
}

/// Why objects of the archive do not fit a definition of the target.
///
/// A status subresource on one side only makes no difference to objects that have no status. Others would be left
/// without theirs: a create ignores it where the target has the subresource, and where it has none nothing answers
/// the request that writes it.
fn unfit(kind: &Kind, have_status: bool, live: &Value) -> Option<String> {
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let scope = if kind.namespaced { "Namespaced" } else { "Cluster" };
    let versions = live.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
    let mut served = versions.filter(|version| version.get("served") == Some(&Value::Bool(true)));
    let named = |version: &&Value| version.get("name").and_then(Value::as_str) == Some(&kind.version);
    let Some(version) = served.find(named) else {
        return Some(format!("version {} of the archive is not served", kind.version));
    };
    if text("/spec/names/kind") != kind.kind || text("/spec/scope") != scope {
        let (kind, scope) = (text("/spec/names/kind"), text("/spec/scope"));
        return Some(format!("the target has kind {kind} with scope {scope}"));
    }
    let subresource = version.pointer("/subresources/status").is_some();
    if have_status && subresource != kind.status {
        let (target, source) = if subresource { ("a", "none") } else { ("no", "one") };
        return Some(format!(
            "version {} has {target} status subresource in the target, and {source} in the archive",
            kind.version
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::backup::fixture;

    #[test]
    fn a_few_namespaces_are_listed_one_by_one_and_many_at_once() {
        let names: Vec<String> = (0..=FEW).map(|number| format!("ns-{number}")).collect();
        let listed = |count: usize| {
            let namespaces = names[..count].iter().map(|name| Some(name.as_str())).collect();
            places(&namespaces).into_iter().map(|which| which.namespace).collect::<Vec<_>>()
        };
        assert_eq!(listed(2), [Some("ns-0"), Some("ns-1")]);
        assert_eq!(listed(FEW).len(), FEW);
        assert_eq!(listed(FEW + 1), [None]);
        let cluster_wide = BTreeSet::from([None]);
        assert_eq!(places(&cluster_wide).len(), 1);
    }

    #[test]
    fn a_definition_fits_if_it_serves_the_version_with_the_same_scope() {
        let mut live = fixture::definition("Run", "runs");
        let kind = Kind::of_definition(&live, &[]).unwrap();
        assert_eq!(unfit(&kind, true, &live), None);
        live["spec"]["scope"] = json!("Cluster");
        assert!(unfit(&kind, true, &live).unwrap().contains("scope Cluster"));
        live["spec"]["versions"][0]["served"] = json!(false);
        assert!(unfit(&kind, true, &live).unwrap().contains("v1"));
    }

    #[rstest]
    #[case::target_has_none(true, false, true, Some("has no status subresource in the target"))]
    #[case::only_target_has_one(false, true, true, Some("has a status subresource in the target"))]
    #[case::nothing_to_lose(true, false, false, None)]
    #[case::nothing_to_drop(false, true, false, None)]
    #[case::part_of_the_object_on_both_sides(false, false, true, None)]
    fn a_status_is_written_where_the_archive_has_it(
        #[case] source: bool,
        #[case] target: bool,
        #[case] have_status: bool,
        #[case] reason: Option<&str>,
    ) {
        let definition = |status: bool| {
            let mut definition = fixture::definition("Run", "runs");
            if !status {
                definition["spec"]["versions"][0]["subresources"] = json!({});
            }
            definition
        };
        let kind = Kind::of_definition(&definition(source), &[]).unwrap();
        let found = unfit(&kind, have_status, &definition(target));
        assert_eq!(found.is_some(), reason.is_some(), "{found:?}");
        assert!(reason.is_none_or(|reason| found.unwrap_or_default().contains(reason)));
    }

    #[test]
    fn a_definition_that_is_only_there_is_waited_for() {
        let mut live = fixture::definition("Run", "runs");
        let condition = |kind: &str, status: &str| json!({"conditions": [{"type": kind, "status": status}]});
        let mut there = |status: Value| {
            live["status"] = status;
            is_established(&live)
        };
        assert!(!there(json!({})), "the API server has not looked at it yet");
        assert!(!there(condition("Established", "False")));
        assert!(!there(condition("NamesAccepted", "True")));
        assert!(there(condition("Established", "True")));
    }
}
