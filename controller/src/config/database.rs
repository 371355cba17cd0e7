//! Where the optional database is.

use std::fmt;
use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tracing::subscriber::{NoSubscriber, with_default};

use super::env::{EnvReader, Problem};

const VARIABLE: &str = "DATABASE_URL";
/// The certificate authority of the database; the database library reads the same variable.
const AUTHORITY: &str = "PGSSLROOTCERT";

/// A database. It has a password, so that nothing of it is ever shown but host and name.
#[derive(Clone)]
pub struct Database {
    url: String,
    options: Box<PgConnectOptions>,
}

impl Database {
    /// The database of this URL. The error says what is wrong without repeating any of it.
    pub fn at(url: &str, with_authority: bool) -> Result<Self, String> {
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err("a URL that begins with postgres://".to_owned());
        }
        // The library logs parameters that it does not know with their values, which may be secret.
        let options = with_default(NoSubscriber::new(), || PgConnectOptions::from_str(url))
            .map_err(|error| format!("a URL of a PostgreSQL database ({})", reason(&error)))?;
        let mode = match options.get_ssl_mode() {
            // Whoever names an authority wants the server to be checked; `prefer` is the library's default
            // and checks nothing.
            PgSslMode::Allow | PgSslMode::Prefer if with_authority => PgSslMode::VerifyFull,
            // As libpq does.
            PgSslMode::Require if with_authority => PgSslMode::VerifyCa,
            given => given,
        };
        Ok(Self { url: url.to_owned(), options: Box::new(options.ssl_mode(mode)) })
    }

    /// How to connect.
    pub fn options(&self) -> PgConnectOptions {
        (*self.options).clone()
    }

    /// Reads the variables. A URL that cannot be used stops the start: without the database runs would be
    /// executed twice that ask not to be.
    pub(super) fn read(env: &mut EnvReader) -> Option<Self> {
        let url = env.text(VARIABLE)?;
        let with_authority = env.text(AUTHORITY).is_some();
        match Self::at(&url, with_authority) {
            Ok(database) => Some(database),
            Err(rule) => {
                env.fatal.push(Problem { variable: VARIABLE, value: "(not shown)".to_owned(), rule });
                None
            }
        }
    }
}

/// What the parser says. A message about the URL as a whole never quotes it.
fn reason(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Configuration(_) => "it has a part that cannot be read",
        _ => "it cannot be read",
    }
}

impl PartialEq for Database {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url && self.options.get_ssl_mode() as u8 == other.options.get_ssl_mode() as u8
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, name) = (self.options.get_host(), self.options.get_database());
        f.debug_struct("Database").field("host", &host).field("name", &name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(url: &str) -> (Option<Database>, Vec<Problem>) {
        let mut env = EnvReader::new([(VARIABLE.to_owned(), url.to_owned())]);
        (Database::read(&mut env), env.fatal)
    }

    #[rstest]
    #[case("", false, 0)]
    #[case(" ", false, 0)]
    #[case("postgres://agents:hidden@db.example/agents", true, 0)]
    #[case("postgresql://agents:hidden@db.example:5433/agents?sslmode=require", true, 0)]
    #[case("postgres:///agents?host=/run/postgresql&password=hidden", true, 0)]
    #[case("mysql://agents:hidden@db.example/agents", false, 1)]
    #[case("postgres://agents:hidden@db.example:port/agents", false, 1)]
    #[case("postgres://agents:hidden@db.example/agents?sslmode=hidden", false, 1)]
    #[case("host=db.example password=hidden", false, 1)]
    fn only_a_usable_url_lets_the_process_start_and_nothing_shows_its_password(
        #[case] url: &str,
        #[case] is_on: bool,
        #[case] fatal: usize,
    ) {
        let (database, problems) = read(url);
        assert_eq!((database.is_some(), problems.len()), (is_on, fatal));
        let told: String = problems.iter().map(ToString::to_string).collect();
        assert!(!format!("{database:?}{told}").contains("hidden"), "{database:?} {told}");
    }

    #[rstest]
    #[case("postgres://h/d", PgSslMode::VerifyFull)]
    #[case("postgres://h/d?sslmode=require", PgSslMode::VerifyCa)]
    #[case("postgres://h/d?sslmode=disable", PgSslMode::Disable)]
    fn a_named_authority_has_the_server_checked(#[case] url: &str, #[case] expected: PgSslMode) {
        let checked = Database::at(url, true).unwrap().options().get_ssl_mode();
        assert_eq!(format!("{checked:?}"), format!("{expected:?}"));
    }
}
