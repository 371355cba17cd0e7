//! What is known about the state of the process.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::decide::heartbeat::Heartbeat;
use crate::decide::hold::Hold;
use crate::defects::Defect;
use crate::leader::Leadership;
use crate::store::StoreState;

/// Shared state, written by the controller and read by the server.
#[derive(Debug)]
pub struct Health {
    enabled: bool,
    leadership: Leadership,
    /// How old the last answer about the Lease may be.
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    started: bool,
    terminating: bool,
    /// `None` until discovery has worked once.
    missing_crds: Option<Vec<String>>,
    last_checked_at: Option<Timestamp>,
    last_contact: Option<Instant>,
    hold: Hold,
    heartbeat: Heartbeat,
    store: StoreState,
}

/// What this replica does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its controller is switched off.
    Off,
    /// It works.
    Leader,
    /// It is ready to take over.
    Standby,
    /// It does not lead, and cannot see whether anybody does.
    Lost,
}

impl Health {
    /// State of a process whose controller is switched on or off. While it does not lead, it must have
    /// heard of the Lease within `patience`.
    pub fn new(enabled: bool, leadership: Leadership, patience: Duration) -> Self {
        Self { enabled, leadership, patience, state: Mutex::default() }
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

    /// The API server said how the Lease stands.
    pub fn contact(&self) {
        self.change(|state| state.last_contact = Some(Instant::now()));
    }

    /// Whether a restore forbids all work.
    pub fn hold(&self, hold: Hold) {
        self.change(|state| state.hold = hold);
    }

    /// What is known of the backup system.
    pub fn heartbeat(&self, heartbeat: Heartbeat) {
        self.change(|state| state.heartbeat = heartbeat);
    }

    /// What was heard of the backup system last.
    pub fn last_heartbeat(&self) -> Heartbeat {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).heartbeat.clone()
    }

    /// How the database stands. It never makes the process unready: runs without a key do not need it.
    pub fn store(&self, store: StoreState) {
        self.change(|state| state.store = store);
    }

    /// How the database stood last.
    pub fn store_state(&self) -> StoreState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).store
    }

    /// Why nothing may be written, unless it may.
    pub fn held(&self) -> Option<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_held = self.enabled && state.hold.is_active();
        is_held.then(|| state.hold.description(Timestamp::now()))
    }

    /// What is no reason to call the process unready, and still has to be known.
    pub fn warnings(&self) -> Vec<String> {
        self.held().map(|held| format!("restore-hold: {held}, nothing is written")).into_iter().collect()
    }

    /// What this replica does.
    pub fn role(&self) -> Role {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.role_in(&state)
    }

    fn role_in(&self, state: &State) -> Role {
        if !self.enabled {
            Role::Off
        } else if self.leadership.leads() {
            Role::Leader
        } else if state.last_contact.is_some_and(|contact| contact.elapsed() <= self.patience) {
            Role::Standby
        } else {
            Role::Lost
        }
    }

    /// CRDs that are missing, or nothing while that is not known.
    pub fn missing_crds(&self) -> Option<Vec<String>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).missing_crds.clone()
    }

    /// Why the process is not ready; nothing when it is.
    pub fn obstacles(&self) -> Vec<String> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut obstacles = Vec::new();
        if state.terminating {
            obstacles.push("terminating".to_owned());
        }
        let role = self.role_in(&state);
        if role == Role::Off {
            return obstacles;
        }
        match &state.missing_crds {
            None => obstacles.push("the API server was not reached yet".to_owned()),
            Some(_) if Defect::ReadyWithoutCrds.is_planted() => {}
            Some(missing) => {
                obstacles.extend(missing.iter().map(|name| format!("CRD {name} is missing")));
            }
        }
        if state.hold == Hold::Unknown {
            obstacles.push("it is not known yet whether there is a restore hold".to_owned());
        }
        if state.hold.is_expired(Timestamp::now()) {
            obstacles.push("restore-hold-expired: the hold goes on until it is released".to_owned());
        }
        match role {
            Role::Leader if Defect::ReadyBeforeTheStart.is_planted() => {}
            // While work is forbidden nobody can have started, and that is how it should be.
            Role::Leader if !state.started && !state.hold.is_active() => {
                obstacles.push("the controller has not started".to_owned());
            }
            Role::Lost => {
                obstacles.push("the Lease of the leader election cannot be read".to_owned());
            }
            _ => {}
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
                "held": state.hold.is_active(),
            },
        })
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::decide::hold::Notice;

    use super::*;

    fn health(enabled: bool, leadership: Leadership) -> Health {
        let health = Health::new(enabled, leadership, Duration::from_mins(1));
        health.hold(Hold::Released);
        health
    }

    /// [HL-01] [HL-02]
    #[test]
    fn readiness_follows_crds_start_and_end() {
        let health = health(true, Leadership::sole());
        assert!(!health.obstacles().is_empty());
        health.crds(vec!["agentruns.x".to_owned()]);
        assert!(health.obstacles().contains(&"CRD agentruns.x is missing".to_owned()));
        health.crds(Vec::new());
        health.started();
        assert_eq!(health.obstacles(), Vec::<String>::new());
        health.stopped();
        assert_eq!(health.obstacles(), ["the controller has not started"]);
        health.started();
        health.terminating();
        assert_eq!(health.obstacles(), ["terminating"]);
    }

    #[test]
    fn a_process_without_controller_needs_no_crds() {
        assert_eq!(health(false, Leadership::sole()).obstacles(), Vec::<String>::new());
    }

    /// [HL-02] [LC-19]
    #[test]
    fn a_standby_is_ready_without_a_start_while_it_hears_of_the_lease() {
        let standby = health(true, Leadership::contested());
        standby.crds(Vec::new());
        assert_eq!(standby.obstacles(), ["the Lease of the leader election cannot be read"]);
        standby.contact();
        assert_eq!((standby.role(), standby.obstacles()), (Role::Standby, Vec::new()));
        let impatient = Health::new(true, Leadership::contested(), Duration::ZERO);
        impatient.hold(Hold::Released);
        impatient.contact();
        std::thread::yield_now();
        assert_eq!(impatient.role(), Role::Lost);
    }

    /// [DR-H03] A hold must not make an installation look failed that waits for its restore, unless
    /// nobody seems to end it.
    #[rstest]
    #[case::not_asked(Hold::Unknown, false, true)]
    #[case::unreadable(Hold::Unreadable, true, true)]
    #[case::switched(Hold::Switched, true, true)]
    #[case::announced(Hold::Announced(Notice::default()), true, true)]
    #[case::expired(Hold::Announced(Notice { expires: Some(Timestamp::MIN), ..Notice::default() }), false, true)]
    #[case::released(Hold::Released, false, false)]
    fn a_hold_is_a_warning_until_it_expires(#[case] hold: Hold, #[case] ready: bool, #[case] warned: bool) {
        let health = health(true, Leadership::sole());
        health.crds(Vec::new());
        health.hold(hold);
        assert_eq!(health.obstacles().is_empty(), ready, "{:?}", health.obstacles());
        assert_eq!(health.warnings().iter().any(|warning| warning.starts_with("restore-hold: ")), warned);
    }

    #[test]
    fn a_process_without_controller_holds_nothing() {
        let health = Health::new(false, Leadership::sole(), Duration::ZERO);
        assert_eq!((health.obstacles(), health.warnings()), (Vec::new(), Vec::new()));
    }
}
