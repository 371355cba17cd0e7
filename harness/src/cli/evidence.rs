//! `hallmark evidence` and `hallmark verify-evidence`.

pub(super) mod args;

use std::fmt::Write as _;
use std::path::Path;

use self::args::{EvidenceArgs, VerifyEvidenceArgs};
use super::console::Console;
use super::run;
use crate::archive::is_published;
use crate::count::{agree, count};
use crate::evidence::{self, Bundle, EvidenceError, Judged};
use crate::exit;

pub(super) fn evidence(args: &EvidenceArgs, console: Console) -> u8 {
    let (suite, implementation) = match run::load(&args.suite, args.implementation.as_deref(), console) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let made = evidence::pack(&suite, implementation.as_ref(), &args.report_dir)
        .and_then(|bytes| evidence::publish(&bytes, &args.output));
    match made {
        Ok(sha256) => {
            console.say(&format!("sha256 {sha256}; check it with `hallmark verify-evidence`"));
            Console::data(&args.output.display().to_string());
            exit::CONFORMANT
        }
        Err(error) => {
            console.error(&error);
            match error {
                // What stands in the report folder is not what a run leaves there.
                EvidenceError::Record(_) | EvidenceError::Report(_) => exit::USAGE,
                error if error.is_usage() => exit::USAGE,
                _ => exit::INCONCLUSIVE,
            }
        }
    }
}

pub(super) fn verify_evidence(args: &VerifyEvidenceArgs, console: Console) -> u8 {
    let opinion = evidence::open(&args.file).map_err(EvidenceError::from).and_then(|bundle| {
        let judged = evidence::judge(&bundle)?;
        Ok((bundle, judged))
    });
    let (bundle, judged) = match opinion {
        Ok(opinion) => opinion,
        Err(error) => return refused(&error, console),
    };
    console.say(&about(&args.file, &bundle, &judged));
    for disagreement in &judged.disagreements {
        console.say(&format!("DIFFERENT  {disagreement}"));
    }
    if judged.disagreements.is_empty() {
        console.say(&format!("the report says what the record says: {}", judged.statement.result));
        exit::CONFORMANT
    } else {
        console.say(&format!("{} of report and record", count(judged.disagreements.len(), "disagreement")));
        exit::NON_CONFORMANT
    }
}

fn refused(error: &EvidenceError, console: Console) -> u8 {
    match error {
        // Its places in files tell more than the number of problems.
        EvidenceError::Suite(problems) => console.problems(problems),
        error => console.error(error),
    }
    match error {
        EvidenceError::LayOut(_) => exit::INCONCLUSIVE,
        error if error.is_usage() => exit::USAGE,
        _ => exit::REFUSED,
    }
}

/// What was looked at, and how much of it.
fn about(file: &Path, bundle: &Bundle, judged: &Judged) -> String {
    let manifest = &bundle.manifest;
    let (implementation, run) = (&manifest.implementation, &manifest.run);
    let mut text = format!(
        "{}: {} {}, every digest is right\n{} {} by suite {} on Kubernetes {} ({})\n{} judged again",
        file.display(),
        manifest.entries.len(),
        agree(&manifest.entries.len(), "entry", "entries"),
        implementation.name,
        implementation.version,
        manifest.suite.name,
        run.kubernetes,
        run.distribution,
        count(judged.cases, "case"),
    );
    if judged.skipped > 0 {
        let _infallible = write!(
            text,
            ", {} {} believed",
            judged.skipped,
            agree(&judged.skipped, "skipped one", "skipped ones")
        );
    }
    let (then, now) = (&manifest.engine.version, env!("CARGO_PKG_VERSION"));
    if then != now {
        let _infallible =
            write!(text, "\npacked by hallmark {then}, judged by {now}, which may have other rules");
    }
    if !is_published(file) {
        text.push_str("\nno digest file beside it: only the digests inside were checked");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::tests::{Ran, forged_bytes};
    use crate::report::ColorChoice;

    #[test]
    fn exit_codes_tell_a_sound_bundle_another_verdict_wrong_usage_and_damage_apart() {
        let folder = tempfile::tempdir().unwrap();
        let code = |name: &str, bytes: Option<Vec<u8>>| {
            let file = folder.path().join(name);
            if let Some(bytes) = bytes {
                std::fs::write(&file, bytes).unwrap();
            }
            verify_evidence(&VerifyEvidenceArgs { file }, Console::new(ColorChoice::Never))
        };
        let sound = Ran::new().pack().unwrap();
        let green = |report: &str| report.replace("verdict: failed", "verdict: passed");
        let forged = forged_bytes(&sound, "run/report.yaml", green);
        let no_suite = forged_bytes(&sound, "suite/suite/suite.yaml", |_| "nonsense: true".to_owned());
        let cut = sound[..sound.len() / 2].to_vec();
        assert_eq!(code("sound", Some(sound)), exit::CONFORMANT, "although a case of the run failed");
        assert_eq!(code("forged", Some(forged)), exit::NON_CONFORMANT);
        assert_eq!(code("missing", None), exit::USAGE);
        assert_eq!(code("cut", Some(cut)), exit::REFUSED);
        assert_eq!(code("no-suite", Some(no_suite)), exit::REFUSED);
    }
}
