//! `hallmark init`.

use std::io::Write as _;
use std::path::Path;

use super::console::Console;
use crate::exit;

/// The files of a first suite. It passes as it is: it claims something that Kubernetes itself does.
const FILES: [(&str, &str); 4] = [
    ("suite.yaml", include_str!("init/suite.yaml")),
    ("requirements.yaml", include_str!("init/requirements.yaml")),
    ("fixtures/job.yaml", include_str!("init/job.yaml")),
    ("a-job-makes-a-pod.yaml", include_str!("init/scenario.yaml")),
];

pub(super) fn init(folder: &Path, console: Console) -> u8 {
    if let Some((name, _)) = FILES.iter().find(|(name, _)| folder.join(name).exists()) {
        console.say(&format!("`{}` is there already; nothing was written", folder.join(name).display()));
        return exit::USAGE;
    }
    for (name, text) in FILES {
        let path = folder.join(name);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::File::create_new(&path))
            .and_then(|mut file| file.write_all(text.as_bytes()));
        if let Err(error) = written {
            console.say(&format!("write `{}`: {error}", path.display()));
            return exit::INCONCLUSIVE;
        }
    }
    let shown = folder.display();
    console.say(&format!(
        "wrote a suite with one scenario to `{shown}`; next:\n  hallmark lint {shown}\n  hallmark run {shown} --cluster local"
    ));
    exit::CONFORMANT
}

#[cfg(test)]
mod tests {
    use super::init;
    use crate::cli::console::Console;
    use crate::exit;
    use crate::scenario::suite::Suite;

    #[test]
    fn the_first_suite_has_no_problem_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine");
        let console = Console::new(anstream::ColorChoice::Never);
        assert_eq!(init(&path, console), exit::CONFORMANT);
        let suite = Suite::load(&path).unwrap_or_else(|error| panic!("{:#?}", error.diagnostics));
        assert_eq!(suite.cases().len(), 1);
        std::fs::write(path.join("suite.yaml"), "mine").unwrap();
        assert_eq!(init(&path, console), exit::USAGE);
        assert_eq!(std::fs::read_to_string(path.join("suite.yaml")).unwrap(), "mine");
    }
}
