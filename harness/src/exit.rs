//! What the exit code of the command says.
//!
//! A run's exit code tells whether anything failed. Whether the implementation is conformant is the verdict of
//! the report, which only the MUSTs of `core` decide: a failed SHOULD ends a conformant run with 1. A failed case
//! always wins: neither trouble of the cluster nor an interruption hides it.

/// No case failed, and of none is nothing known; also a command without verdict that did its work.
pub const CONFORMANT: u8 = 0;

/// At least one case failed, whatever it was to prove.
pub const NON_CONFORMANT: u8 = 1;

/// The command line, the suite or the implementation file is wrong; nothing was started.
pub const USAGE: u8 = 2;

/// No case failed, but the cluster or the harness was in trouble or somebody interrupted the run:
/// nothing is known about at least one case.
pub const INCONCLUSIVE: u8 = 3;

/// No case ran: the selection was empty or everything in it was skipped.
pub const NOTHING_RUN: u8 = 4;

/// A restore left out objects, because others have their names.
pub const RESTORED_WITH_SKIPS: u8 = 10;

/// A restore wrote something, but not everything is as it is in the archive.
pub const PARTLY_RESTORED: u8 = 11;

/// The archive is not sound, or the target cannot take it; nothing was written.
pub const REFUSED: u8 = 12;

/// Another restore runs.
pub const LOCKED: u8 = 13;

/// The table for `--help` of the commands about archives.
pub const ARCHIVE_HELP: &str = "\
Exit codes:
   0  done; restore: everything is as it is in the archive
   2  wrong usage: no such context, group, namespace or bucket, refused credentials, or the archive exists already
   3  trouble of the cluster, the store or this machine, or an interruption: run it again
  10  restored but for objects whose names are taken (--existing skip)
  11  partly restored: some objects are not as they are in the archive; run it again
  12  refused: the archive is not sound, or the target cannot take it; nothing was written
  13  another restore runs";

/// The table for `--help` of `verify-evidence`.
pub const EVIDENCE_HELP: &str = "\
Exit codes:
   0  whole, and the report says what its record says, also where that is a failure
   1  whole, but the record says something else than the report, or the suite is another
   2  wrong usage: no such file
   3  trouble of this machine
  12  damaged: an entry is not what was packed, or is missing";

/// The table for `--help`.
pub const HELP: &str = "\
Exit codes:
  0  no case failed
  1  a case failed, whatever it was to prove; the verdict says whether that decides about conformance
  2  wrong usage, or an invalid suite
  3  inconclusive, and no case failed: trouble of the cluster or the harness, or an interruption
  4  nothing run: no case selected, or all skipped";
