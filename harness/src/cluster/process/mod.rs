//! Child processes that never outlive the harness.
//!
//! Every child runs under a small supervisor: our own binary's hidden subcommand `supervise`, in a
//! session of its own. The harness holds one end of a socket, the supervisor the other:
//!
//! ```text
//! harness ──signal numbers, end of file──▶ supervisor ──▶ child and its process group
//!         ◀──"started PID", "exited …"────
//! ```
//!
//! However the harness ends, also by `kill -9`, the kernel closes its end; the supervisor then kills the
//! child, its process group and every process that detached itself from that group. This is no process
//! pool and knows nothing of clusters or subjects.

mod command;
mod exit;
mod identity;
mod output;
mod supervise;
mod supervised;
mod supervisor;
mod tree;

pub use command::{SpawnError, SupervisedCommand};
pub use exit::Exit;
pub use identity::ProcessIdentity;
pub use output::{LineSink, Output, Stream};
pub use supervise::supervisor_main;
pub use supervised::{Signal, Supervised};
pub use supervisor::Supervisor;
