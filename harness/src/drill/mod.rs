//! Recovery drills: a cluster is filled, backed up, destroyed, rebuilt and restored, and all of it is
//! measured.
//!
//! ```text
//! plan ──▶ fill ──▶ backup ──▶ late writes ──▶ destroy ──▶ new cluster ──▶ restore ──▶ release ──▶ settle
//!            │                                   t0            t1 … t3      t4, t5        t6, t7     t8
//!            └────────── witness (watches) ──▶ ledger ──▶ claims ──▶ report ─────────────────┘
//! ```
//!
//! Nothing is believed that the engine or the controller says of itself: one ledger holds what the watches of
//! the first cluster delivered, another one that of the second, and the [claims](Claim) compare the two.
//!
//! Pure are the plan, the ledger, the timeline, the objectives and the claims; the phases do the rest. The
//! cluster is always one of local processes, because it is destroyed.

mod claims;
mod error;
mod fill;
mod ledger;
mod machine;
mod memory;
mod mutant;
mod objectives;
mod outcome;
mod phases;
mod plan;
mod recover;
mod requests;
mod timeline;
mod witness;

pub use claims::{Claim, Verdict};
pub use error::DrillError;
pub use machine::Machine;
pub use memory::Memory;
pub use mutant::EngineMutant;
pub use objectives::promised;
pub use outcome::{Drill, Lost, Restored, States};
pub use phases::{DrillRequest, drill};
pub use plan::MINIMUM;
pub use timeline::{Mark, Moment};
