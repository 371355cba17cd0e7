//! What stands in the way of a restore, found without a write.

use std::collections::{BTreeMap, HashSet};

use futures::StreamExt as _;
use serde_json::Value;

use super::error::{Finding, RestoreError};
use super::judge::Action;
use super::target::{Step, Target};
use super::{Existing, RestoreOptions, guard};
use crate::backup::api::{ApiError, ObjectApi, Which};
use crate::backup::defects::Defect;
use crate::backup::kind::{Kind, Role};
use crate::backup::references;
use crate::backup::verify::Checked;
use crate::count::agree;
use crate::event::EventSink;

/// Where objects are tried whose namespace does not exist yet: the schema is the same everywhere.
const ANYWHERE: &str = "default";

/// Adds everything that stands in the way to the findings of the target, and what could not be looked at to
/// that which was not checked.
pub(super) async fn check(
    api: &ObjectApi,
    checked: &Checked,
    options: &RestoreOptions,
    target: &mut Target<'_>,
    events: &EventSink,
) -> Result<(), RestoreError> {
    target.findings.extend(guard::unheld(api, &options.guard).await?);
    target.findings.extend(conflicts(&target.steps, options.existing));
    if !options.allow_missing_secrets && !Defect::MissingSecretsPass.is_planted() {
        let secrets = secrets(api, checked).await?;
        target.note(secrets);
    }
    let config_maps = config_maps(api, checked).await?;
    target.note(config_maps);
    let quotas = quotas(api, target).await?;
    target.note(quotas);
    let served =
        |step: &Step<'_>| step.kind.role < Role::Config || target.served.contains(&step.kind.resource());
    let refused = dry_run(api, options, target, served, events).await?;
    target.findings.extend(refused);
    if options.dry_run {
        target.unchecked.extend(untried(target, served));
    }
    Ok(())
}

/// What a look at some objects came to.
#[derive(Debug, Default)]
struct Looked {
    /// What stands in the way.
    found: Vec<Finding>,
    /// What nobody was allowed to look at.
    unchecked: Vec<String>,
}

impl Looked {
    fn unchecked(&mut self, what: &str, error: &ApiError) {
        self.unchecked.push(format!("not checked: {what}: {}", error.reason()));
    }
}

impl Target<'_> {
    fn note(&mut self, looked: Looked) {
        self.findings.extend(looked.found);
        self.unchecked.extend(looked.unchecked);
    }
}

/// Objects of the target that are others than those of the archive.
pub(super) fn conflicts(steps: &[Step<'_>], existing: Existing) -> Vec<Finding> {
    let finding = |step: &Step<'_>| {
        let object = step.stored.path.describe();
        match &step.action {
            Action::Terminating => Some(Finding::Terminating { object }),
            Action::Conflict { differences }
                if existing == Existing::Refuse && !Defect::ConflictsNoticedLate.is_planted() =>
            {
                Some(Finding::Conflict { object, differences: differences.clone() })
            }
            _ => None,
        }
    };
    steps.iter().filter_map(finding).collect()
}

/// Secrets that objects of the archive need and the target lacks.
async fn secrets(api: &ObjectApi, checked: &Checked) -> Result<Looked, ApiError> {
    let kind = Kind::secret();
    let mut looked = Looked::default();
    for needed in &checked.manifest.required_secrets {
        let lack = match api.get(&kind, Some(&needed.namespace), &needed.name).await {
            Ok(None) => Some("is missing".to_owned()),
            Ok(Some(secret)) => {
                let has = |key: &&String| secret.pointer("/data").is_some_and(|data| data.get(key).is_some());
                let missing: Vec<&str> =
                    needed.keys.iter().filter(|key| !has(key)).map(String::as_str).collect();
                (!missing.is_empty()).then(|| format!("has no key {}", missing.join(", ")))
            }
            // Who may not read Secrets cannot be told that one is missing.
            Err(error) if error.is_forbidden() => {
                looked.unchecked(&format!("the Secret {}/{}", needed.namespace, needed.name), &error);
                None
            }
            Err(error) => return Err(error),
        };
        if let Some(lack) = lack {
            looked.found.push(Finding::Secret {
                namespace: needed.namespace.clone(),
                name: needed.name.clone(),
                referrers: needed.referrers,
                lack,
            });
        }
    }
    Ok(looked)
}

/// `ConfigMap`s that objects of the archive refer to and that are neither in it nor in the target: those that
/// somebody else makes, such as a chart. What needs one may do without it, so nothing stands in the way.
async fn config_maps(api: &ObjectApi, checked: &Checked) -> Result<Looked, ApiError> {
    let kind = Kind::config_map();
    let resource = kind.resource();
    let archived: HashSet<(Option<&str>, &str)> = checked
        .objects
        .iter()
        .filter(|object| object.path.resource == resource)
        .map(|object| (object.path.namespace.as_deref(), object.path.name.as_str()))
        .collect();
    let mut needed: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for object in &checked.objects {
        let Some(namespace) = object.path.namespace.as_deref() else { continue };
        for (name, _keys) in references::of(&object.value).config_maps {
            if !archived.contains(&(Some(namespace), name.as_str())) {
                *needed.entry((namespace, name)).or_default() += 1;
            }
        }
    }
    let mut looked = Looked::default();
    for ((namespace, name), referrers) in needed {
        let what = format!("the ConfigMap {namespace}/{name}");
        match api.get(&kind, Some(namespace), &name).await {
            Ok(Some(_present)) => {}
            Ok(None) => looked.unchecked.push(format!(
                "{what} is neither in the archive nor in the target, and {referrers} of its objects {} to it",
                agree(&referrers, "refers", "refer")
            )),
            Err(error) if error.is_forbidden() => looked.unchecked(&what, &error),
            Err(error) => return Err(error),
        }
    }
    Ok(looked)
}

/// Objects of kinds that the target does not serve yet, which a restore tries when it does.
fn untried(target: &Target<'_>, served: impl Fn(&Step<'_>) -> bool) -> Vec<String> {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for step in target.steps.iter().filter(|step| !served(step)) {
        *kinds.entry(step.kind.resource()).or_default() += 1;
    }
    let told = |(resource, number): (String, usize)| {
        format!(
            "not checked: {number} of {resource}, which the target does not serve until its definition is there"
        )
    };
    kinds.into_iter().map(told).collect()
}

/// Object counts that quotas do not allow. What else they limit is found by the dry run.
async fn quotas(api: &ObjectApi, target: &Target<'_>) -> Result<Looked, ApiError> {
    let kind =
        Kind { namespaced: true, ..Kind::built_in("", "ResourceQuota", "resourcequotas", Role::Config) };
    let mut wanted: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for step in target.steps.iter().filter(|step| step.action == Action::Create) {
        if let Some(namespace) = step.stored.path.namespace.as_deref()
            && target.namespaces.contains(namespace)
        {
            *wanted.entry((namespace, step.kind.resource())).or_default() += 1;
        }
    }
    let mut looked = Looked::default();
    for namespace in &target.namespaces {
        let quotas = match api.list(&kind, Which { namespace: Some(namespace), ..Which::default() }).await {
            Ok(listed) => listed.items,
            Err(error) if error.is_forbidden() => {
                looked.unchecked(&format!("the quotas of namespace {namespace}"), &error);
                continue;
            }
            Err(error) => return Err(error),
        };
        for ((_namespace, resource), wanted) in wanted.iter().filter(|((of, _), _)| of == namespace) {
            let short = |quota| short(quota, namespace, resource, *wanted);
            looked.found.extend(quotas.iter().filter_map(short));
        }
    }
    Ok(looked)
}

/// The finding if a quota leaves too little room for more objects of a resource.
fn short(quota: &Value, namespace: &str, resource: &str, wanted: usize) -> Option<Finding> {
    let number = |group: &str| {
        let counts = quota.get("status")?.get(group)?;
        let count = counts.get(format!("count/{resource}")).or_else(|| counts.get(resource))?;
        count.as_str().map_or_else(|| count.as_i64(), |text| text.parse().ok())
    };
    let room = number("hard")? - number("used").unwrap_or_default();
    let name = quota.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    (i64::try_from(wanted).ok()? > room).then(|| Finding::Quota {
        quota: format!("{namespace}/{name}"),
        resource: resource.to_owned(),
        room,
        wanted,
    })
}

/// Lets the API server judge those of the objects to be created that `wanted` chooses; it must serve them.
pub(super) async fn dry_run(
    api: &ObjectApi,
    options: &RestoreOptions,
    target: &Target<'_>,
    wanted: impl Fn(&Step<'_>) -> bool,
    events: &EventSink,
) -> Result<Vec<Finding>, RestoreError> {
    const PHASE: &str = "trying every object";
    let begin = std::time::Instant::now();
    let tried: Vec<&Step<'_>> = target
        .steps
        .iter()
        .filter(|step| step.action == Action::Create && !Defect::NothingTried.is_planted())
        .filter(|step| wanted(step))
        .collect();
    let number = tried.len();
    let mut answers = futures::stream::iter(tried.into_iter().map(|step| attempt(api, step, target)))
        .buffer_unordered(options.trials.get());
    let (mut found, mut done) = (Vec::new(), 0);
    while let Some(answer) = answers.next().await {
        done += 1;
        if done % 100 == 0 {
            events.progress(PHASE, format!("{done} of {number}"));
        }
        found.extend(answer?);
    }
    found.sort_by_key(ToString::to_string);
    events.progress_done(PHASE, begin.elapsed());
    Ok(found)
}

async fn attempt(
    api: &ObjectApi,
    step: &Step<'_>,
    target: &Target<'_>,
) -> Result<Option<Finding>, RestoreError> {
    let mut object = step.stored.value.clone();
    let mut elsewhere = false;
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        // Their uids are known only when the owners are there.
        metadata.shift_remove("ownerReferences");
        if let Some(namespace) = metadata.get_mut("namespace")
            && !namespace.as_str().is_some_and(|namespace| target.namespaces.contains(namespace))
        {
            elsewhere = true;
            *namespace = ANYWHERE.into();
        }
    }
    match api.create(step.kind, &object, true).await {
        Ok(_accepted) => Ok(None),
        // It would be accepted but for its name, which somebody took in this moment or has elsewhere.
        Err(error) if error.is_already_exists() => Ok(None),
        // Policies and quotas of another namespace say nothing.
        Err(error) if error.is_forbidden() && elsewhere => Ok(None),
        Err(error) if error.is_refusal() => {
            Ok(Some(Finding::Invalid { object: step.stored.path.describe(), reason: error.reason() }))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::short;

    #[test]
    fn a_quota_without_room_is_found() {
        let quota = json!({
            "metadata": {"name": "q"},
            "status": {"hard": {"count/runs.example.dev": "5"}, "used": {"count/runs.example.dev": "3"}},
        });
        assert_eq!(short(&quota, "n", "runs.example.dev", 2), None);
        let text = short(&quota, "n", "runs.example.dev", 3).unwrap().to_string();
        assert!(text.contains("n/q") && text.contains("room for 2"), "{text}");
        assert_eq!(short(&quota, "n", "agents.example.dev", 9), None);
    }
}
