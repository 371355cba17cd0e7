//! A database server for one case or test alone, made with the programs of the machine.
//!
//! PostgreSQL is in no registry of packages that this project builds from, so that it has to be there already;
//! [`programs`] tells whether it is.

mod error;

use std::ffi::OsString;
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

pub use self::error::DatabaseError;
use crate::cluster::process::{Output, Signal, Supervised, SupervisedCommand, Supervisor};
use crate::scratch::{self, Scratch};

/// Where Debian has the programs, in a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The server refuses to run as root, so that somebody without rights has to own it.
const NOBODY: u32 = 65534;
/// The owner of all databases.
const USER: &str = "postgres";
/// The longest start on a busy machine, its recovery after a kill included.
const STARTS: Duration = Duration::from_mins(1);
/// What is called of them; they lie in one folder, since versions do not mix.
const PROGRAMS: [&str; 8] =
    ["initdb", "postgres", "pg_isready", "psql", "createdb", "dropdb", "pg_dump", "pg_restore"];
/// The longest orderly end on a busy machine.
const ENDS: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Characters of a log that an error shows.
const LOG_END: usize = 2_000;

/// The folder with the programs of a server, the newest one if there are several versions; `None` if the machine
/// has none.
pub fn programs() -> Option<PathBuf> {
    let is_whole = |folder: &PathBuf| PROGRAMS.iter().all(|program| folder.join(program).is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(is_whole).or_else(|| {
        let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten();
        let found = versions.filter_map(|version| {
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        });
        found.filter(|(_, folder)| is_whole(folder)).max().map(|(_, folder)| folder)
    })
}

/// A server that answers on a socket in a folder of its own. It ends with this value, and with this process.
#[derive(Debug)]
pub struct Server {
    programs: PathBuf,
    supervisor: Supervisor,
    /// Part of the socket's name, and the port where it listens on one.
    port: u16,
    /// Settings beside those that every server has.
    settings: Vec<String>,
    // Before the folder, so that nobody writes into it when it is removed.
    process: Option<Supervised>,
    folder: TempDir,
}

impl Server {
    /// Makes a server without databases and starts it.
    pub async fn start(supervisor: &Supervisor) -> Result<Self, DatabaseError> {
        let programs = programs().ok_or(DatabaseError::NoPrograms)?;
        let failed = |action, path: &Path| {
            let path = path.to_owned();
            move |source| DatabaseError::Folder { action, path, source }
        };
        let folder = scratch::folder(Scratch::Postgres)
            .map_err(failed("make a folder in", Path::new(scratch::SHORT)))?;
        let path = folder.path();
        std::fs::set_permissions(path, Permissions::from_mode(0o755))
            .and_then(|()| give_away(path))
            .map_err(failed("give away", path))?;
        let supervisor = supervisor.clone();
        let mut server =
            Self { programs, supervisor, port: 5432, settings: Vec::new(), process: None, folder };
        server.initialize().await?;
        server.resume().await?;
        Ok(server)
    }

    async fn initialize(&self) -> Result<(), DatabaseError> {
        let (program, mut arguments) = self.unprivileged("initdb");
        let options = ["--auth=trust", "--username", USER, "--encoding=UTF8", "--locale=C", "--no-sync"];
        arguments.extend([OsString::from("--pgdata"), self.data().into_os_string()]);
        arguments.extend(options.map(OsString::from));
        self.call("initdb", Command::new(program).args(arguments)).await
    }

    /// Starts it again after [`Self::kill`], with what it had stored.
    pub async fn resume(&mut self) -> Result<(), DatabaseError> {
        let (program, mut arguments) = self.unprivileged("postgres");
        arguments.extend([OsString::from("-D"), self.data().into_os_string()]);
        arguments.extend([OsString::from("-k"), self.folder.path().into()]);
        // Shared memory lies in the server's folder and goes with it, whoever kills it.
        let common = [
            "listen_addresses=",
            "fsync=off",
            "shared_buffers=16MB",
            "max_connections=40",
            "dynamic_shared_memory_type=mmap",
        ];
        for setting in common.into_iter().chain(self.settings.iter().map(String::as_str)) {
            arguments.extend([OsString::from("-c"), setting.into()]);
        }
        let process = SupervisedCommand::new(&self.supervisor, program)
            .args(arguments)
            .current_dir(self.folder.path())
            .output(Output::File(self.log()))
            .spawn()
            .await?;
        self.process = Some(process);
        let begin = Instant::now();
        loop {
            match self.run("pg_isready", &["--dbname", &self.url("postgres")]).await {
                Err(DatabaseError::Failed { .. }) if begin.elapsed() < STARTS && self.is_running() => {
                    sleep(LOOK_AGAIN).await;
                }
                Err(DatabaseError::Failed { .. }) => {
                    return Err(DatabaseError::NotReady { waited: begin.elapsed(), log: self.end_of_log() });
                }
                answer => return answer,
            }
        }
    }

    /// Starts it anew, with an encrypted port that shows this certificate (both PEM); returns the port.
    pub async fn listen(&mut self, certificate: &str, key: &str) -> Result<u16, DatabaseError> {
        let file = |name: &str, text: &str| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text)
                .and_then(|()| std::fs::set_permissions(&path, Permissions::from_mode(0o600)))
                .and_then(|()| give_away(&path))
                .map_err(|source| DatabaseError::Folder { action: "write", path: path.clone(), source })?;
            Ok::<_, DatabaseError>(path.display().to_string())
        };
        let (certificate, key) = (file("certificate.pem", certificate)?, file("key.pem", key)?);
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(DatabaseError::Port)?.port();
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

    fn is_running(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.exit().is_none())
    }

    /// Ends it in order: killed, it would leave a segment of shared memory on this machine, since nobody ever
    /// starts it again on its folder.
    pub async fn stop(mut self) {
        if let Some(process) = self.process.take() {
            // The signal of a fast shutdown, which waits for no client.
            process.signal(Signal::Interrupt);
            let _late = tokio::time::timeout(ENDS, process.ended()).await;
            process.stop_now().await;
        }
    }

    /// Kills it with SIGKILL.
    pub async fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop_now().await;
        }
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        let (port, folder) = (self.port, self.folder.path().display());
        format!("postgres://{USER}@localhost:{port}/{database}?host={folder}")
    }

    /// Makes an empty database, in place of one that may be there, whoever is connected to it.
    pub async fn create(&self, database: &str) -> Result<(), DatabaseError> {
        self.remove(database).await?;
        self.run("createdb", &["--maintenance-db", &self.url("postgres"), database]).await
    }

    async fn remove(&self, database: &str) -> Result<(), DatabaseError> {
        let by = ["--maintenance-db", &self.url("postgres"), database];
        self.run("dropdb", &[&["--if-exists", "--force"], by.as_slice()].concat()).await
    }

    /// Writes a database into a file.
    pub async fn dump(&self, database: &str, file: &Path) -> Result<(), DatabaseError> {
        let url = self.url(database);
        self.run("pg_dump", &["--format=custom", "--file", &file.to_string_lossy(), &url]).await
    }

    /// Puts what [`Self::dump`] has written in the place of a database.
    ///
    /// It is complete before anybody can connect to it under its name.
    pub async fn restore(&self, database: &str, file: &Path) -> Result<(), DatabaseError> {
        let next = format!("{database}_next");
        self.create(&next).await?;
        let (url, file) = (self.url(&next), file.to_string_lossy());
        self.run("pg_restore", &["--exit-on-error", "--no-owner", "--dbname", &url, &file]).await?;
        self.remove(database).await?;
        let rename = format!("ALTER DATABASE \"{next}\" RENAME TO \"{database}\"");
        self.run("psql", &["--quiet", "--no-psqlrc", "--command", &rename, &self.url("postgres")]).await
    }

    async fn run(&self, program: &'static str, arguments: &[&str]) -> Result<(), DatabaseError> {
        self.call(program, Command::new(self.programs.join(program)).args(arguments)).await
    }

    async fn call(&self, program: &'static str, command: &mut Command) -> Result<(), DatabaseError> {
        let done = command.current_dir(self.folder.path()).kill_on_drop(true).output().await;
        let done = done.map_err(|source| DatabaseError::Run { program, source })?;
        if done.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        Err(DatabaseError::Failed { program, message })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn end_of_log(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let begin = log.char_indices().rev().nth(LOG_END).map_or(0, |(begin, _)| begin);
        log.get(begin..).unwrap_or_default().to_owned()
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
        (PathBuf::from("setpriv"), arguments)
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes the server the owner of a file, if that is somebody else.
fn give_away(path: &Path) -> std::io::Result<()> {
    if is_root() { chown(path, Some(NOBODY), Some(NOBODY)) } else { Ok(()) }
}
