//! The arguments of the commands about archives, and their help.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{Args, ValueEnum};
use jiff::SignedDuration;

use crate::backup::{Address, BackupOptions, ConfigMaps, Existing, LeaderGuard, RestoreOptions};
use crate::exit;

// Paragraphs are single lines: clap wraps them to the terminal.

const BACKUP_HELP: &str = "\
No write request is sent. Archived are the definitions, the objects of all kinds of the group, the ConfigMaps \
that they refer to and the labels and annotations of their namespaces; of Secrets only names and keys are listed. \
The archive is complete when its .sha256 file is there. Its path is printed on stdout.

With s3://BUCKET/… it is an object of an S3-compatible store. AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and \
AWS_SECRET_ACCESS_KEY say which and who, as for other programs.

Examples:
  hallmark backup --context prod
  hallmark backup --to s3://backups/prod --context prod
  hallmark backup backups/before-upgrade.tar.zst --context prod --namespace team-a --namespace team-b

";

const VERIFY_HELP: &str = "\
Without a cluster: the digest of the file, its decompression to the end, the manifest, the set of entries, the \
digest of each, and what they say about each other. With --context or --kubeconfig also whether that cluster can \
take it, as `hallmark restore --dry-run` does.

";

const INSPECT_HELP: &str = "\
Reads archives of `hallmark backup`, which must verify, and tar.gz archives of Velero. Of those it says which \
runs a restore would execute again, because they have begun or ended and their status is not restored.

";

const RESTORE_HELP: &str = "\
The archive is verified first. Then everything is looked at before anything is written: kinds, namespaces, names \
that are taken, required Secrets, quotas, a running controller, and a dry run of every object. Definitions come \
first, then namespaces, ConfigMaps and config kinds, then the runs, each with its status at once. A controller \
must be held by its ConfigMap; if none runs, say --assume-no-controller. After an interruption run the same command again.

Examples:
  hallmark restore backups/nightly.tar.zst --context new --controller-namespace agents --dry-run
  hallmark restore backups/nightly.tar.zst --context new --controller-namespace agents

";

/// `hallmark backup`.
#[derive(Debug, Args)]
#[command(after_help = [BACKUP_HELP, exit::ARCHIVE_HELP].concat())]
pub(in crate::cli) struct BackupArgs {
    /// The archive to write, <NAME>.tar.zst or `s3://BUCKET/KEY`; without it one named after group and time in this folder
    #[arg(value_name = "ARCHIVE", value_parser = OsStringValueParser::new().try_map(new_archive))]
    pub(super) archive: Option<Address>,
    /// Folder or `s3://BUCKET/PREFIX` for an archive named after group and time
    #[arg(long, value_name = "PLACE", value_parser = OsStringValueParser::new().try_map(Address::parse))]
    #[arg(conflicts_with = "archive")]
    pub(super) to: Option<Address>,
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// API group whose kinds are archived; may be repeated
    #[arg(long = "group", value_name = "GROUP", default_value = "agents.proompteng.ai")]
    groups: Vec<String>,
    /// Only this namespace; may be repeated
    #[arg(short, long = "namespace", value_name = "NAME")]
    namespaces: Vec<String>,
    #[command(flatten)]
    last: LastArgs,
    /// Which `ConfigMap`s of the namespaces are archived
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    config_maps: Which,
    /// Leave out kubectl's annotation with the object as it was applied
    #[arg(long)]
    strip_last_applied: bool,
    /// SHA-256 of a dump of the idempotency store that was taken after this backup began, to be recorded
    #[arg(long, value_name = "DIGEST", value_parser = sha256)]
    idempotency_store: Option<String>,
    /// Print the manifest's summary as JSON on stdout instead of the path
    #[arg(long)]
    pub(super) json: bool,
}

impl BackupArgs {
    pub(super) fn options(&self) -> BackupOptions {
        BackupOptions {
            groups: self.groups.clone(),
            namespaces: self.namespaces.clone(),
            last: self.last.last.clone(),
            config_maps: self.config_maps.into(),
            strip_last_applied: self.strip_last_applied,
            idempotency_store: self.idempotency_store.clone(),
            ..BackupOptions::default()
        }
    }
}

fn sha256(text: &str) -> Result<String, String> {
    let digest = text.to_ascii_lowercase();
    if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(digest);
    }
    Err("expected a SHA-256 digest: 64 hexadecimal digits".to_owned())
}

fn new_archive(text: OsString) -> Result<Address, String> {
    let address = Address::parse(text).map_err(|error| error.to_string())?;
    let stem = address.name().strip_suffix(".tar.zst").map(str::len);
    match stem {
        Some(1..) => Ok(address),
        _ => Err("expected a name like <NAME>.tar.zst".to_owned()),
    }
}

fn archive(text: OsString) -> Result<Address, String> {
    let address = Address::parse(text).map_err(|error| error.to_string())?;
    if address.name().is_empty() { Err("expected an archive, not a folder".to_owned()) } else { Ok(address) }
}

/// Which kinds stand for work.
#[derive(Debug, Args)]
pub(super) struct LastArgs {
    /// Plural of a kind that stands for work: it is restored last; may be repeated
    #[arg(long = "last", value_name = "PLURAL", value_delimiter = ',', default_value = "agentruns")]
    pub(super) last: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Which {
    /// None
    None,
    /// Those that archived objects refer to
    #[default]
    Referenced,
    /// All that people made in namespaces with archived objects
    All,
}

impl From<Which> for ConfigMaps {
    fn from(which: Which) -> Self {
        match which {
            Which::None => Self::None,
            Which::Referenced => Self::Referenced,
            Which::All => Self::All,
        }
    }
}

/// Which cluster.
#[derive(Debug, Args)]
pub(super) struct TargetArgs {
    /// Context of the kubeconfig; needed unless --kubeconfig names a file, of which the current one is taken
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
    /// Kubeconfig file; without it `$KUBECONFIG`, else ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
}

impl TargetArgs {
    pub(super) fn is_given(&self) -> bool {
        self.context.is_some() || self.kubeconfig.is_some()
    }
}

/// `hallmark verify`.
#[derive(Debug, Args)]
#[command(after_help = [VERIFY_HELP, exit::ARCHIVE_HELP].concat())]
pub(in crate::cli) struct VerifyArgs {
    /// The archive, a file or `s3://BUCKET/KEY`; its .sha256 file stands beside it
    #[arg(value_parser = OsStringValueParser::new().try_map(archive))]
    pub(super) archive: Address,
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    pub(super) preflight: PreflightArgs,
    /// Print the outcome as JSON on stdout
    #[arg(long)]
    pub(super) json: bool,
}

/// `hallmark inspect`.
#[derive(Debug, Args)]
#[command(after_help = [INSPECT_HELP, exit::ARCHIVE_HELP].concat())]
pub(in crate::cli) struct InspectArgs {
    /// The archive, a file or `s3://BUCKET/KEY`
    #[arg(value_parser = OsStringValueParser::new().try_map(archive))]
    pub(super) archive: Address,
    #[command(flatten)]
    last: LastArgs,
    /// Print everything as JSON on stdout
    #[arg(long)]
    pub(super) json: bool,
}

impl InspectArgs {
    pub(super) fn last(&self) -> &[String] {
        &self.last.last
    }
}

/// What must be true of the target.
#[derive(Debug, Args)]
pub(super) struct PreflightArgs {
    /// What happens to archived objects whose names are taken by others
    #[arg(long, value_enum, default_value_t, value_name = "POLICY")]
    existing: OnExisting,
    /// Restore no definitions: the chart brought them, and those missing are an error
    #[arg(long)]
    no_definitions: bool,
    /// Go on although Secrets are missing that objects refer to
    #[arg(long)]
    allow_missing_secrets: bool,
    /// Namespace of the controller, where its leader's Lease and its hold are; without it only a Lease tells where
    #[arg(long, value_name = "NAME")]
    controller_namespace: Option<String>,
    /// Name of the Lease of the controller's leader
    #[arg(long, value_name = "NAME", default_value = "agents-controller-leader")]
    leader_lease: String,
    /// Name of the `ConfigMap` that holds the controller
    #[arg(long, value_name = "NAME", default_value = "agents-restore-hold")]
    hold: String,
    /// Do not look for a running controller: you know that none runs
    #[arg(long, conflicts_with = "controller_namespace")]
    assume_no_controller: bool,
    /// Namespace of the Lease that lets one restore run at a time
    #[arg(long, value_name = "NAME", default_value = "default")]
    lock_namespace: String,
    /// How many objects are tried and written at the same time
    #[arg(long, value_name = "N", default_value = "8")]
    workers: NonZeroUsize,
    /// How long the API server may take to serve a definition
    #[arg(long, value_name = "TIME", default_value = "1m")]
    established_within: SignedDuration,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum OnExisting {
    /// Nothing is restored at all
    #[default]
    Refuse,
    /// They are left out; the live objects stay
    Skip,
}

impl PreflightArgs {
    pub(super) fn options(&self, dry_run: bool) -> RestoreOptions {
        RestoreOptions {
            existing: match self.existing {
                OnExisting::Refuse => Existing::Refuse,
                OnExisting::Skip => Existing::Skip,
            },
            trials: self.workers,
            workers: self.workers,
            dry_run,
            definitions: !self.no_definitions,
            allow_missing_secrets: self.allow_missing_secrets,
            guard: LeaderGuard {
                lease: self.leader_lease.clone(),
                hold: self.hold.clone(),
                namespace: self.controller_namespace.clone(),
                assume_none: self.assume_no_controller,
                ..LeaderGuard::default()
            },
            lock_namespace: self.lock_namespace.clone(),
            established: Duration::try_from(self.established_within).unwrap_or_default(),
            ..RestoreOptions::default()
        }
    }
}

/// `hallmark restore`.
#[derive(Debug, Args)]
#[command(after_help = [RESTORE_HELP, exit::ARCHIVE_HELP].concat())]
pub(in crate::cli) struct RestoreArgs {
    /// The archive, a file or `s3://BUCKET/KEY`; its .sha256 file stands beside it
    #[arg(value_parser = OsStringValueParser::new().try_map(archive))]
    pub(super) archive: Address,
    #[command(flatten)]
    pub(super) target: TargetArgs,
    #[command(flatten)]
    pub(super) preflight: PreflightArgs,
    /// Look at everything, write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print the report as JSON on stdout
    #[arg(long)]
    pub(super) json: bool,
}
