//! Named defects: wrong decisions that can be planted to see whether a suite notices them.
//!
//! A process of a build with the feature `defects` has the one defect that the variable
//! `AGENTS_CONTROLLER_DEFECT` names. Each is one condition at the place where the right decision is made,
//! so that reading the decision shows what breaking it means. In every other build
//! [`Defect::is_planted`] is a constant and the compiler drops the wrong branch; release images are never
//! built with the feature.

mod registry;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

pub use registry::Defect;

/// The variable that names the defect.
pub const VARIABLE: &str = "AGENTS_CONTROLLER_DEFECT";

/// What is expected of the variable's value if it cannot be followed. A suite must not be praised for
/// noticing a defect that is not there.
pub fn refused(value: &str) -> Option<String> {
    if cfg!(not(feature = "defects")) {
        Some("nothing, as this program was built without the feature `defects`".to_owned())
    } else if Defect::named(value).is_none() {
        Some("the name of a defect".to_owned())
    } else {
        None
    }
}

/// Runs that this process has accepted.
static ACCEPTED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Notes that this process accepts a run, for the defects that tell inherited runs from their own.
///
/// The times of a status cannot tell which process began a run: they are whole seconds, and a process is
/// replaced within one.
pub fn note_accepted(uid: Option<String>) {
    if Defect::RestartLosesRuns.is_planted() || Defect::RestartRepeatsRuns.is_planted() {
        ACCEPTED.lock().unwrap_or_else(PoisonError::into_inner).extend(uid);
    }
}

/// Whether [`note_accepted`] was told of the run in this process.
pub fn was_accepted_here(uid: &str) -> bool {
    ACCEPTED.lock().unwrap_or_else(PoisonError::into_inner).contains(uid)
}

#[cfg(feature = "defects")]
mod planted {
    use std::sync::OnceLock;

    use super::{Defect, VARIABLE};

    static PLANTED: OnceLock<Option<Defect>> = OnceLock::new();

    /// The defect of this process, read from the environment once.
    pub(super) fn planted() -> Option<Defect> {
        *PLANTED.get_or_init(|| std::env::var(VARIABLE).ok().and_then(|name| Defect::named(&name)))
    }
}

impl Defect {
    /// The defect of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|defect| defect.name() == name.trim())
    }

    /// Name, requirements and summary.
    pub fn describe(self) -> Value {
        let (requirements, summary) = (self.requirements(), self.summary().trim());
        json!({"name": self.name(), "requirements": requirements, "summary": summary})
    }

    /// Whether this process has the defect.
    #[cfg(feature = "defects")]
    pub fn is_planted(self) -> bool {
        planted::planted() == Some(self)
    }

    /// Whether this process has the defect, which no process of this build has.
    #[cfg(not(feature = "defects"))]
    pub const fn is_planted(self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};

    use serde::Deserialize;

    use super::*;

    /// Requirements that must be met by somebody else than the controller's decisions.
    const NOT_DECIDED_HERE: [(&str, &str); 6] = [
        ("IMG-08", "chart"),
        ("IMG-09", "chart"),
        ("IMG-10", "chart"),
        ("TTL-20", "chart"),
        ("TTL-21", "Kubernetes removes the Job"),
        ("DR-C22", "the backup engine archives no Lease"),
    ];
    /// How the ids of the requirements begin that controllers decide.
    const FAMILIES: [&str; 12] =
        ["IMG-", "TTL-", "RET-", "LC-", "JOB-", "LIM-", "WF-", "SEC-", "HL-", "INV-", "DR-C", "DR-H"];

    #[derive(Deserialize)]
    struct Catalogue {
        requirements: Vec<Requirement>,
    }

    #[derive(Deserialize)]
    struct Requirement {
        id: String,
        level: String,
        feature: String,
    }

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .collect()
    }

    #[test]
    fn names_are_unique_and_every_defect_is_planted_somewhere() {
        let names: BTreeSet<_> = Defect::ALL.iter().map(|defect| defect.name()).collect();
        assert_eq!(names.len(), Defect::ALL.len());
        assert!(names.len() >= 40);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let code = sources(&root).into_iter().filter(|path| !path.starts_with(root.join("defects")));
        let code: String = code.map(|path| std::fs::read_to_string(path).unwrap()).collect();
        for defect in Defect::ALL {
            let place = format!("Defect::{defect:?}.is_planted()");
            assert_eq!(code.matches(&place).count(), 1, "{place} must stand at exactly one place");
            assert_eq!(Defect::named(defect.name()), Some(*defect));
        }
    }

    /// Every MUST that the controller decides can be broken, and defects only name known requirements.
    #[test]
    fn every_requirement_that_the_controller_decides_has_a_defect() {
        let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/requirements.yaml");
        let catalogue: Catalogue =
            serde_saphyr::from_str(&std::fs::read_to_string(catalogue).unwrap()).unwrap();
        let levels: BTreeMap<_, _> = catalogue.requirements.iter().map(|each| (&*each.id, each)).collect();
        let broken: BTreeSet<_> = Defect::ALL.iter().flat_map(|defect| defect.requirements()).collect();
        for id in &broken {
            assert!(levels.contains_key(**id), "{id} is not in the catalogue");
        }
        let unbroken = catalogue.requirements.iter().filter(|requirement| {
            requirement.level == "MUST"
                && requirement.feature != "chart"
                && FAMILIES.iter().any(|family| requirement.id.starts_with(family))
                && !NOT_DECIDED_HERE.iter().any(|(id, _)| *id == requirement.id)
                && !broken.contains(&requirement.id.as_str())
        });
        let unbroken: Vec<_> = unbroken.map(|requirement| requirement.id.as_str()).collect();
        assert_eq!(unbroken, ["SEC-03"], "only the chart decides about SEC-03");
    }
}
