//! How other tools bring objects back. Pure.
//!
//! The engine plays them, so that a controller can be tested against what it will meet: a restore by Velero
//! needs a server and an object store, and what it does to objects is known. What each tool writes is made
//! here; that it is written, and compared afterwards, is the engine's.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::kind::Role;
use super::verify::Checked;

/// A restore tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Profile {
    /// This engine: status right after each object, config before runs, under a hold.
    #[default]
    Faithful,
    /// Velero that was told to restore the status, by the annotation or by an option (1.16): two labels more, no
    /// owners, kinds in the order of the alphabet. Functions `resetStatus`, `addRestoreLabels`, `resetMetadata`.
    VeleroWithStatus,
    /// Velero that was not told: the status is lost as well.
    Velero,
    /// `kubectl apply` of saved objects: the status is lost, files in their order.
    Naive,
    /// `clusterctl move`: the status is lost, owners get their new uids.
    Move,
}

impl Profile {
    /// Whether statuses come back.
    fn keeps_status(self) -> bool {
        matches!(self, Self::Faithful | Self::VeleroWithStatus)
    }

    fn is_velero(self) -> bool {
        matches!(self, Self::Velero | Self::VeleroWithStatus)
    }

    /// Whether it knows what refers to what; else kinds come in the order of the alphabet.
    fn knows_order(self) -> bool {
        matches!(self, Self::Faithful | Self::Move)
    }

    /// Whether it refuses to write beside a controller, and over other objects.
    pub fn is_careful(self) -> bool {
        self == Self::Faithful
    }

    /// The objects as the tool would write them.
    #[must_use]
    pub fn played(self, mut checked: Checked) -> Checked {
        if !self.knows_order() {
            for record in checked.manifest.kinds.iter_mut().filter(|record| record.kind.role == Role::Run) {
                record.kind.role = Role::Config;
            }
            checked.manifest.kinds.sort_by_key(|record| (record.kind.role, record.kind.resource()));
        }
        let custom = |resource: &str| {
            let mut kinds = checked.manifest.kinds.iter();
            kinds.any(|record| record.kind.role >= Role::Config && record.kind.resource() == resource)
        };
        for object in checked.objects.iter_mut().filter(|object| custom(&object.path.resource)) {
            let Value::Object(fields) = &mut object.value else { continue };
            if !self.keeps_status() {
                fields.shift_remove("status");
            }
            if let Some(Value::Object(metadata)) = fields.get_mut("metadata").filter(|_| self.is_velero()) {
                metadata.shift_remove("ownerReferences");
                let labels = metadata.entry("labels").or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(labels) = labels {
                    labels.insert("velero.io/backup-name".to_owned(), "backup".into());
                    labels.insert("velero.io/restore-name".to_owned(), "restore".into());
                }
            }
        }
        checked
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::archive::Limits;
    use crate::backup::fixture;
    use crate::backup::verify::verify_bytes;

    #[rstest]
    #[case::faithful(Profile::Faithful, true, false, true)]
    #[case::velero_with_status(Profile::VeleroWithStatus, true, true, false)]
    #[case::velero(Profile::Velero, false, true, false)]
    #[case::naive(Profile::Naive, false, false, false)]
    #[case::moved(Profile::Move, false, false, true)]
    fn each_tool_writes_what_it_writes(
        #[case] profile: Profile,
        #[case] status: bool,
        #[case] labels: bool,
        #[case] runs_last: bool,
    ) {
        let bytes = fixture::archive();
        let checked = verify_bytes(&bytes, &fixture::line(&bytes), Limits::default()).unwrap();
        let number = checked.objects.len();
        let played = profile.played(checked);
        assert_eq!(played.objects.len(), number);
        let run = played.objects.iter().find(|object| object.path.name == "running").unwrap();
        assert_eq!(run.value.get("status").is_some(), status);
        assert_eq!(run.value.pointer("/metadata/labels/velero.io~1restore-name").is_some(), labels);
        assert!(run.value.pointer("/metadata/finalizers/0").is_some(), "all tools keep finalizers");
        let roles = played.manifest.kinds.iter().map(|record| record.kind.role);
        assert_eq!(roles.max() == Some(Role::Run), runs_last);
    }
}
