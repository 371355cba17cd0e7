//! Who owns a generated object: only the uid in the controller owner reference counts.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::api::ObjectMeta;

use crate::api::AgentRun;
use crate::defects::Defect;

/// The owner reference of all objects of a run: they go with it, and hold up a foreground deletion.
pub fn reference(run: &AgentRun) -> Option<OwnerReference> {
    let owner = run.controller_owner_ref(&())?;
    Some(OwnerReference { block_owner_deletion: Some(true), ..owner })
}

/// Whether the object's controller is the run with this uid. Labels and names prove nothing.
pub fn is_owned(metadata: &ObjectMeta, run_uid: &str) -> bool {
    if Defect::ForeignJobAdopted.is_planted() {
        return true;
    }
    controller(metadata).is_some_and(|owner| owner.uid == run_uid)
}

/// The owner as text for people.
pub fn describe(metadata: &ObjectMeta) -> String {
    controller(metadata)
        .map_or_else(|| "nobody".to_owned(), |owner| format!("{} {} ({})", owner.kind, owner.name, owner.uid))
}

fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// [JOB-10] [JOB-02]
    #[rstest]
    #[case("run-uid", Some(true), true)]
    #[case("other-uid", Some(true), false)]
    #[case("run-uid", Some(false), false)]
    #[case("run-uid", None, false)]
    fn only_the_uid_of_the_controller_reference_counts(
        #[case] uid: &str,
        #[case] controller: Option<bool>,
        #[case] expected: bool,
    ) {
        let owner = OwnerReference { uid: uid.to_owned(), controller, ..OwnerReference::default() };
        let metadata = ObjectMeta { owner_references: Some(vec![owner]), ..ObjectMeta::default() };
        assert_eq!(is_owned(&metadata, "run-uid"), expected);
    }
}
