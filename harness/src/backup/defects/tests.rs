//! The registry is complete.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::*;

/// Families of the requirements that the engine decides.
const FAMILIES: [&str; 4] = ["DR-B", "DR-V", "DR-R", "DR-X"];

#[derive(Deserialize)]
struct Catalogue {
    requirements: Vec<Requirement>,
}

#[derive(Deserialize)]
struct Requirement {
    id: String,
    level: String,
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn names_are_unique_and_every_defect_is_planted_at_one_place() {
    let names: BTreeSet<_> = Defect::ALL.iter().map(|defect| defect.name()).collect();
    assert_eq!(names.len(), Defect::ALL.len());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    // Tests of the registry plant some, too.
    let code = sources(&root).into_iter().filter(|path| !path.starts_with(root.join("backup/defects")));
    let code: String = code.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for defect in Defect::ALL {
        let place = format!("Defect::{defect:?}.is_planted()");
        assert_eq!(code.matches(&place).count(), 1, "{place} must stand at exactly one place");
        assert_eq!(Defect::named(defect.name()), Some(*defect));
    }
}

#[test]
fn every_requirement_that_the_engine_decides_has_a_defect() {
    let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/requirements.yaml");
    let catalogue: Catalogue = serde_saphyr::from_str(&std::fs::read_to_string(catalogue).unwrap()).unwrap();
    let levels: BTreeMap<_, _> =
        catalogue.requirements.iter().map(|each| (&*each.id, &*each.level)).collect();
    let broken: BTreeSet<_> = Defect::ALL.iter().flat_map(|defect| defect.requirements()).copied().collect();
    for id in &broken {
        assert!(levels.contains_key(*id), "{id} is not in the catalogue");
    }
    let unbroken: Vec<_> = levels
        .iter()
        .filter(|(id, level)| **level == "MUST" && FAMILIES.iter().any(|family| id.starts_with(family)))
        .map(|(id, _level)| *id)
        .filter(|id| !broken.contains(id))
        .collect();
    assert_eq!(unbroken, Vec::<&str>::new());
}

#[cfg(not(feature = "defects"))]
#[tokio::test]
async fn a_build_without_the_feature_has_no_defect() {
    let planted = async { Defect::LockIgnored.is_planted() };
    assert!(!planting(Some(Defect::LockIgnored), planted).await);
}

#[cfg(feature = "defects")]
#[tokio::test]
async fn a_defect_is_planted_for_the_time_of_its_work() {
    let planted = || async { (Defect::LockIgnored.is_planted(), Defect::NothingTried.is_planted()) };
    assert_eq!(planting(Some(Defect::LockIgnored), planted()).await, (true, false));
    assert_eq!(planting(None, planted()).await, (false, false));
}
