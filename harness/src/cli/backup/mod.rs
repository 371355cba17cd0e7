//! `hallmark backup`, `verify`, `inspect` and `restore`.

pub(super) mod args;
mod text;

use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use self::args::{BackupArgs, InspectArgs, RestoreArgs, TargetArgs, VerifyArgs};
use super::args::Output;
use super::console::Console;
use super::signal;
use crate::backup::{
    self, Address, BackupOptions, Checked, InspectError, Limits, Outcome, RestoreError, RestoreOptions,
    RestoreReport, VerifyError,
};
use crate::cluster::kubeconfig;
use crate::event::EventSink;
use crate::exit;
use crate::report;

pub(super) async fn backup(args: BackupArgs, output: &Output, console: Console) -> u8 {
    let options = args.options();
    let archive = args.archive.unwrap_or_else(|| {
        let name = default_name(&options);
        args.to.map_or_else(|| Address::File(name.clone().into()), |place| place.join(&name))
    });
    let client = match connect(&args.target, console).await {
        Ok(client) => client,
        Err(code) => return code,
    };
    let taken = with_progress(output, console, async |events| {
        Box::pin(backup::take(client, &options, archive, &events)).await
    });
    match taken.await {
        None => exit::INCONCLUSIVE,
        Some(Ok(report)) => {
            console.say(&text::backup(&report));
            if args.json {
                return print_json(&text::BackupSummary::of(&report), console);
            }
            Console::data(&report.archive.to_string());
            exit::CONFORMANT
        }
        Some(Err(error)) => {
            console.error(&error);
            if error.is_usage() { exit::USAGE } else { exit::INCONCLUSIVE }
        }
    }
}

/// A name that sorts by time.
fn default_name(options: &BackupOptions) -> String {
    let group = options.groups.first().map(String::as_str).unwrap_or_default();
    let what = group.split('.').next().filter(|label| !label.is_empty()).unwrap_or("backup");
    format!("{what}-{}.tar.zst", Timestamp::now().strftime("%Y%m%dT%H%M%SZ"))
}

pub(super) async fn verify(args: VerifyArgs, output: &Output, console: Console) -> u8 {
    let checked = match check(&args.archive, console).await {
        Ok(checked) => checked,
        Err(code) => return code,
    };
    console.say(&text::verified(&args.archive, &checked));
    if args.target.is_given() {
        let options = args.preflight.options(true);
        return into_target(&args.target, &checked, &options, args.json, output, console).await;
    }
    if args.json { print_json(&text::VerifySummary::of(&checked), console) } else { exit::CONFORMANT }
}

pub(super) async fn restore(args: RestoreArgs, output: &Output, console: Console) -> u8 {
    let checked = match check(&args.archive, console).await {
        Ok(checked) => checked,
        Err(code) => return code,
    };
    let options = args.preflight.options(args.dry_run);
    into_target(&args.target, &checked, &options, args.json, output, console).await
}

pub(super) async fn inspect(args: InspectArgs, console: Console) -> u8 {
    match backup::inspect(&args.archive, args.last()).await {
        Ok(found) if args.json => print_json(&found, console),
        Ok(found) => {
            Console::data(&text::inspection(&found));
            exit::CONFORMANT
        }
        Err(error) => {
            console.error(&error);
            if let InspectError::Unsound(error) = &error { exit_of_unsound(error) } else { exit::REFUSED }
        }
    }
}

async fn check(archive: &Address, console: Console) -> Result<Checked, u8> {
    backup::verify_at(archive, Limits::default()).await.map_err(|error| {
        console.error(&error);
        exit_of_unsound(&error)
    })
}

/// Trouble with a store says nothing about the archive in it.
fn exit_of_unsound(error: &VerifyError) -> u8 {
    match error {
        VerifyError::Store(error) if error.is_usage() => exit::USAGE,
        VerifyError::Store(_) => exit::INCONCLUSIVE,
        _ => exit::REFUSED,
    }
}

async fn into_target(
    target: &TargetArgs,
    checked: &Checked,
    options: &RestoreOptions,
    json: bool,
    output: &Output,
    console: Console,
) -> u8 {
    let client = match connect(target, console).await {
        Ok(client) => client,
        Err(code) => return code,
    };
    let restored = with_progress(output, console, async |events| {
        Box::pin(backup::restore(client, checked, options, &events)).await
    });
    match restored.await {
        None => exit::INCONCLUSIVE,
        Some(Ok(report)) => {
            console.say(&text::restored(&report));
            match (json, exit_of(&report)) {
                (true, code) => print_json(&report, console).max(code),
                (false, code) => code,
            }
        }
        Some(Err(error)) => {
            console.error(&error);
            match error {
                RestoreError::Refused(findings) => {
                    console.say(&text::findings(&findings));
                    if json {
                        print_json(
                            &text::Refusal { outcome: "FailedValidation", findings: &findings },
                            console,
                        );
                    }
                    exit::REFUSED
                }
                RestoreError::Locked { .. } => exit::LOCKED,
                _ => exit::INCONCLUSIVE,
            }
        }
    }
}

fn exit_of(report: &RestoreReport) -> u8 {
    match report.outcome {
        Outcome::Completed => exit::CONFORMANT,
        Outcome::CompletedWithSkips => exit::RESTORED_WITH_SKIPS,
        Outcome::PartiallyFailed => exit::PARTLY_RESTORED,
    }
}

async fn connect(target: &TargetArgs, console: Console) -> Result<kube::Client, u8> {
    let client = kubeconfig::client(target.kubeconfig.as_deref(), target.context.as_deref());
    client.await.map_err(|error| {
        console.error(&error);
        if error.is_usage() { exit::USAGE } else { exit::INCONCLUSIVE }
    })
}

/// Does something while its progress is shown; `None` if a signal ended it. Everything here may be cut off
/// at any point: what was begun is finished by doing it again.
async fn with_progress<T>(
    output: &Output,
    console: Console,
    work: impl AsyncFnOnce(EventSink) -> T,
) -> Option<T> {
    let (sink, receiver) = EventSink::channel();
    let progress = report::spawn_progress(receiver, output.settings());
    let cancel = CancellationToken::new();
    if let Err(error) = signal::cancel_on_signals(cancel.clone(), sink.clone()) {
        console.error(&error);
        return None;
    }
    let done = cancel.run_until_cancelled(work(sink)).await;
    signal::stop(&cancel);
    // Progress is for people only; the command ends as it would without.
    let _shown = progress.await;
    done
}

fn print_json(value: &impl Serialize, console: Console) -> u8 {
    match serde_json::to_string_pretty(value) {
        Ok(json) => {
            Console::data(&json);
            exit::CONFORMANT
        }
        Err(error) => {
            console.error(&error);
            exit::INCONCLUSIVE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::args::{Cli, Command};

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn a_backup_needs_no_name() {
        let Command::Backup(args) = parse("hallmark backup --context a").unwrap().command else { panic!() };
        let options = args.options();
        assert_eq!(options.groups, ["agents.proompteng.ai"]);
        assert_eq!(options.last, ["agentruns"]);
        let name = super::default_name(&options);
        assert!(name.starts_with("agents-2"), "{name:?}");
    }

    #[test]
    fn an_archive_has_the_extension_that_the_format_has() {
        assert!(parse("hallmark backup x.tar.zst --context a").is_ok());
        assert!(parse("hallmark backup x.tar.gz --context a").is_err());
        assert!(parse("hallmark backup .tar.zst --context a").is_err());
    }

    #[test]
    fn the_digest_of_the_idempotency_store_is_one() {
        let line = |digest: &str| format!("hallmark backup --context a --idempotency-store {digest}");
        let Command::Backup(args) = parse(&line(&"A1".repeat(32))).unwrap().command else { panic!() };
        assert_eq!(args.options().idempotency_store, Some("a1".repeat(32)));
        assert!(parse(&line("a1")).is_err());
        assert!(parse(&line(&"x1".repeat(32))).is_err());
    }

    #[test]
    fn a_restore_looks_for_a_controller_unless_told_otherwise() {
        let line = "hallmark restore x.tar.zst --kubeconfig k --existing skip --assume-no-controller";
        let Command::Restore(args) = parse(line).unwrap().command else { panic!() };
        assert!(args.preflight.options(false).guard.assume_none);
        let Command::Restore(args) = parse("hallmark restore x.tar.zst").unwrap().command else { panic!() };
        assert!(!args.preflight.options(false).guard.assume_none);
        assert!(!args.target.is_given());
    }
}
