//! Parts of the system that can be switched on already and have no effect yet.

use super::env::EnvReader;

/// Switches, and what they will do.
const SWITCHES: [(&str, &str); 4] = [
    ("JANGAR_ORCHESTRATION_CONTROLLER_ENABLED", "the orchestration controller"),
    ("JANGAR_SUPPORTING_CONTROLLER_ENABLED", "the supporting controller"),
    (VCS_PROVIDERS, "version control providers"),
    ("JANGAR_GRPC_ENABLED", "gRPC"),
];
/// Texts, and what they will be used for.
const TEXTS: [(&str, &str); 2] =
    [("JANGAR_SCHEDULE_RUNNER_IMAGE", "schedules"), ("JANGAR_SCHEDULE_SERVICE_ACCOUNT", "schedules")];

/// The switch of version control providers, whose CRD is required while they are on.
pub(super) const VCS_PROVIDERS: &str = "JANGAR_AGENTS_CONTROLLER_VCS_PROVIDERS_ENABLED";

/// Something that is switched on and has no effect yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// The variable that switches it on. Its value is not kept, since it may be a secret.
    pub variable: &'static str,
    /// What it will be.
    pub part: &'static str,
}

impl Later {
    /// Everything that is switched on and has no effect yet.
    pub(super) fn read(env: &mut EnvReader) -> Vec<Self> {
        let switched: Vec<_> =
            SWITCHES.into_iter().filter(|(variable, _)| env.switch(variable, false)).collect();
        let given = TEXTS.into_iter().filter(|(variable, _)| env.text(variable).is_some());
        switched.into_iter().chain(given).map(|(variable, part)| Self { variable, part }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_switched_on_too_early_is_named_without_its_value() {
        let variables = [
            ("JANGAR_GRPC_ENABLED", "true"),
            ("JANGAR_SUPPORTING_CONTROLLER_ENABLED", "0"),
            ("JANGAR_SCHEDULE_SERVICE_ACCOUNT", "secret"),
            ("JANGAR_SCHEDULE_RUNNER_IMAGE", " "),
        ];
        let mut env = EnvReader::new(variables.map(|(k, v)| (k.to_owned(), v.to_owned())));
        let later = Later::read(&mut env);
        let named: Vec<_> = later.iter().map(|later| later.variable).collect();
        assert_eq!(named, ["JANGAR_GRPC_ENABLED", "JANGAR_SCHEDULE_SERVICE_ACCOUNT"]);
        assert!(!format!("{later:?}").contains("secret"));
    }
}
