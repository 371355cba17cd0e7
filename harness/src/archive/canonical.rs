//! One spelling for every JSON value, so that equal objects have equal digests.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Sorted keys and no white space.
///
/// Numbers keep the spelling of the API server, which canonicalises them itself.
pub fn to_canonical(value: &Value) -> Vec<u8> {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    sorted.to_string().into_bytes()
}

/// The canonical bytes of something that serialises to JSON.
pub(crate) fn canonical_of(value: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    Ok(to_canonical(&serde_json::to_value(value)?))
}

/// SHA-256 as 64 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The digest that belongs into a manifest, also one with fields that this version does not know.
pub(crate) fn digest_of_manifest(manifest: &Value) -> String {
    let mut manifest = manifest.clone();
    if let Value::Object(fields) = &mut manifest {
        fields.shift_remove("manifestDigest");
    }
    digest(&to_canonical(&manifest))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{digest, to_canonical};

    #[test]
    fn the_order_of_keys_does_not_matter_at_any_depth() {
        let one = json!({"b": [{"y": 1, "x": null}], "a": {"d": "é", "c": 1.5}});
        let other = json!({"a": {"c": 1.5, "d": "é"}, "b": [{"x": null, "y": 1}]});
        assert_eq!(to_canonical(&one), to_canonical(&other));
        assert_eq!(to_canonical(&one), r#"{"a":{"c":1.5,"d":"é"},"b":[{"x":null,"y":1}]}"#.as_bytes());
    }

    /// Guards the feature `float_roundtrip` of `serde_json`, as far as it can: a dependency of tests has it, too.
    #[test]
    fn a_number_stays_the_number_that_it_was() {
        let text = r#"{"share":0.23000000000000007}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(to_canonical(&value), text.as_bytes());
    }

    #[test]
    fn the_order_of_lists_matters() {
        assert_ne!(to_canonical(&json!([1, 2])), to_canonical(&json!([2, 1])));
    }

    #[test]
    fn the_digest_is_that_of_sha256sum() {
        assert_eq!(digest(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
