//! Archives of this program.

use std::collections::BTreeMap;

use super::{ArchiveKind, Inspection, KindSummary, Plan};
use crate::backup::kind::Role;
use crate::backup::phase::is_terminal;
use crate::backup::verify::Checked;

/// What a verified archive holds.
pub(super) fn describe(checked: &Checked) -> Inspection {
    let manifest = &checked.manifest;
    let records = manifest.kinds.iter().filter(|record| record.count > 0);
    let kinds = records.clone().map(|record| KindSummary {
        resource: record.kind.resource(),
        count: record.count,
        phases: record.phases.clone(),
    });
    let count = |roles: &[Role]| -> usize {
        records.clone().filter(|record| roles.contains(&record.kind.role)).map(|record| record.count).sum()
    };
    let with_status: Vec<String> =
        records.clone().filter(|record| record.kind.status).map(|record| record.kind.resource()).collect();
    let statuses = checked
        .objects
        .iter()
        .filter(|object| with_status.contains(&object.path.resource) && object.value.get("status").is_some());
    let mut total = 0;
    let mut undecided = BTreeMap::new();
    for record in records.clone().filter(|record| record.kind.role == Role::Run) {
        let mut without = record.count;
        for (phase, number) in &record.phases {
            without -= number;
            if is_terminal(phase) {
                total += number;
            } else {
                *undecided.entry(phase.clone()).or_default() += number;
            }
        }
        if without > 0 {
            *undecided.entry("none".to_owned()).or_default() += without;
        }
    }
    Inspection {
        archive: ArchiveKind::Hallmark,
        sha256: checked.sha256.clone(),
        content_digest: Some(manifest.content_digest.clone()),
        created: Some(manifest.created.finished.to_string()),
        kubernetes: Some(manifest.kubernetes.clone()),
        listing: Some(manifest.listing.clone()),
        kinds: kinds.collect(),
        terminal_runs: total,
        // Status is always restored, so nothing that was done by then is done again.
        executed_again: Vec::new(),
        undecided,
        jobs_again: Vec::new(),
        plan: Some(Plan {
            definitions: count(&[Role::Definition]),
            namespaces: count(&[Role::Namespace]),
            config: count(&[Role::ConfigMap, Role::Config]),
            runs: count(&[Role::Run]),
            statuses: statuses.count(),
        }),
        required_secrets: manifest.required_secrets.clone(),
        terminating: manifest.terminating.iter().map(|gone| gone.path.clone()).collect(),
        warnings: checked.warnings.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Limits;
    use crate::backup::fixture;
    use crate::backup::verify::verify_bytes;

    #[test]
    fn an_archive_tells_its_runs_and_the_writes_of_a_restore() {
        let bytes = fixture::archive();
        let found = describe(&verify_bytes(&bytes, &fixture::line(&bytes), Limits::default()).unwrap());
        assert_eq!((found.terminal_runs, &*found.executed_again), (2, &[][..]));
        assert_eq!(found.undecided, BTreeMap::from([("Pending".to_owned(), 1), ("Running".to_owned(), 1)]));
        let plan = Plan { definitions: 2, namespaces: 1, config: 2, runs: 4, statuses: 5 };
        assert_eq!(found.plan, Some(plan));
        let order: Vec<&str> = found.kinds.iter().map(|kind| kind.resource.as_str()).collect();
        assert_eq!(order.last(), Some(&"runs.example.dev"));
    }
}
