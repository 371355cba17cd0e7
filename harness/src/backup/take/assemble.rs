//! From what was listed to the bytes of an archive. Pure.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Value, json};

use super::ConfigMaps;
use crate::archive::{MANIFEST_FILE, pack};
use crate::archive::{digest, to_canonical};
use crate::backup::defects::Defect;
use crate::backup::kind::{Kind, Role};
use crate::backup::manifest::{
    Created, DefinitionRecord, Engine, Entry, EvidenceRecord, FORMAT, JOBS_FILE, KindRecord, Listing,
    Manifest, RequiredSecret, Scope, Terminating, VERSION_FILE, content_digest,
};
use crate::backup::object_path::ObjectPath;
use crate::backup::phase::phase;
use crate::backup::portable::{Owner, REWRITTEN, Strip};
use crate::backup::references;
use crate::backup::restore::HOLD;

/// `ConfigMap`s that Kubernetes and `OpenShift` put into every namespace, and the one that holds a controller:
/// brought back it would hold the next one, too.
const OF_OTHERS: [&str; 3] = ["kube-root-ca.crt", "openshift-service-ca.crt", HOLD];

/// Everything that was read from a cluster.
#[derive(Debug)]
pub(in crate::backup) struct Collected {
    /// What was asked for.
    pub(in crate::backup) scope: Scope,
    /// Which `ConfigMap`s of the list are wanted.
    pub(in crate::backup) config_maps: ConfigMaps,
    /// What is left out of each object.
    pub(in crate::backup) strip: Strip,
    /// How it was listed.
    pub(in crate::backup) listing: Listing,
    /// Version of the API server.
    pub(in crate::backup) kubernetes: String,
    /// When.
    pub(in crate::backup) created: Created,
    /// All kinds.
    pub(in crate::backup) lists: Vec<KindList>,
    /// Jobs, or why they could not be listed.
    pub(in crate::backup) jobs: Result<Vec<Value>, String>,
    /// Digest of a dump of the idempotency store.
    pub(in crate::backup) idempotency_store: Option<String>,
}

/// All objects of a kind.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::backup) struct KindList {
    /// Which.
    pub(in crate::backup) kind: Kind,
    /// resourceVersion of every listing.
    pub(in crate::backup) resource_versions: Vec<String>,
    /// The objects.
    pub(in crate::backup) items: Vec<Value>,
}

/// An archive before it is published.
#[derive(Debug)]
pub(in crate::backup) struct Assembled {
    /// Its first entry.
    pub(in crate::backup) manifest: Manifest,
    /// The whole file.
    pub(in crate::backup) bytes: Vec<u8>,
}

/// Chooses, strips, orders, counts and packs.
pub(in crate::backup) fn assemble(collected: &Collected) -> std::io::Result<Assembled> {
    let Chosen { objects, terminating } = choose(collected);
    let archived: HashSet<&str> = objects.iter().map(|object| text(object.live, "/metadata/uid")).collect();
    let keep =
        |owner: &Value| owner.get("uid").and_then(Value::as_str).is_some_and(|uid| archived.contains(uid));
    let mut portable: BTreeMap<String, (Value, &ObjectOf<'_>)> = BTreeMap::new();
    for object in &objects {
        portable.insert(
            path_of(object.kind, object.live),
            (collected.strip.apply(object.kind, object.live, keep), object),
        );
    }
    let mut entries = Vec::with_capacity(portable.len());
    let mut files = Vec::with_capacity(portable.len());
    for (path, (value, object)) in &portable {
        let bytes = to_canonical(value);
        entries.push(entry(path, &bytes, object.live, phase(value)));
        files.push((path.as_str(), bytes));
    }
    let jobs = jobs(&collected.jobs, &archived);
    let evidence = EvidenceRecord {
        size: size(&jobs.bytes),
        sha256: digest(&jobs.bytes),
        jobs: jobs.number,
        incomplete: collected.jobs.as_ref().err().cloned(),
    };
    let definitions = objects.iter().filter(|object| object.kind.role == Role::Definition);
    let mut definitions: Vec<_> = definitions.map(|object| definition(object.live)).collect();
    definitions.sort_by(|one, other| one.name.cmp(&other.name));
    let mut kinds: Vec<_> = collected.lists.iter().map(|list| kind_record(list, &objects)).collect();
    kinds.sort_by(|one, other| {
        (one.kind.role, one.kind.resource()).cmp(&(other.kind.role, other.kind.resource()))
    });
    let mut manifest = Manifest {
        format: FORMAT.to_owned(),
        engine: Engine { name: "hallmark".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        created: collected.created.clone(),
        kubernetes: collected.kubernetes.clone(),
        scope: collected.scope.clone(),
        listing: collected.listing.clone(),
        kinds,
        entries,
        definitions,
        required_secrets: required_secrets(portable.values().map(|(value, _object)| value), true),
        terminating,
        rewritten: vec![REWRITTEN.to_owned()],
        idempotency_store: collected.idempotency_store.clone(),
        evidence,
        content_digest: content_digest(portable.iter().map(|(path, (value, _object))| (path.clone(), value))),
        manifest_digest: String::new(),
    };
    let sealed = manifest.seal()?;
    let head = [(MANIFEST_FILE, sealed.as_slice()), (VERSION_FILE, FORMAT.as_bytes())];
    let tail = [(JOBS_FILE, jobs.bytes.as_slice())];
    let middle = files.iter().map(|(path, bytes)| (*path, bytes.as_slice()));
    let bytes = pack(head.into_iter().chain(tail).chain(middle))?;
    Ok(Assembled { manifest, bytes })
}

struct ObjectOf<'a> {
    kind: &'a Kind,
    live: &'a Value,
}

struct Chosen<'a> {
    objects: Vec<ObjectOf<'a>>,
    terminating: Vec<Terminating>,
}

/// Takes what belongs into the archive and sets aside what is being deleted.
fn choose(collected: &Collected) -> Chosen<'_> {
    let of = |role: Role| {
        let lists = collected.lists.iter().filter(move |list| list.kind.role == role);
        lists.flat_map(|list| list.items.iter().map(|live| ObjectOf { kind: &list.kind, live }))
    };
    let dying: BTreeMap<&str, &str> =
        of(Role::Namespace).filter_map(|object| Some((name(object.live), deletion(object.live)?))).collect();
    let mut chosen = Chosen { objects: Vec::new(), terminating: Vec::new() };
    let custom = of(Role::Definition).chain(of(Role::Config)).chain(of(Role::Run));
    for object in custom {
        chosen.place(object, &dying);
    }
    let custom = collected.lists.iter().map(|list| &list.kind).filter(|kind| kind.role >= Role::Config);
    chosen.set_aside_orphans(&custom.collect::<Vec<_>>());
    let namespaces: BTreeSet<&str> =
        chosen.objects.iter().filter_map(|object| namespace(object.live)).collect();
    let referred: HashSet<(&str, String)> = chosen
        .objects
        .iter()
        .filter_map(|object| Some((namespace(object.live)?, references::of(object.live))))
        .flat_map(|(namespace, found)| {
            let names = found.config_maps.into_keys().chain(found.optional_config_maps);
            names.map(move |name| (namespace, name))
        })
        .collect();
    let wanted = |object: &ObjectOf<'_>| {
        let of_user = !OF_OTHERS.contains(&name(object.live))
            && object.live.pointer("/metadata/ownerReferences").is_none()
            && text(object.live, "/metadata/labels/app.kubernetes.io~1managed-by") != "Helm";
        of_user
            && namespace(object.live).is_some_and(|namespace| match collected.config_maps {
                ConfigMaps::None => false,
                ConfigMaps::Referenced => referred.contains(&(namespace, name(object.live).to_owned())),
                ConfigMaps::All => namespaces.contains(namespace),
            })
    };
    let config_maps: Vec<_> = of(Role::ConfigMap).filter(wanted).collect();
    for object in config_maps {
        chosen.place(object, &dying);
    }
    // One that is being deleted is told also when it takes all its objects with it.
    let touched: BTreeSet<String> = chosen.terminating.iter().filter_map(namespace_of).collect();
    let used = of(Role::Namespace).filter(|object| {
        let name = name(object.live);
        namespaces.contains(name) || (dying.contains_key(name) && touched.contains(name))
    });
    let used: Vec<_> = used.collect();
    for object in used {
        chosen.place(object, &dying);
    }
    chosen.terminating.sort();
    chosen
}

impl<'a> Chosen<'a> {
    fn place(&mut self, object: ObjectOf<'a>, dying: &BTreeMap<&str, &str>) {
        let of_namespace = namespace(object.live).and_then(|namespace| dying.get(namespace).copied());
        match deletion(object.live).or(of_namespace) {
            Some(since) if !Defect::DeletedRevived.is_planted() => self.terminating.push(Terminating {
                path: path_of(object.kind, object.live),
                uid: text(object.live, "/metadata/uid").to_owned(),
                deletion_timestamp: since.to_owned(),
            }),
            _ => self.objects.push(object),
        }
    }

    /// Sets aside what waits for the garbage collector: objects whose owners, all of archived kinds, are being
    /// deleted or gone, and what such objects own. Without owners they would come back to stay, and be executed.
    fn set_aside_orphans(&mut self, kinds: &[&Kind]) {
        loop {
            let objects = std::mem::take(&mut self.objects);
            let live: HashSet<&str> =
                objects.iter().map(|object| text(object.live, "/metadata/uid")).collect();
            let is_dead = |owner: &Value| {
                let Owner { group, kind, name: _ } = Owner::of(owner);
                let archived = kinds.iter().any(|archived| archived.group == group && archived.kind == kind);
                archived && !live.contains(text(owner, "/uid"))
            };
            let orphaned = |object: &ObjectOf<'_>| {
                let owners = object.live.pointer("/metadata/ownerReferences").and_then(Value::as_array);
                owners.is_some_and(|owners| !owners.is_empty() && owners.iter().all(is_dead))
            };
            let (orphans, rest): (Vec<_>, Vec<_>) = objects.into_iter().partition(orphaned);
            self.objects = rest;
            if orphans.is_empty() {
                return;
            }
            let orphans: Vec<_> = orphans.iter().map(|orphan| self.orphan(orphan)).collect();
            self.terminating.extend(orphans);
        }
    }

    /// Told with the time of the first owner that is known to be deleted.
    fn orphan(&self, object: &ObjectOf<'_>) -> Terminating {
        let owners = object.live.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let since = owners.into_iter().flatten().find_map(|owner| {
            let owner = self.terminating.iter().find(|gone| gone.uid == text(owner, "/uid"))?;
            Some(owner.deletion_timestamp.clone())
        });
        Terminating {
            path: path_of(object.kind, object.live),
            uid: text(object.live, "/metadata/uid").to_owned(),
            deletion_timestamp: since.unwrap_or_default(),
        }
    }
}

/// Namespace of an object that is being deleted.
fn namespace_of(terminating: &Terminating) -> Option<String> {
    terminating.path.parse::<ObjectPath>().ok()?.namespace
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

fn namespace(object: &Value) -> Option<&str> {
    object.pointer("/metadata/namespace").and_then(Value::as_str)
}

fn deletion(object: &Value) -> Option<&str> {
    object.pointer("/metadata/deletionTimestamp").and_then(Value::as_str)
}

fn size(bytes: &[u8]) -> u64 {
    bytes.len().try_into().unwrap_or(u64::MAX)
}

/// Where an object stands in the archive.
fn path_of(kind: &Kind, object: &Value) -> String {
    let path = ObjectPath {
        resource: kind.resource(),
        version: kind.version.clone(),
        namespace: namespace(object).map(str::to_owned),
        name: name(object).to_owned(),
    };
    path.to_string()
}

fn entry(path: &str, bytes: &[u8], live: &Value, phase: Option<&str>) -> Entry {
    Entry {
        path: path.to_owned(),
        size: size(bytes),
        sha256: digest(bytes),
        uid: text(live, "/metadata/uid").to_owned(),
        resource_version: text(live, "/metadata/resourceVersion").to_owned(),
        generation: live.pointer("/metadata/generation").and_then(Value::as_i64),
        creation_timestamp: text(live, "/metadata/creationTimestamp").to_owned(),
        phase: phase.map(str::to_owned),
    }
}

fn definition(live: &Value) -> DefinitionRecord {
    let stored = live.pointer("/status/storedVersions").and_then(Value::as_array).into_iter().flatten();
    DefinitionRecord {
        name: name(live).to_owned(),
        schema_sha256: digest(&to_canonical(live.get("spec").unwrap_or(&Value::Null))),
        stored_versions: stored.filter_map(|version| version.as_str().map(str::to_owned)).collect(),
    }
}

fn kind_record(list: &KindList, objects: &[ObjectOf<'_>]) -> KindRecord {
    let mut record = KindRecord {
        kind: list.kind.clone(),
        resource_versions: list.resource_versions.clone(),
        count: 0,
        phases: BTreeMap::new(),
    };
    for object in objects.iter().filter(|object| *object.kind == list.kind) {
        record.count += 1;
        // Of namespaces only metadata is kept.
        if let Some(phase) = phase(object.live).filter(|_phase| list.kind.role >= Role::Config) {
            *record.phases.entry(phase.to_owned()).or_default() += 1;
        }
    }
    record
}

/// The Secrets that the objects refer to, each with all keys and the number of referrers; those that only projected
/// volumes name are left out on request.
pub(in crate::backup) fn required_secrets<'a>(
    objects: impl IntoIterator<Item = &'a Value>,
    projected: bool,
) -> Vec<RequiredSecret> {
    let mut needed: BTreeMap<(String, String), (BTreeSet<String>, usize)> = BTreeMap::new();
    for object in objects.into_iter().filter(|_object| !Defect::SecretsNotListed.is_planted()) {
        let Some(namespace) = namespace(object) else { continue };
        let mut found = references::of(object);
        if projected {
            for (name, keys) in found.projected_secrets {
                found.secrets.entry(name).or_default().extend(keys);
            }
        }
        for (name, keys) in found.secrets {
            let (all, referrers) = needed.entry((namespace.to_owned(), name)).or_default();
            all.extend(keys);
            *referrers += 1;
        }
    }
    let record = |((namespace, name), (keys, referrers)): (_, (BTreeSet<String>, usize))| RequiredSecret {
        namespace,
        name,
        keys: keys.into_iter().collect(),
        referrers,
    };
    needed.into_iter().map(record).collect()
}

struct Jobs {
    bytes: Vec<u8>,
    number: usize,
}

/// One line for each Job that an archived object owns.
fn jobs(listed: &Result<Vec<Value>, String>, archived: &HashSet<&str>) -> Jobs {
    let mut lines = BTreeMap::new();
    for job in listed.iter().flatten() {
        let owners = job.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
        let owner = owners.map(|owner| (text(owner, "/uid"), owner)).find(|(uid, _)| archived.contains(uid));
        let Some((uid, owner)) = owner else { continue };
        let line = json!({
            "namespace": namespace(job), "name": name(job), "uid": text(job, "/metadata/uid"),
            "owner": {"kind": text(owner, "/kind"), "name": text(owner, "/name"), "uid": uid},
            "phase": phase_of_job(job),
            "specSha256": digest(&to_canonical(job.get("spec").unwrap_or(&Value::Null))),
        });
        lines.insert((namespace(job), name(job)), to_canonical(&line));
    }
    let number = lines.len();
    let bytes = lines.into_values().flat_map(|line| line.into_iter().chain([b'\n'])).collect();
    Jobs { bytes, number }
}

fn phase_of_job(job: &Value) -> &'static str {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    let holds = |wanted: &str| {
        let of_type =
            |condition: &&Value| text(condition, "/type") == wanted && text(condition, "/status") == "True";
        conditions.is_some_and(|conditions| conditions.iter().any(|condition| of_type(&condition)))
    };
    if holds("Failed") {
        "Failed"
    } else if holds("Complete") {
        "Complete"
    } else if job.pointer("/status/active").and_then(Value::as_u64).unwrap_or_default() > 0 {
        "Active"
    } else {
        "Pending"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::backup::fixture;

    fn paths(collected: &Collected) -> Vec<String> {
        assemble(collected).unwrap().manifest.entries.into_iter().map(|entry| entry.path).collect()
    }

    fn list(collected: &mut Collected, role: Role) -> &mut KindList {
        collected.lists.iter_mut().find(|list| list.kind.role == role).unwrap()
    }

    #[test]
    fn config_maps_are_those_that_people_made() {
        let mut collected = fixture::collected();
        let made = |name: &str, metadata: Value| {
            let mut map = json!({"metadata": metadata});
            map["metadata"]["name"] = name.into();
            map["metadata"]["namespace"] = "team".into();
            map["metadata"]["uid"] = name.into();
            map
        };
        let maps = &mut list(&mut collected, Role::ConfigMap).items;
        maps.push(made("kube-root-ca.crt", json!({})));
        maps.push(made(HOLD, json!({})));
        maps.push(made("of-a-chart", json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}})));
        maps.push(made("generated", json!({"ownerReferences": [{"kind": "Run", "name": "r", "uid": "u"}]})));
        let mut other = made("elsewhere", json!({}));
        other["metadata"]["namespace"] = "other".into();
        maps.push(other);
        let archived = |which: ConfigMaps| {
            let collected = Collected { config_maps: which, ..fixture::collected() };
            let all = paths(&collected).into_iter().filter(|path| path.starts_with("resources/configmaps"));
            all.map(|path| path.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(archived(ConfigMaps::None), Vec::<String>::new());
        assert_eq!(archived(ConfigMaps::Referenced), ["prompt.json"]);
        collected.config_maps = ConfigMaps::All;
        let all: Vec<String> =
            paths(&collected).into_iter().filter(|path| path.starts_with("resources/configmaps")).collect();
        assert_eq!(
            all,
            [
                "resources/configmaps/v1/namespaces/team/prompt.json",
                "resources/configmaps/v1/namespaces/team/unrelated.json",
            ]
        );
    }

    #[test]
    fn a_namespace_that_is_being_deleted_takes_its_objects_with_it() {
        let mut collected = fixture::collected();
        let since = json!("2026-01-03T00:00:00Z");
        let namespaces = &mut list(&mut collected, Role::Namespace).items;
        namespaces[0]["metadata"]["deletionTimestamp"] = since.clone();
        namespaces.push(json!({"metadata": {"name": "others", "uid": "o", "deletionTimestamp": since}}));
        let assembled = assemble(&collected).unwrap();
        let left: Vec<_> = assembled.manifest.entries.iter().map(|entry| entry.path.as_str()).collect();
        assert!(left.iter().all(|path| path.contains("/cluster/")), "{left:?}");
        let terminating = assembled.manifest.terminating;
        assert_eq!(terminating.len(), 6, "the namespace, an Agent and four runs: {terminating:?}");
        assert!(terminating.iter().all(|gone| !gone.path.contains("others")), "{terminating:?}");
    }

    fn own(run: &mut Value, owners: &[(&str, &str)]) {
        let reference = |(kind, uid): &(&str, &str)| {
            let name = uid.trim_start_matches("u-");
            json!({"apiVersion": "example.dev/v1", "kind": kind, "name": name, "uid": uid})
        };
        run["metadata"]["ownerReferences"] = owners.iter().map(reference).collect();
    }

    #[test]
    fn what_only_the_deleted_own_goes_with_them() {
        let mut collected = fixture::collected();
        let runs = &mut list(&mut collected, Role::Run).items;
        for name in ["gone-with-owner", "foreign", "shared"] {
            runs.push(fixture::run(name, "Pending"));
        }
        runs[0]["metadata"]["deletionTimestamp"] = json!("2026-01-03T00:00:00Z");
        own(&mut runs[1], &[("Run", "u-succeeded")]);
        own(&mut runs[2], &[("Run", "u-failed")]);
        own(&mut runs[4], &[("Run", "u-vanished")]);
        own(&mut runs[5], &[("Schedule", "u-schedule")]);
        own(&mut runs[6], &[("Run", "u-succeeded"), ("Agent", "u-agent")]);
        let manifest = assemble(&collected).unwrap().manifest;
        let name = |path: &str| path.rsplit('/').next().unwrap().trim_end_matches(".json").to_owned();
        let of_runs = manifest.entries.iter().filter(|entry| entry.path.contains("/runs.example.dev/"));
        let archived: Vec<_> = of_runs.map(|entry| name(&entry.path)).collect();
        assert_eq!(archived, ["foreign", "pending", "shared"], "an owner that may live keeps what it owns");
        let since = |gone: &Terminating| (name(&gone.path), gone.deletion_timestamp.clone());
        let told: Vec<_> = manifest.terminating.iter().map(since).collect();
        let expected = [
            ("failed", "2026-01-03T00:00:00Z"),
            ("gone-with-owner", ""),
            ("running", "2026-01-03T00:00:00Z"),
            ("succeeded", "2026-01-03T00:00:00Z"),
        ];
        assert_eq!(told, expected.map(|(name, since)| (name.to_owned(), since.to_owned())));
    }

    #[test]
    fn a_config_map_that_may_be_missing_is_archived_where_it_is() {
        let mut collected = fixture::collected();
        let agents = &mut list(&mut collected, Role::Config).items;
        agents[0]["spec"] = json!({"volumes": [{"configMap": {"name": "unrelated", "optional": true}}]});
        let archived = paths(&collected);
        assert!(archived.iter().any(|path| path.ends_with("/unrelated.json")), "{archived:?}");
    }
}
