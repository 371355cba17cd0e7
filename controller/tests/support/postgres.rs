//! A database server of a test's own, made with the programs of the machine.

use std::ffi::OsString;
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use hallmark::cluster::process::{Output, Supervised, SupervisedCommand, Supervisor};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::LOOK_AGAIN;

/// Where Debian has the programs, in a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The server refuses to run as root, so that somebody without rights has to own it.
const NOBODY: u32 = 65534;
/// The owner of all databases.
const USER: &str = "agents";
/// The longest start on a busy machine, its recovery after a kill included.
const STARTS: Duration = Duration::from_mins(1);
/// Why tests with a database cannot run, and what helps.
pub(crate) const MISSING: &str = "there are no programs of PostgreSQL here: apt-get install postgresql";

/// The folder with the programs of the newest version, if there is one.
pub(crate) fn programs() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|folder| folder.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}

/// A server that answers on a socket in a folder of its own. It ends with this process.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    supervisor: Supervisor,
    /// Part of the socket's name, and the port where it listens on one.
    port: u16,
    /// Settings beside those that every server has.
    settings: Vec<String>,
    process: Option<Supervised>,
}

impl Postgres {
    /// Makes an empty server and starts it.
    pub(crate) async fn start() -> Result<Self> {
        let programs = programs().context(MISSING)?;
        // The name of a socket may not be long, so the folder is not that of the build.
        let folder = tempfile::Builder::new().prefix("agents-postgres-").tempdir_in("/tmp")?;
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY))?;
        }
        let supervisor = Supervisor::current_exe().context("find the running program")?;
        let mut server =
            Self { programs, folder, supervisor, port: 5432, settings: Vec::new(), process: None };
        server.initialize().await?;
        server.resume().await?;
        Ok(server)
    }

    async fn initialize(&self) -> Result<()> {
        let (program, mut arguments) = self.unprivileged("initdb");
        let data = self.data().into_os_string();
        let options = ["--auth=trust", "--username", USER, "--encoding=UTF8", "--locale=C", "--no-sync"];
        arguments.extend([OsString::from("--pgdata"), data]);
        arguments.extend(options.map(OsString::from));
        let done = Command::new(program).args(arguments).current_dir(self.folder.path()).output().await;
        let done = done.context("run initdb")?;
        ensure!(done.status.success(), "initdb: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    /// Starts the server again, with what it had stored.
    pub(crate) async fn resume(&mut self) -> Result<()> {
        let (program, mut arguments) = self.unprivileged("postgres");
        arguments.extend([OsString::from("-D"), self.data().into_os_string()]);
        arguments.extend([OsString::from("-k"), self.folder.path().into()]);
        let common = ["listen_addresses=", "fsync=off", "shared_buffers=16MB", "max_connections=40"];
        for setting in common.into_iter().chain(self.settings.iter().map(String::as_str)) {
            arguments.extend([OsString::from("-c"), setting.into()]);
        }
        let process = SupervisedCommand::new(&self.supervisor, program)
            .args(arguments)
            .current_dir(self.folder.path())
            .output(Output::File(self.folder.path().join("log")))
            .spawn()
            .await?;
        self.process = Some(process);
        let begin = Instant::now();
        loop {
            match self.connect("postgres").await {
                Ok(_) => return Ok(()),
                Err(error) if begin.elapsed() > STARTS => return Err(error).context("start PostgreSQL"),
                Err(_) => sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// Starts the server anew, with an encrypted port that shows this certificate; returns the port.
    pub(crate) async fn listen(&mut self, certificate: &str, key: &str) -> Result<u16> {
        let file = |name: &str, text: &str| -> Result<String> {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text)?;
            std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
            if is_root() {
                chown(&path, Some(NOBODY), Some(NOBODY))?;
            }
            Ok(path.display().to_string())
        };
        let (certificate, key) = (file("certificate.pem", certificate)?, file("key.pem", key)?);
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        self.kill().await;
        self.settings = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            "ssl=on".to_owned(),
            format!("port={port}"),
            format!("ssl_cert_file={certificate}"),
            format!("ssl_key_file={key}"),
        ];
        self.port = port;
        self.resume().await?;
        Ok(port)
    }

    /// Kills the server.
    pub(crate) async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop_now().await;
        }
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        let (port, folder) = (self.port, self.folder.path().display());
        format!("postgres://{USER}@localhost:{port}/{database}?host={folder}")
    }

    /// Makes a database, in place of one that may be there.
    pub(crate) async fn create(&self, database: &str) -> Result<()> {
        let administrator = self.connect("postgres").await?;
        for statement in ["DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", "CREATE DATABASE \"{}\""] {
            let statement = statement.replace("{}", database);
            sqlx::query(AssertSqlSafe(statement)).execute(&administrator).await?;
        }
        Ok(())
    }

    /// Connects to a database.
    pub(crate) async fn connect(&self, database: &str) -> Result<PgPool> {
        let options = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5));
        Ok(options.connect(&self.url(database)).await?)
    }

    /// The number that a query of a database answers.
    pub(crate) async fn number(&self, database: &str, query: &'static str) -> Result<i64> {
        let connection = self.connect(database).await?;
        Ok(sqlx::query_scalar(query).fetch_one(&connection).await?)
    }

    /// Writes a database into a file.
    pub(crate) async fn dump(&self, database: &str, file: &Path) -> Result<()> {
        let url = self.url(database);
        self.run("pg_dump", &["--format=custom", "--file", &file.to_string_lossy(), &url]).await
    }

    /// Puts what [`Postgres::dump`] has written in the place of a database.
    pub(crate) async fn restore(&self, database: &str, file: &Path) -> Result<()> {
        self.create(database).await?;
        let (url, file) = (self.url(database), file.to_string_lossy());
        self.run("pg_restore", &["--exit-on-error", "--no-owner", "--dbname", &url, &file]).await
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let done = Command::new(self.programs.join(program)).args(arguments).output().await?;
        if !done.status.success() {
            bail!("{program}: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The program to call and its first arguments, for a process without the rights of root.
    fn unprivileged(&self, program: &str) -> (PathBuf, Vec<OsString>) {
        let program = self.programs.join(program);
        if !is_root() {
            return (program, Vec::new());
        }
        let identity =
            [format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"), "--clear-groups".to_owned()];
        let mut arguments: Vec<OsString> = identity.map(OsString::from).into();
        arguments.push(program.into_os_string());
        (PathBuf::from("/usr/bin/setpriv"), arguments)
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
