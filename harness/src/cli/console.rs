//! Output of commands that have no reporter, and of errors.

use std::error::Error;
use std::io::{self, Write as _};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};

use crate::count::count;
use crate::diagnostic::Diagnostic;
use crate::report::{ColorChoice, ReportError};
use crate::scenario::suite::LoadError;

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// The two standard streams: data and people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Console {
    color: ColorChoice,
}

impl Console {
    pub(super) fn new(color: ColorChoice) -> Self {
        Self { color }
    }

    /// Data, on stdout.
    pub(super) fn data(text: &str) {
        let mut out = io::stdout().lock();
        // The reader may close the pipe when it has seen enough.
        let _reader_gone = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
    }

    /// A line for people, on stderr.
    pub(super) fn say(self, line: &str) {
        let mut out = AutoStream::new(io::stderr(), self.color);
        let _reader_gone = writeln!(out, "{line}");
    }

    /// An error with its causes, on stderr; if one of them knows a place in a file, that place instead.
    pub(super) fn error(self, error: &(dyn Error + 'static)) {
        match place(error) {
            Some(diagnostic) => self.say(&diagnostic.render(true)),
            None => self.say(&format!("{ERROR}error{ERROR:#}: {}", causes(error))),
        }
    }

    /// What a reporter came to; that it could not report is told.
    pub(super) fn reported<T>(
        self,
        outcome: Result<Result<T, ReportError>, tokio::task::JoinError>,
    ) -> Option<T> {
        match outcome {
            Ok(Ok(told)) => return Some(told),
            Ok(Err(error)) => self.error(&error),
            Err(error) => self.error(&error),
        }
        None
    }

    /// The problems of a suite and their number, on stderr.
    pub(super) fn problems(self, error: &LoadError) {
        for diagnostic in &error.diagnostics {
            self.say(&format!("{}\n", diagnostic.render(true)));
        }
        let number = error.diagnostics.len();
        self.say(&format!("{ERROR}{}{ERROR:#} in {}", count(number, "problem"), error.path.display()));
    }
}

fn place<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Diagnostic> {
    let mut next = Some(error);
    while let Some(error) = next {
        let boxed = error.downcast_ref::<Box<Diagnostic>>().map(AsRef::as_ref);
        if let Some(diagnostic) = error.downcast_ref::<Diagnostic>().or(boxed) {
            return Some(diagnostic);
        }
        next = error.source();
    }
    None
}

/// The error and what caused it, each once: some errors repeat their source in their own message.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let message = source.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{causes, place};
    use crate::diagnostic::Diagnostic;
    use crate::yaml::{Location, Source};

    #[derive(Debug, thiserror::Error)]
    #[error("start the API server")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn an_error_tells_its_causes() {
        let error = Outer(std::io::Error::other("no such file"));
        assert_eq!(causes(&error), "start the API server: no such file");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("read it")]
    struct Invalid(#[source] Box<Diagnostic>);

    #[test]
    fn a_place_in_a_file_is_found_below_other_errors() {
        let location = Location::start_of(&Source::new("a.yaml", "a: 1\n"));
        let error = Invalid(Box::new(Diagnostic::new(location, "unknown field")));
        assert_eq!(place(&error).expect("a place").message, "unknown field");
    }
}
