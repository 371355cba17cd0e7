//! Packed charts, as `helm package` makes them, and other tar archives: their files, in memory.
//!
//! Helm installs a packed chart as it is; this is for what has to be known of one without helm.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tar::EntryType;

/// The most that an archive may hold, in bytes.
const MOST: u64 = 64 << 20;

/// The files of an archive, by path within it.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// An archive that is broken, leads elsewhere, or is too large to be a chart.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadArchive(String);

/// Whether a file has the name of a packed chart.
pub(crate) fn is_packed(path: &Path) -> bool {
    let name = path.as_os_str().to_string_lossy();
    [".tgz", ".tar.gz"].iter().any(|ending| name.ends_with(ending))
}

/// The files of a packed chart. It has everything in a folder with the name of the chart, which is left out.
pub(crate) fn unpack_chart(packed: impl Read) -> Result<Files, BadArchive> {
    let inner = |path: String| path.split_once('/').map(|(_top, path)| path.to_owned());
    let files = unpack(MultiGzDecoder::new(packed))?;
    Ok(files.into_iter().filter_map(|(path, content)| Some((inner(path)?, content))).collect())
}

/// The files of a tar archive.
pub(crate) fn unpack(archive: impl Read) -> Result<Files, BadArchive> {
    let io = |error: std::io::Error| BadArchive(error.to_string());
    let mut archive = tar::Archive::new(archive.take(MOST + 1));
    let mut files = BTreeMap::new();
    let mut total = 0;
    for entry in archive.entries().map_err(io)? {
        let mut entry = entry.map_err(io)?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
        match entry.header().entry_type() {
            EntryType::Regular => {}
            // Folders follow from the files, and comments of git are no content.
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            _ => return Err(BadArchive(format!("`{path}` is neither file nor folder"))),
        }
        if path.is_empty() || path.split('/').any(|part| matches!(part, "" | "..")) {
            return Err(BadArchive(format!("`{path}` leads elsewhere")));
        }
        total += entry.size();
        if total > MOST {
            return Err(BadArchive(format!("it holds more than {MOST} bytes")));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(io)?;
        files.insert(path, content);
    }
    Ok(files)
}

/// Packs entries for tests, also those that nobody would pack.
#[cfg(test)]
pub(crate) fn pack(entries: &[(&str, &str)]) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(encoder);
    for (path, text) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        // `set_path` refuses what an attacker would write.
        header.as_gnu_mut().expect("gnu").name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_cksum();
        builder.append(&header, text.as_bytes()).expect("appended");
    }
    builder.into_inner().and_then(flate2::write::GzEncoder::finish).expect("packed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_may_not_lead_elsewhere() {
        let archive = pack(&[("c/../../x", "")]);
        let error = unpack_chart(archive.as_slice()).expect_err("refused");
        assert!(error.to_string().contains("leads elsewhere"), "{error}");
    }

    #[test]
    fn a_chart_is_unpacked_without_the_folder_of_its_name() {
        let files = unpack_chart(pack(&[("c/Chart.yaml", "a"), ("c/crds/b.yaml", "b")]).as_slice());
        let names: Vec<String> = files.expect("unpacks").into_keys().collect();
        assert_eq!(names, ["Chart.yaml", "crds/b.yaml"]);
    }
}
