//! What the programs of the test images decide, apart from their reading and printing.
//!
//! It is for images that the conformance suite runs as workload. A real runner does the work of an
//! agent; this one only proves that its run reached it.

mod run;

pub use run::{Outcome, Run};
