//! Leader election: of several replicas only one reconciles and deletes.
//!
//! ```text
//!             Lease ◀── create, take, renew, release ── election ──▶ leadership ──▶ supervisor
//!   (coordination.k8s.io)   each for one version only                     │         works while leading
//!                                                                       gate
//!                                                             no write after the deadline
//! ```
//! The crate `kube-lease-manager` is not used: its standby compares wall clocks of two machines, takes over
//! by patches that do not depend on what was seen, and sleeps through a release.
//!
//! Three things keep two replicas from acting at once. Every change of the Lease is conditional on the
//! version that was seen, so that only one replica can win it. A standby counts by its own clock from the
//! last change it saw, so that clocks may differ. And the leader's client itself refuses writes once the
//! Lease was not renewed for the renew deadline, even if the process was stopped meanwhile and wakes up in
//! the middle of a pass; the rest of the Lease is left to requests that were already on their way.

mod election;
mod gate;
mod leadership;

pub use election::{Election, identity};
pub use gate::WriteGate;
pub use leadership::{Leadership, Term};
