//! Admission policy: labels, images, Secrets and service accounts.

use kube::ResourceExt;

use crate::api::{Agent, AgentRun};
use crate::config::Policy;
use crate::defects::Defect;

use super::super::pattern;
use super::super::status::reason;
use super::super::text::{entries, non_blank};
use super::Refusal;

/// Labels of the backup tool, which an allow list must not keep from restored runs.
const BACKUP_PREFIX: &str = "velero.io/";

/// Required keys are there, no key is denied, every key is allowed; a denial is stronger.
pub(super) fn labels(run: &AgentRun, policy: &Policy) -> Result<(), Refusal> {
    let labels = run.labels();
    let has = |key: &&String| labels.get(*key).is_some_and(|value| non_blank(value).is_some());
    let missing: Vec<_> = policy.labels_required.iter().filter(|key| !has(key)).map(String::as_str).collect();
    if !missing.is_empty() {
        let message = format!("required labels are missing or blank: {}", missing.join(", "));
        return Err(Refusal::invalid(reason::MISSING_REQUIRED_LABELS, message));
    }
    for key in labels.keys() {
        if let Some(denied) = pattern::first(&policy.labels_denied, key)
            && !Defect::DeniedLabelsPass.is_planted()
        {
            let message = format!("label {key:?} is denied by pattern {denied:?}");
            return Err(Refusal::invalid(reason::LABEL_BLOCKED, message));
        }
    }
    let unlisted = |key: &&String| {
        !key.starts_with(BACKUP_PREFIX) && pattern::first(&policy.labels_allowed, key).is_none()
    };
    match labels.keys().find(unlisted) {
        Some(key) if !policy.labels_allowed.is_empty() => Err(Refusal::invalid(
            reason::LABEL_NOT_ALLOWED,
            format!("label {key:?} matches no allowed pattern"),
        )),
        _ => Ok(()),
    }
}

/// The resolved image is not denied and, with an allow list, allowed.
pub(super) fn image(image: &str, policy: &Policy) -> Result<(), Refusal> {
    if let Some(denied) = pattern::first(&policy.images_denied, image) {
        let message = format!("image {image:?} is denied by pattern {denied:?}");
        return Err(Refusal::invalid(reason::IMAGE_BLOCKED, message));
    }
    if !policy.images_allowed.is_empty() && pattern::first(&policy.images_allowed, image).is_none() {
        let message = format!("image {image:?} matches no allowed pattern");
        return Err(Refusal::invalid(reason::IMAGE_NOT_ALLOWED, message));
    }
    Ok(())
}

/// Every Secret is on the Agent's list, if it has one.
pub(super) fn allowed_secrets<'a>(
    agent: &Agent,
    secrets: impl IntoIterator<Item = &'a str>,
) -> Result<(), Refusal> {
    let security = agent.spec.security.as_ref();
    let allowed = entries(security.and_then(|security| security.allowed_secrets.as_ref()));
    let any_passes = allowed.is_empty() || Defect::AnySecretIsAllowed.is_planted();
    let outside = secrets.into_iter().find(|name| !any_passes && !allowed.contains(name));
    outside.map_or(Ok(()), |name| {
        let message = format!("Secret {name:?} is not in the Agent's security.allowedSecrets");
        Err(Refusal::invalid(reason::SECRET_NOT_ALLOWED, message))
    })
}

/// No Secret is blocked.
pub(super) fn blocked_secrets<'a>(
    policy: &Policy,
    secrets: impl IntoIterator<Item = &'a str>,
) -> Result<(), Refusal> {
    let blocked = secrets.into_iter().find(|name| policy.blocked_secrets.iter().any(|entry| entry == name));
    blocked.map_or(Ok(()), |name| {
        let message = format!("Secret {name:?} is blocked by the controller's policy");
        Err(Refusal::invalid(reason::SECRET_BLOCKED, message))
    })
}

/// The service account is on the Agent's list, if it has one.
pub(super) fn service_account(agent: &Agent, account: &str) -> Result<(), Refusal> {
    let security = agent.spec.security.as_ref();
    let allowed = entries(security.and_then(|security| security.allowed_service_accounts.as_ref()));
    if allowed.is_empty() || allowed.contains(&account) {
        return Ok(());
    }
    let message =
        format!("service account {account:?} is not in the Agent's security.allowedServiceAccounts");
    Err(Refusal::invalid(reason::SERVICE_ACCOUNT_NOT_ALLOWED, message))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn list(entries: &[&str]) -> Vec<String> {
        entries.iter().map(|entry| (*entry).to_owned()).collect()
    }

    /// [SEC-01]
    #[rstest]
    #[case(&["team"], &[], &[], &[("team", "a")], None)]
    #[case(&["team"], &[], &[], &[("team", " ")], Some(reason::MISSING_REQUIRED_LABELS))]
    #[case(&[], &["team"], &[], &[("team", "a"), ("velero.io/restore-name", "x")], None)]
    #[case(&[], &["team"], &[], &[("other", "a")], Some(reason::LABEL_NOT_ALLOWED))]
    #[case(&[], &["*"], &["x/*"], &[("x/y", "a")], Some(reason::LABEL_BLOCKED))]
    #[case(&[], &[], &["velero.io/*"], &[("velero.io/a", "a")], Some(reason::LABEL_BLOCKED))]
    fn label_policy(
        #[case] required: &[&str],
        #[case] allowed: &[&str],
        #[case] denied: &[&str],
        #[case] labels_given: &[(&str, &str)],
        #[case] expected: Option<&str>,
    ) {
        let policy = Policy {
            labels_required: list(required),
            labels_allowed: list(allowed),
            labels_denied: list(denied),
            ..Policy::default()
        };
        let mut run = AgentRun::default();
        let given = labels_given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        run.metadata.labels = Some(given.collect());
        assert_eq!(labels(&run, &policy).err().map(|refusal| refusal.reason), expected);
    }

    /// [IMG-12]
    #[rstest]
    #[case(&[], &[], None)]
    #[case(&["reg/*"], &[], None)]
    #[case(&["other/*"], &[], Some(reason::IMAGE_NOT_ALLOWED))]
    #[case(&["reg/*"], &["*:latest"], Some(reason::IMAGE_BLOCKED))]
    fn image_policy(#[case] allowed: &[&str], #[case] denied: &[&str], #[case] expected: Option<&str>) {
        let policy =
            Policy { images_allowed: list(allowed), images_denied: list(denied), ..Policy::default() };
        assert_eq!(image("reg/runner:latest", &policy).err().map(|refusal| refusal.reason), expected);
    }
}
