//! What is known about the state of the process.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

/// Shared state, written by the controller and read by the server.
#[derive(Debug)]
pub struct Health {
    enabled: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    terminating: bool,
    /// `None` until discovery has worked once.
    missing_crds: Option<Vec<String>>,
    last_checked_at: Option<Timestamp>,
}

impl Health {
    /// State of a process whose controller is switched on or off.
    pub fn new(enabled: bool) -> Self {
        Self { enabled, state: Mutex::default() }
    }

    /// The controller works and its caches are filled.
    pub fn started(&self) {
        self.change(|state| state.started = true);
    }

    /// The controller does not work (any more).
    pub fn stopped(&self) {
        self.change(|state| state.started = false);
    }

    /// The process is about to end.
    pub fn terminating(&self) {
        self.change(|state| state.terminating = true);
    }

    /// Discovery found these CRDs missing.
    pub fn crds(&self, missing: Vec<String>) {
        self.change(|state| {
            state.missing_crds = Some(missing);
            state.last_checked_at = Some(Timestamp::now());
        });
    }

    /// Why the process is not ready; nothing when it is.
    pub fn obstacles(&self) -> Vec<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut obstacles = Vec::new();
        if state.terminating {
            obstacles.push("terminating".to_owned());
        }
        if self.enabled {
            match &state.missing_crds {
                None => obstacles.push("the API server was not reached yet".to_owned()),
                Some(missing) => {
                    obstacles.extend(missing.iter().map(|name| format!("CRD {name} is missing")));
                }
            }
            if !state.started {
                obstacles.push("the controller has not started".to_owned());
            }
        }
        obstacles
    }

    /// The state as JSON for people and monitors.
    pub fn report(&self) -> Value {
        let status = if self.obstacles().is_empty() { "ok" } else { "degraded" };
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        json!({
            "status": status,
            "service": "agents",
            "agentsController": {
                "enabled": self.enabled,
                "started": state.started,
                "crdsReady": state.missing_crds.as_ref().is_some_and(Vec::is_empty),
                "missingCrds": state.missing_crds.as_deref().unwrap_or_default(),
                "lastCheckedAt": state.last_checked_at,
            },
        })
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [HL-01] [HL-02]
    #[test]
    fn readiness_follows_crds_start_and_end() {
        let health = Health::new(true);
        assert!(!health.obstacles().is_empty());
        health.crds(vec!["agentruns.x".to_owned()]);
        assert!(health.obstacles().contains(&"CRD agentruns.x is missing".to_owned()));
        health.crds(Vec::new());
        health.started();
        assert_eq!(health.obstacles(), Vec::<String>::new());
        health.terminating();
        assert_eq!(health.obstacles(), ["terminating"]);
    }

    #[test]
    fn a_process_without_controller_needs_no_crds() {
        assert_eq!(Health::new(false).obstacles(), Vec::<String>::new());
    }
}
