//! `hallmark init`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::args::InitArgs;
use super::console::Console;
use crate::exit;
use crate::scenario::schema::{catalogue_schema, scenario_schema, suite_schema};
use crate::subject::implementation::json_schema;

/// The files of a first suite. It passes as it is: it claims something that Kubernetes itself does.
const SUITE: [(&str, &str); 4] = [
    ("suite.yaml", include_str!("init/suite.yaml")),
    ("requirements.yaml", include_str!("init/requirements.yaml")),
    ("fixtures/job.yaml", include_str!("init/job.yaml")),
    ("a-job-makes-a-pod.yaml", include_str!("init/scenario.yaml")),
];

/// An implementation file with every field, most of them commented out.
const IMPLEMENTATION: &str = include_str!("init/implementation.yaml");

pub(super) fn init(args: &InitArgs, console: Console) -> u8 {
    let files = args.implementation.as_deref().map_or_else(|| suite(&args.path), implementation);
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        console.say(&format!("`{}` is there already; nothing was written", path.display()));
        return exit::USAGE;
    }
    for (path, text) in &files {
        if let Err(error) = write(path, text) {
            console.say(&format!("write `{}`: {error}", path.display()));
            return exit::INCONCLUSIVE;
        }
    }
    let told = if let Some(file) = &args.implementation {
        let shown = file.display();
        format!(
            "wrote a template to `{shown}`; next:\n  hallmark lint path/to/suite --implementation {shown}"
        )
    } else {
        let shown = args.path.display();
        format!(
            "wrote a suite with one scenario to `{shown}`; next:\n  hallmark lint {shown}\n  hallmark run {shown} --cluster local"
        )
    };
    console.say(&told);
    exit::CONFORMANT
}

/// A suite, and the schemas by which editors know its files.
fn suite(folder: &Path) -> Vec<(PathBuf, String)> {
    let files = SUITE.iter().map(|(name, text)| (folder.join(name), (*text).to_owned()));
    let schemas =
        [("suite", suite_schema()), ("requirements", catalogue_schema()), ("scenario", scenario_schema())];
    files.chain(schemas.iter().map(|(name, schema)| described(folder, name, schema))).collect()
}

/// An implementation file, and the schema by which editors know it.
fn implementation(file: &Path) -> Vec<(PathBuf, String)> {
    let folder = file.parent().unwrap_or(Path::new(""));
    vec![(file.to_owned(), IMPLEMENTATION.to_owned()), described(folder, "implementation", &json_schema())]
}

/// The file with a schema, where the first line of the files that have it looks for it.
fn described(folder: &Path, name: &str, schema: &Value) -> (PathBuf, String) {
    (folder.join("schemas").join(name).with_extension("json"), format!("{schema:#}\n"))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::File::create_new(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::init;
    use crate::cli::args::InitArgs;
    use crate::cli::console::Console;
    use crate::exit;
    use crate::scenario::suite::Suite;
    use crate::subject::implementation::Implementation;

    fn run(path: &Path, implementation: Option<&Path>) -> u8 {
        let args = InitArgs { path: path.to_owned(), implementation: implementation.map(Path::to_owned) };
        init(&args, Console::new(anstream::ColorChoice::Never))
    }

    #[test]
    fn the_first_suite_has_no_problem_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine");
        assert_eq!(run(&path, None), exit::CONFORMANT);
        let suite = Suite::load(&path).unwrap_or_else(|error| panic!("{:#?}", error.diagnostics));
        assert_eq!(suite.cases().len(), 1);
        std::fs::write(path.join("suite.yaml"), "mine").unwrap();
        assert_eq!(run(&path, None), exit::USAGE);
        assert_eq!(std::fs::read_to_string(path.join("suite.yaml")).unwrap(), "mine");
    }

    #[test]
    fn the_template_of_an_implementation_is_one_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/mine.yaml");
        assert_eq!(run(folder.path(), Some(&file)), exit::CONFORMANT);
        assert_eq!(Implementation::load(&file).unwrap().identity.name, "my-controller");
        assert!(!folder.path().join("suite.yaml").exists());
        std::fs::write(&file, "mine").unwrap();
        assert_eq!(run(folder.path(), Some(&file)), exit::USAGE);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    }
}
