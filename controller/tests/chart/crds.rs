//! The `CustomResourceDefinition`s that the chart ships.

use std::fs;

use serde_json::Value;

use crate::chart;

/// What one may hold as JSON. Client-side apply writes it into an annotation a second time, and annotations
/// end at this size.
const LIMIT: usize = 256 * 1024;

#[test]
fn every_definition_fits_into_256_kib() {
    let files: Vec<_> = fs::read_dir(chart("crds")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 7);
    for file in files {
        let definition: Value = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let size = definition.to_string().len();
        assert!(size <= LIMIT, "{} has {size} bytes", file.display());
    }
}
