//! Wrong restores, planted to see whether a drill notices them. Pure.

use serde_json::Value;

use crate::backup::{Checked, Role};

/// Something that a restore does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineMutant {
    /// Runs come back without their status, as by a tool that does not know the subresource.
    DropsStatus,
    /// One run does not come back.
    LosesRun,
    /// Runs come back without their finalizers.
    DropsFinalizers,
}

impl EngineMutant {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::DropsStatus, Self::LosesRun, Self::DropsFinalizers];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::DropsStatus => "engine-drops-status",
            Self::LosesRun => "engine-loses-a-run",
            Self::DropsFinalizers => "engine-drops-finalizers",
        }
    }

    /// The one of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.name() == name)
    }

    /// Changes what is going to be restored.
    pub(super) fn plant(self, checked: &mut Checked) {
        let runs: Vec<String> = checked
            .manifest
            .kinds
            .iter()
            .filter(|record| record.kind.role == Role::Run)
            .map(|record| record.kind.resource())
            .collect();
        let is_run = |resource: &String| runs.contains(resource);
        let (place, field) = match self {
            Self::DropsStatus => ("", "status"),
            Self::DropsFinalizers => ("/metadata", "finalizers"),
            Self::LosesRun => {
                let first = checked.objects.iter().position(|object| is_run(&object.path.resource));
                first.map(|index| checked.objects.remove(index));
                return;
            }
        };
        for object in checked.objects.iter_mut().filter(|object| is_run(&object.path.resource)) {
            if let Some(Value::Object(fields)) = object.value.pointer_mut(place) {
                fields.shift_remove(field);
            }
        }
    }
}
