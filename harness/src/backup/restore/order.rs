//! The order of the writes. Pure.

use std::collections::{BTreeMap, HashMap};

use super::judge::owners;
use super::target::Step;
use crate::backup::kind::Role;
use crate::backup::portable::Owner;
use crate::backup::verify::Stored;

/// Owners of owners of owners; more is a circle.
const DEEPEST: usize = 16;

/// Steps that may be done at the same time.
#[derive(Debug)]
pub(super) struct Wave<'a, 's> {
    pub(super) role: Role,
    pub(super) steps: Vec<&'s Step<'a>>,
}

/// Everything but definitions and namespaces: owners before what they own, and of what has no owner first
/// what others refer to, then the runs.
pub(super) fn waves<'a, 's>(steps: &'s [Step<'a>]) -> Vec<Wave<'a, 's>> {
    let mut by_name: HashMap<(String, Option<&str>, &str), &Stored> = HashMap::new();
    for Step { kind, stored, .. } in steps {
        let kind = format!("{}/{}", kind.group, kind.kind);
        by_name.insert((kind, stored.path.namespace.as_deref(), &stored.path.name), stored);
    }
    // An owner is in the namespace of what it owns, or in none.
    let find = |stored: &Stored, owner: &Owner| {
        let at = |namespace| {
            let kind = format!("{}/{}", owner.group, owner.kind);
            by_name.get(&(kind, namespace, owner.name.as_str())).copied()
        };
        at(stored.path.namespace.as_deref()).or_else(|| at(None))
    };
    let depth = |step: &Step<'_>| {
        let (mut depth, mut level) = (0, vec![step.stored]);
        while depth < DEEPEST {
            let above = level.iter().flat_map(|stored| {
                owners(&stored.value).filter_map(move |owner| find(stored, &Owner::of(owner)))
            });
            let above: Vec<&Stored> = above.collect();
            if above.is_empty() {
                break;
            }
            depth += 1;
            level = above;
        }
        depth
    };
    let mut waves: BTreeMap<(usize, Role), Vec<&Step<'a>>> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.kind.role > Role::Namespace) {
        waves.entry((depth(step), step.kind.role)).or_default().push(step);
    }
    waves.into_iter().map(|((_depth, role), steps)| Wave { role, steps }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::archive::Limits;
    use crate::backup::fixture;
    use crate::backup::restore::judge::Action;
    use crate::backup::take::{Collected, KindList, assemble};
    use crate::backup::verify::verify_bytes;

    /// The names of the objects of each wave, with their namespaces.
    fn places(collected: &Collected) -> Vec<Vec<String>> {
        let bytes = assemble(collected).unwrap().bytes;
        let checked = verify_bytes(&bytes, &fixture::line(&bytes), Limits::default()).unwrap();
        let kind = |resource: &str| {
            let mut records = checked.manifest.kinds.iter();
            &records.find(|record| record.kind.resource() == resource).unwrap().kind
        };
        let objects = checked.objects.iter();
        let steps: Vec<Step<'_>> = objects
            .map(|stored| Step {
                kind: kind(&stored.path.resource),
                stored,
                action: Action::Create,
                uid: None,
            })
            .collect();
        let place = |step: &&Step<'_>| {
            let path = &step.stored.path;
            format!("{}/{}", path.namespace.as_deref().unwrap_or_default(), path.name)
        };
        waves(&steps).iter().map(|wave| wave.steps.iter().map(place).collect()).collect()
    }

    /// A run that another one owns.
    fn owned(mut run: Value, owner: &str) -> Value {
        let uid = format!("u-{owner}");
        run["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "example.dev/v1", "kind": "Run", "name": owner, "uid": uid}]);
        run
    }

    #[test]
    fn config_comes_before_runs_and_owners_before_what_they_own() {
        let mut collected = fixture::collected();
        let runs = &mut collected.lists.last_mut().unwrap().items;
        runs[0] = owned(runs[0].take(), "running");
        let expected = [
            vec!["team/prompt"],
            vec!["team/agent"],
            vec!["team/failed", "team/pending", "team/running"],
            vec!["team/succeeded"],
        ];
        assert_eq!(places(&collected), expected);
    }

    #[test]
    fn an_owner_is_the_one_of_the_same_namespace() {
        let mut collected = fixture::collected();
        let namespace = json!({"metadata": {"name": "zone", "uid": "u-zone"}});
        let of_namespaces = |list: &&mut KindList| list.kind.role == Role::Namespace;
        collected.lists.iter_mut().find(of_namespaces).unwrap().items.push(namespace);
        let mut alone = fixture::run("parent", "Pending");
        alone["metadata"]["namespace"] = json!("zone");
        alone["metadata"]["uid"] = json!("u-alone");
        let run = |name| fixture::run(name, "Pending");
        collected.lists.last_mut().unwrap().items =
            vec![run("root"), owned(run("parent"), "root"), owned(run("child"), "parent"), alone];
        let expected = [
            vec!["team/prompt"],
            vec!["team/agent"],
            vec!["team/root", "zone/parent"],
            vec!["team/parent"],
            vec!["team/child"],
        ];
        assert_eq!(places(&collected), expected);
    }
}
