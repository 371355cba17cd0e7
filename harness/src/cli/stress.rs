//! `hallmark stress`.

pub(super) mod args;

use self::args::{Kind, StressArgs};
use super::args::Output;
use super::console::Console;
use super::run;
use crate::cluster::process::Supervisor;
use crate::engine::{self, LoadKind};
use crate::exit;
use crate::report::{self, Settings, Stress};

pub(super) async fn stress(args: StressArgs, output: &Output, console: Console) -> u8 {
    let (mut suite, implementation) =
        match run::load(&args.suite.path, args.implementation.as_deref(), console) {
            Ok(loaded) => loaded,
            Err(code) => return code,
        };
    let supervisor = match Supervisor::current_exe() {
        Ok(supervisor) => supervisor,
        Err(error) => {
            console.error(&error);
            return exit::INCONCLUSIVE;
        }
    };
    suite.repeat(args.times);
    let options = options(&args);
    let mut load: Vec<LoadKind> = args.load.into_iter().map(Kind::load).collect();
    load.sort_unstable();
    load.dedup();
    let settings = Settings { report_dir: Some(args.report_dir.clone()), ..output.settings() };
    let request = engine::Request {
        suite,
        filter: args.filter.filter(),
        implementation,
        cluster: args.cluster.spec(supervisor.clone()),
        jobs: args.jobs.get(),
        report_dir: Some(args.report_dir.clone()),
        deadline: None,
        fail_fast: false,
        bless: false,
        keep: false,
        settle: true,
        load: load.clone(),
        supervisor,
    };
    let performed = run::perform(request, settings, None, console).await;
    let Some(summary) = performed.summary else { return performed.exit };
    let stress = Stress::of(summary.repetitions, load, &options, performed.exit);
    if !stress.cases.is_empty() {
        console.say(&format!("\n{}\n{}", stress.text(), stress.verdict()));
    }
    if let Err(error) =
        stress.page().and_then(|page| report::save(&args.report_dir, "stress", &stress, &page))
    {
        console.error(&error);
        return exit::INCONCLUSIVE;
    }
    performed.exit
}

/// What a command needs to run a case as it was run here.
fn options(args: &StressArgs) -> String {
    const SUITE: &str = "scenarios";
    let mut words = Vec::new();
    if args.suite.path.as_os_str() != SUITE {
        words.push(args.suite.path.display().to_string());
    }
    if let Some(implementation) = &args.implementation {
        words.push(format!("--implementation {}", implementation.display()));
    }
    words.extend(args.cluster.words());
    words.push(format!("--jobs {}", args.jobs));
    // Each word begins with the blank that parts it from the one before.
    words.insert(0, String::new());
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Cli, Command};
    use crate::cluster::k3s;

    #[test]
    fn the_command_to_see_it_again_says_what_this_one_said() {
        // The image is named each time, because its default can come from the environment.
        let line = "hallmark stress mine --implementation x.yaml --cluster local --kubernetes 1.36 --k3s-image y:1 --name a --load cpu,disk,cpu";
        let Command::Stress(args) = Cli::try_parse_from(line.split(' ')).expect("parses").command else {
            panic!("not stress")
        };
        let expected =
            " mine --implementation x.yaml --cluster local --kubernetes v1.36.3 --k3s-image y:1 --jobs 16";
        assert_eq!(options(&args), expected);
        let line = ["hallmark", "stress", "--k3s-image", k3s::DEFAULT_IMAGE];
        let Command::Stress(args) = Cli::try_parse_from(line).expect("parses").command else {
            panic!("not stress")
        };
        assert_eq!(options(&args), " --jobs 16");
        assert_eq!((args.times.get(), args.load.len()), (20, 0));
    }
}
