//! Exit codes of the program. They never change their meaning.

use crate::process::ProcessError;

/// It did what it was asked for; a controller was told to stop and has stopped in good order.
pub const DONE: u8 = 0;
/// It could not go on, for example because its port is taken or no cluster is configured.
pub const FAILED: u8 = 1;
/// The command line or the environment is wrong, and nothing was started.
pub const REFUSED: u8 = 2;

/// What the command line's help says about them.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done; the controller was told to stop and has stopped in good order
  1  it could not go on
  2  the command line or the environment is wrong; nothing was started";

/// The exit code for an error.
pub fn code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<ProcessError>() {
        Some(ProcessError::Settings(_)) => REFUSED,
        _ => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use crate::cli::Cli;
    use crate::config::{EnvReader, Settings};

    use super::*;

    #[test]
    fn a_refused_environment_has_a_code_of_its_own() {
        let broken = ("JANGAR_AGENTS_CONTROLLER_IMAGES_DENIED".to_owned(), "[".to_owned());
        let refused = Settings::read(EnvReader::new([broken])).unwrap_err();
        assert_eq!(code(&ProcessError::from(refused).into()), REFUSED);
        let signals = ProcessError::Signals(std::io::Error::other("none"));
        assert_eq!(code(&signals.into()), FAILED);
        assert_eq!(code(&anyhow::anyhow!("anything else")), FAILED);
    }

    #[test]
    fn the_help_explains_every_code() {
        let help = Cli::command().render_long_help().to_string();
        for code in [DONE, FAILED, REFUSED] {
            assert!(help.contains(&format!("\n  {code}  ")), "{help}");
        }
    }

    #[test]
    fn a_wrong_command_line_has_the_code_of_clap() {
        let error = Cli::command().try_get_matches_from(["agents-controller", "fly"]).unwrap_err();
        assert_eq!(error.exit_code(), i32::from(REFUSED));
    }
}
