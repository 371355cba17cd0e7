//! Settings of the checks that look at a backup system.

use super::env::EnvReader;
use crate::decide::heartbeat::Objectives;

/// One day.
const RECOVERY_POINT: i64 = 86_400;
/// Ninety days.
const DRILL: i64 = 7_776_000;

/// Reads the `JANGAR_AGENTS_CONTROLLER_BACKUP_*` variables. Without a Lease nothing is expected.
pub(super) fn read(env: &mut EnvReader) -> Option<Objectives> {
    let lease = env.text("JANGAR_AGENTS_CONTROLLER_BACKUP_HEARTBEAT_LEASE")?;
    Some(Objectives {
        lease,
        recovery_point: env.seconds("JANGAR_AGENTS_CONTROLLER_BACKUP_RPO_SECONDS", RECOVERY_POINT, 1),
        drill: env.seconds("JANGAR_AGENTS_CONTROLLER_BACKUP_DRILL_SECONDS", DRILL, 1),
    })
}
