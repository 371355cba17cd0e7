//! Backup and restore on a real API server: what an archive holds, what a restore gives back, and what
//! neither of them ever does. The ids are those of the recovery catalogue.
//!
//! One cluster serves all tests, one after the other, for definitions belong to a whole cluster. No
//! controller runs: what it does with restored runs is judged elsewhere.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests, too"
)]

mod archives;
mod bed;
mod commands;
mod damages;
mod disturb;
mod interruptions;
mod object_stores;
mod preflights;
mod round_trips;
mod store;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use self::bed::Bed;

/// The cluster is started by the first test that runs, so that listing starts nothing.
#[derive(Clone, Default)]
struct Shared {
    bed: Arc<OnceLock<(Runtime, Bed)>>,
}

impl Shared {
    fn trial<F>(&self, name: &str, body: F) -> Trial
    where
        F: AsyncFnOnce(&Bed) + Send + 'static,
    {
        let shared = self.clone();
        Trial::test(name, move || -> Result<(), Failed> {
            let (runtime, bed) = shared.bed.get_or_init(|| {
                let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
                let bed = runtime.block_on(Bed::start());
                (runtime, bed)
            });
            runtime.block_on(body(bed));
            Ok(())
        })
    }

    fn stop(self) {
        if let Some((runtime, bed)) = Arc::into_inner(self.bed).and_then(OnceLock::into_inner) {
            runtime.block_on(bed.stop());
        }
    }
}

macro_rules! trials {
    ($shared:expr, $($module:ident::$name:ident),* $(,)?) => {
        vec![$($shared.trial(concat!(stringify!($module), "::", stringify!($name)), $module::$name)),*]
    };
}

fn main() -> ExitCode {
    // An error means that a provider is installed already, which is as good.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let shared = Shared::default();
    let trials = trials![
        shared,
        archives::a_backup_writes_nothing_and_holds_every_object_but_no_secret_value,
        archives::only_the_named_namespaces_are_archived,
        archives::what_is_being_deleted_is_recorded_and_not_brought_back,
        archives::an_unchanged_cluster_gives_the_same_content_digest,
        archives::a_snapshot_shows_one_moment_while_others_write,
        archives::a_revision_that_is_gone_is_never_mixed_with_another,
        archives::a_killed_backup_leaves_nothing_that_verifies,
        round_trips::everything_deleted_comes_back_equal,
        round_trips::other_objects_of_the_same_names_are_not_touched,
        round_trips::owners_get_their_new_uids,
        damages::two_hundred_damaged_archives_change_nothing,
        commands::a_dry_run_looks_at_everything_and_writes_nothing,
        commands::what_a_dry_run_cannot_try_is_told,
        commands::every_end_of_a_restore_has_its_exit_code,
        commands::runs_that_velero_would_execute_again_are_listed,
        preflights::obstacles_are_named_before_anything_is_written,
        preflights::what_nobody_may_look_at_is_told,
        preflights::a_leader_without_hold_is_not_overtaken,
        preflights::a_hold_that_goes_while_runs_are_restored_stops_them,
        preflights::stricter_definitions_refuse_before_anything_is_written,
        preflights::two_restores_do_not_run_at_the_same_time,
        preflights::what_is_written_before_the_lock_is_taken_is_seen,
        preflights::a_lock_that_is_renewed_by_another_clock_is_not_taken,
        interruptions::a_restore_cut_off_after_any_write_is_finished_by_the_next,
        interruptions::a_killed_process_is_finished_by_the_next,
        interruptions::trouble_with_any_write_changes_nothing_in_the_end,
        interruptions::a_restart_of_the_api_server_is_waited_for,
        object_stores::an_archive_in_a_bucket_comes_back_equal,
        object_stores::a_damaged_object_changes_nothing,
        object_stores::an_upload_that_is_cut_off_is_no_archive,
        object_stores::of_two_backups_of_one_name_one_is_published,
        object_stores::trouble_with_a_store_names_what_to_look_at,
        interruptions::a_run_whose_status_is_refused_is_named_and_the_others_are_restored,
        interruptions::a_default_status_does_not_keep_a_restore_unfinished,
    ];
    let arguments = Arguments { test_threads: Some(1), ..Arguments::from_args() };
    let conclusion = libtest_mimic::run(&arguments, trials);
    shared.stop();
    conclusion.exit_code()
}
