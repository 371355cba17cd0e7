//! `hallmark prove`.

pub(super) mod args;

use tokio::sync::mpsc;

use self::args::ProveArgs;
use super::args::Output;
use super::console::Console;
use super::session::Session;
use super::{run, signal};
use crate::backup;
use crate::engine::{self, Culprit, ProveRequest};
use crate::exit;
use crate::report::{self, Proofs, proof};
use crate::subject::{Defect, defects};

pub(super) async fn prove(args: ProveArgs, output: &Output, console: Console) -> u8 {
    let (suite, implementation) = match run::load(&args.suite.path, args.implementation.as_deref(), console) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let Some(implementation) = implementation else {
        console.error(&engine::EngineError::NoImplementation);
        return exit::USAGE;
    };
    let Some(reporters) = console.reported(report::self_test().await) else { return exit::INCONCLUSIVE };
    let Session { supervisor, sink, reporter, cancel } = match Session::begin(output, console) {
        Ok(session) => session,
        Err(code) => return code,
    };
    let culprit = args.culprit();
    let (implementation, all, holes) = match culprit {
        Culprit::Engine => (implementation, of_engine(), Vec::new()),
        Culprit::Implementation => {
            let (Some(settings), Some(defective)) =
                (implementation.defects.clone(), implementation.defective())
            else {
                console.say("the implementation file has no `defects`, so there is nothing to be planted");
                return exit::USAGE;
            };
            let all = match defects::list(&implementation, &settings, &sink).await {
                Ok(all) => all,
                Err(error) => {
                    console.error(&error);
                    return exit::INCONCLUSIVE;
                }
            };
            let (families, except) = (&settings.families, &settings.except);
            let holes = proof::musts_without_defect(suite.requirements(), families, except, &all);
            (defective, all, holes)
        }
    };
    let order: Vec<String> = all.iter().map(|defect| defect.name.clone()).collect();
    if let Some(unknown) = args.defects.iter().find(|name| !order.contains(name)) {
        console.say(&format!("no defect `{unknown}`; known are: {}", order.join(", ")));
        return exit::USAGE;
    }
    let wanted = |name: &String| args.defects.is_empty() || args.defects.contains(name);
    let chosen: Vec<_> = all.into_iter().filter(|defect| wanted(&defect.name)).collect();
    let number = chosen.len();
    let request = ProveRequest {
        suite,
        implementation,
        culprit,
        defects: chosen,
        cluster: args.cluster.spec(supervisor),
        parallel: args.parallel.get(),
        jobs: args.jobs.get(),
    };
    let (sender, mut proofs) = mpsc::unbounded_channel();
    let (proved, mut done) = tokio::join!(engine::prove(request, sender, sink, cancel.clone()), async {
        let mut done = Vec::new();
        while let Some(next) = proofs.recv().await {
            console.say(&proof::lines(&next));
            done.push(next);
        }
        done
    });
    signal::stop(&cancel);
    let _panicked = reporter.await;
    if let Err(error) = proved {
        console.error(&error);
        return exit::INCONCLUSIVE;
    }
    done.sort_by_key(|proof| order.iter().position(|name| *name == proof.defect.name));
    let complete = done.len() == number;
    let proofs = Proofs { defects: done, reporters, musts_without_defect: holes, complete };
    console.say(&format!("\n{}", proofs.verdict()));
    let saved = proofs.page().and_then(|page| report::save(&args.report_dir, "prove", &proofs, &page));
    if let Err(error) = saved {
        console.error(&error);
        return exit::INCONCLUSIVE;
    }
    proofs.exit()
}

/// The defects that the backup engine can be given. That every requirement has one is proved by its own
/// tests.
fn of_engine() -> Vec<Defect> {
    let defect = |defect: &backup::defects::Defect| Defect {
        name: defect.name().to_owned(),
        requirements: defect.requirements().iter().map(|id| (*id).to_owned()).collect(),
        summary: defect.summary().trim().to_owned(),
    };
    backup::defects::Defect::ALL.iter().map(defect).collect()
}
