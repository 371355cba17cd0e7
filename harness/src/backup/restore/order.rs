//! The order of the writes. Pure.

use std::collections::{BTreeMap, HashMap};

use super::judge::owners;
use super::target::Step;
use crate::backup::kind::Role;
use crate::backup::portable::Owner;

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
    let mut by_name: HashMap<(String, &str), &Step<'_>> = HashMap::new();
    for step in steps {
        by_name.insert((format!("{}/{}", step.kind.group, step.kind.kind), &step.stored.path.name), step);
    }
    let depth = |step: &Step<'_>| {
        let (mut depth, mut level) = (0, vec![step.stored]);
        while depth < DEEPEST {
            let above = level.iter().flat_map(|stored| owners(&stored.value)).map(Owner::of);
            let above: Vec<_> = above
                .filter_map(|owner| {
                    by_name.get(&(format!("{}/{}", owner.group, owner.kind), owner.name.as_str())).copied()
                })
                .map(|step| step.stored)
                .collect();
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
    use serde_json::json;

    use super::*;
    use crate::archive::Limits;
    use crate::backup::fixture;
    use crate::backup::restore::judge::Action;
    use crate::backup::take::assemble;
    use crate::backup::verify::verify_bytes;

    #[test]
    fn config_comes_before_runs_and_owners_before_what_they_own() {
        let mut collected = fixture::collected();
        let runs = &mut collected.lists.last_mut().unwrap().items;
        runs[0]["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "example.dev/v1", "kind": "Run", "name": "running", "uid": "u-running"}]);
        let bytes = assemble(&collected).unwrap().bytes;
        let checked = verify_bytes(&bytes, &fixture::line(&bytes), Limits::default()).unwrap();
        let kind = |resource: &str| {
            let mut records = checked.manifest.kinds.iter();
            &records.find(|record| record.kind.resource() == resource).unwrap().kind
        };
        let steps: Vec<Step<'_>> = checked
            .objects
            .iter()
            .map(|stored| Step {
                kind: kind(&stored.path.resource),
                stored,
                action: Action::Create,
                uid: None,
            })
            .collect();
        let names: Vec<Vec<&str>> = waves(&steps)
            .iter()
            .map(|wave| wave.steps.iter().map(|step| step.stored.path.name.as_str()).collect())
            .collect();
        assert_eq!(
            names,
            [vec!["prompt"], vec!["agent"], vec!["failed", "pending", "running"], vec!["succeeded"]]
        );
    }
}
