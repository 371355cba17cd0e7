//! The kinds of changes that are found: their ids, how bad they are and what to do about them.
//!
//! Ids are stable: scripts and `--accept` name them. A rule is never given another meaning.

use super::finding::{Severity, Step};

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Its stable name, for example `CRD-FIELD-REMOVED`.
    pub id: &'static str,
    /// What follows from it.
    pub class: Class,
    /// What to do about it.
    pub advice: &'static str,
}

/// What follows from a kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Breaking, and no word in a changelog makes up for it.
    Refused,
    /// Refused, and no step of the version makes up for it.
    Failed,
    /// Breaking, and refused unless the changelog tells it.
    Announced,
    /// A notice, refused unless the changelog tells it.
    Noticed,
    /// A notice, told to those who read the report.
    Told,
    /// Something new that asks nothing of anybody.
    Added,
    /// Nothing that anybody would notice.
    Harmless,
}

impl Rule {
    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self.class {
            Class::Refused | Class::Failed | Class::Announced => Severity::Breaking,
            Class::Noticed | Class::Told => Severity::Notice,
            Class::Added | Class::Harmless => Severity::Harmless,
        }
    }

    /// The step of the version that it makes due.
    pub fn step(self) -> Step {
        match self.class {
            Class::Refused | Class::Announced => Step::Major,
            Class::Noticed | Class::Told | Class::Added => Step::Minor,
            Class::Harmless => Step::Patch,
            Class::Failed => Step::None,
        }
    }
}

macro_rules! rules {
    ($($name:ident = $id:literal, $class:ident, $advice:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $advice)]
            pub const $name: Rule = Rule { id: $id, class: Class::$class, advice: $advice };
        )*
        /// All of them, in the order in which the documentation lists them.
        pub const ALL: &[Rule] = &[$($name),*];
    };
}

rules! {
    CRD_REMOVED = "CRD-REMOVED", Refused, "Keep the definition: removing it deletes every object of the kind.";
    CRD_GROUP_CHANGED = "CRD-GROUP-CHANGED", Refused, "Serve both groups and move the objects; the API server does not.";
    CRD_SCOPE_CHANGED = "CRD-SCOPE-CHANGED", Refused, "The API server refuses the change; make a new kind.";
    CRD_NAMES_CHANGED = "CRD-NAMES-CHANGED", Refused, "Keep kind, plural and singular; clients and RBAC name them.";
    CRD_VERSION_REMOVED = "CRD-VERSION-REMOVED", Refused, "Keep the version with `served: false` until no stored object needs it.";
    CRD_VERSION_NOT_SERVED = "CRD-VERSION-NOT-SERVED", Refused, "Serve it for as long as a client of the last version may ask for it.";
    CRD_STORAGE_CHANGED = "CRD-STORAGE-CHANGED", Refused, "Convert (a webhook, or equal schemas), and keep the version that is stored until all objects are migrated.";
    CRD_FIELD_REMOVED = "CRD-FIELD-REMOVED", Refused, "Keep the field: the API server drops it from stored objects with their next write.";
    CRD_TYPE_CHANGED = "CRD-TYPE-CHANGED", Refused, "Add a field of the new type and keep the old one.";
    CRD_NEWLY_REQUIRED = "CRD-NEWLY-REQUIRED", Refused, "Give it a default, or let it be absent: stored objects lack it.";
    CRD_ENUM_NARROWED = "CRD-ENUM-NARROWED", Refused, "Keep accepting the value; treat it as one of the others.";
    CRD_BOUND_NARROWED = "CRD-BOUND-NARROWED", Refused, "Keep the old bound, and clamp in the controller.";
    CRD_PATTERN_NARROWED = "CRD-PATTERN-NARROWED", Refused, "Keep the old pattern, and reject in the controller with a condition.";
    CRD_NULLABLE_REMOVED = "CRD-NULLABLE-REMOVED", Refused, "Keep `nullable`: stored objects may hold null.";
    CRD_UNKNOWN_FIELDS_DROPPED = "CRD-UNKNOWN-FIELDS-DROPPED", Refused, "Keep `x-kubernetes-preserve-unknown-fields`: what it kept would be pruned.";
    CRD_LIST_TYPE_CHANGED = "CRD-LIST-TYPE-CHANGED", Refused, "Keep list type, map keys and map type: server-side apply merges by them.";
    CRD_RULE_ADDED = "CRD-RULE-ADDED", Refused, "Let the rule pass what was valid before, for example with `oldSelf` and `optionalOldSelf`.";
    CRD_RULE_CHANGED = "CRD-RULE-CHANGED", Refused, "Keep the rule; it cannot be told whether the new one accepts as much.";
    CRD_CONDITION_CHANGED = "CRD-CONDITION-CHANGED", Refused, "Keep it; it cannot be told whether the new one accepts as much.";
    CRD_SUBRESOURCE_REMOVED = "CRD-SUBRESOURCE-REMOVED", Refused, "Keep it: clients that write there get 404.";
    CRD_SELECTABLE_FIELD_REMOVED = "CRD-SELECTABLE-FIELD-REMOVED", Refused, "Keep it: watches with this field selector are refused.";
    CRD_SUBRESOURCE_CHANGED = "CRD-SUBRESOURCE-CHANGED", Told, "Tell clients: writes to the object itself no longer change the status.";
    CRD_STORAGE_MIGRATES = "CRD-STORAGE-MIGRATES", Told, "Migrate the stored objects before the old version is removed.";
    CRD_VERSION_DEPRECATED = "CRD-VERSION-DEPRECATED", Told, "Tell clients which version to use.";
    CRD_CONVERSION_CHANGED = "CRD-CONVERSION-CHANGED", Told, "Make sure that the webhook is there before the definition.";
    CRD_DEFAULT_CHANGED = "CRD-DEFAULT-CHANGED", Told, "Tell people: objects that leave the field out mean something else now.";
    CRD_TYPE_WIDENED = "CRD-TYPE-WIDENED", Told, "Tell clients: they may read a value of a type that they do not know.";
    CRD_FIELD_UNTYPED = "CRD-FIELD-UNTYPED", Told, "Describe the field: it is kept, but no longer validated.";
    CRD_ADDED = "CRD-ADDED", Added, "Nothing; Helm installs it only with a first install, so the runbook applies it.";
    CRD_VERSION_ADDED = "CRD-VERSION-ADDED", Added, "Nothing.";
    CRD_FIELD_ADDED = "CRD-FIELD-ADDED", Added, "Nothing.";
    CRD_VALIDATION_WIDENED = "CRD-VALIDATION-WIDENED", Added, "Nothing.";
    CRD_SHORT_NAMES_CHANGED = "CRD-SHORT-NAMES-CHANGED", Harmless, "Nothing; people who type the short name have to learn another.";
    CRD_COLUMNS_CHANGED = "CRD-COLUMNS-CHANGED", Harmless, "Nothing.";

    VALUES_KEY_REMOVED = "VALUES-KEY-REMOVED", Announced, "Keep the key, or tell in `artifacthub.io/changes` that it is gone and what replaces it.";
    VALUES_KEY_RENAMED = "VALUES-KEY-RENAMED", Announced, "Keep reading the old key, or tell both names in `artifacthub.io/changes`.";
    VALUES_TYPE_CHANGED = "VALUES-TYPE-CHANGED", Announced, "Keep accepting the old type, or tell it in `artifacthub.io/changes`.";
    VALUES_NARROWED = "VALUES-NARROWED", Announced, "Keep accepting what was accepted, or tell it in `artifacthub.io/changes`.";
    VALUES_NEWLY_REQUIRED = "VALUES-NEWLY-REQUIRED", Announced, "Give it a default in values.yaml, or tell it in `artifacthub.io/changes`.";
    VALUES_REFUSED = "VALUES-REFUSED", Announced, "Accept the values as the last version did, or tell it in `artifacthub.io/changes`.";
    VALUES_DEFAULT_CHANGED = "VALUES-DEFAULT-CHANGED", Noticed, "Tell the key in `artifacthub.io/changes`: an upgrade with the new defaults changes what runs.";
    VALUES_KEY_ADDED = "VALUES-KEY-ADDED", Added, "Nothing.";
    VALUES_WIDENED = "VALUES-WIDENED", Added, "Nothing.";
    VALUES_VERSION_FOLLOWED = "VALUES-VERSION-FOLLOWED", Harmless, "Nothing: the default followed appVersion.";
    VALUES_FILE_REMOVED = "VALUES-FILE-REMOVED", Told, "Tell people who install with it.";

    ENV_DROPPED = "ENV-DROPPED", Announced, "Keep setting the variable, or tell its name in `artifacthub.io/changes`.";
    ENV_CHANGED = "ENV-CHANGED", Told, "Make sure that the new value is meant.";
    ENV_ADDED = "ENV-ADDED", Added, "Nothing.";

    RBAC_WIDENED = "RBAC-WIDENED", Noticed, "Ask for less, or tell the resource in `artifacthub.io/changes`: whoever installs the chart grants it.";
    RBAC_NARROWED = "RBAC-NARROWED", Told, "Make sure that the program of the last version, which runs until it is replaced, can do without.";

    SECURITY_LOOSENED = "SECURITY-LOOSENED", Announced, "Keep it as strict, or tell the field in `artifacthub.io/changes`.";
    SECURITY_TIGHTENED = "SECURITY-TIGHTENED", Told, "Make sure that the program works with it.";

    OBJECT_REMOVED = "OBJECT-REMOVED", Announced, "Keep the object, or tell its kind or name in `artifacthub.io/changes`.";
    OBJECT_IMMUTABLE_CHANGED = "OBJECT-IMMUTABLE-CHANGED", Refused, "Keep the field, or give the object another name: the API server refuses the upgrade.";
    OBJECT_PORT_REMOVED = "OBJECT-PORT-REMOVED", Announced, "Keep the port, or tell its name in `artifacthub.io/changes`.";
    OBJECT_CONTAINER_REMOVED = "OBJECT-CONTAINER-REMOVED", Announced, "Keep the container's name, or tell it in `artifacthub.io/changes`.";
    OBJECT_CHANGED = "OBJECT-CHANGED", Told, "Make sure that it is meant.";
    OBJECT_ADDED = "OBJECT-ADDED", Added, "Nothing.";
    IMAGE_CHANGED = "IMAGE-CHANGED", Noticed, "Tell the repository in `artifacthub.io/changes`: mirrors and policies name it.";
    IMAGE_TAG_CHANGED = "IMAGE-TAG-CHANGED", Harmless, "Nothing.";

    CHART_NOT_RENDERED = "CHART-NOT-RENDERED", Failed, "Repair the chart: it does not render with its own values.";
    CHART_NAME_CHANGED = "CHART-NAME-CHANGED", Refused, "Keep the name: a release cannot be upgraded to another chart.";
    CHART_KUBE_VERSION_CHANGED = "CHART-KUBE-VERSION-CHANGED", Noticed, "Tell `kubeVersion` in `artifacthub.io/changes`.";
    CHART_APP_VERSION_WENT_BACK = "CHART-APP-VERSION-WENT-BACK", Noticed, "Correct appVersion, or tell `appVersion` in `artifacthub.io/changes`.";
    CHART_APP_VERSION_CHANGED = "CHART-APP-VERSION-CHANGED", Harmless, "Nothing.";
    CHART_FILES_CHANGED = "CHART-FILES-CHANGED", Harmless, "Nothing.";
    CHART_VERSION_INVALID = "CHART-VERSION-INVALID", Failed, "Write a version of Semantic Versioning 2.0.0, which Helm demands.";
    CHART_VERSION_NOT_BUMPED = "CHART-VERSION-NOT-BUMPED", Failed, "Raise `version` in Chart.yaml: two different charts must not have one version.";
    CHART_VERSION_WENT_BACK = "CHART-VERSION-WENT-BACK", Failed, "Raise `version` in Chart.yaml above that of the last one.";
    CHART_VERSION_STEP_TOO_SMALL = "CHART-VERSION-STEP-TOO-SMALL", Failed, "Raise `version` in Chart.yaml by the step that is due.";

    UPGRADE_DISTURBS = "UPGRADE-DISTURBS", Failed, "Look at the case in the report of the upgrade: runs must survive an upgrade and its rollback.";
    REQUIREMENT_LOST = "REQUIREMENT-LOST", Failed, "Look at its cases in the report of the suite: the last version met it.";
    REQUIREMENT_FAILED = "REQUIREMENT-FAILED", Failed, "Look at its cases in the report of the suite.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn ids_are_unique() {
        let ids: BTreeSet<&str> = ALL.iter().map(|rule| rule.id).collect();
        assert_eq!(ids.len(), ALL.len());
    }

    #[test]
    fn the_documentation_lists_every_rule_with_its_severity() {
        let text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/gate.md")).expect("docs");
        for rule in ALL {
            let row = format!("| `{}` | {} |", rule.id, rule.severity());
            assert!(text.contains(&row), "docs/gate.md lacks {row}");
        }
    }
}
