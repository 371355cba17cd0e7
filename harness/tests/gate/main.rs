//! The gate against prepared versions of a packed chart.
//!
//! `bumps.yaml` lists them; each is the packed chart with a few edits, and needs no cluster, only helm. What an
//! upgrade does to runs is in `upgrade.rs`, on a cluster.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests are tests, too"
)]

mod bumps;
mod upgrade;

use hallmark::cluster::provision;
use hallmark::event::EventSink;
use hallmark::exit;
use hallmark::gate::judgement::{Evidence, Judgement};
use hallmark::gate::render::Renderer;
use hallmark::gate::source::Opened;
use hallmark::gate::{Depth, compare};

use self::bumps::{Bump, Bumps};

async fn judge(bump: &Bump, renderer: &Renderer) -> Told {
    let old = bumps::packed().await;
    let folder = tempfile::tempdir().expect("a folder");
    let new = bump.apply(old.folder(), folder.path()).await;
    let findings = compare(&old, &new, renderer, Depth::Files).await.expect("compares");
    let evidence = Evidence { findings, ..Evidence::default() };
    let judgement = Judgement::new((&old.label, &old.chart), (&new.label, &new.chart), evidence);
    let places = judgement.findings.iter().map(|finding| place(&finding.place, [&old, &new])).collect();
    Told { judgement, places }
}

/// A judgement, and where its findings are.
struct Told {
    judgement: Judgement,
    places: Vec<String>,
}

/// A place without what differs from test to test: of a line what stands there in place of its number.
fn place(place: &str, charts: [&Opened; 2]) -> String {
    let line = |chart: &Opened| {
        let (file, line) = place.strip_prefix(&format!("{}/", chart.label))?.rsplit_once(':')?;
        let text = std::fs::read_to_string(chart.folder().join(file)).ok()?;
        let line = text.lines().nth(line.parse::<usize>().ok()?.checked_sub(1)?)?;
        Some(format!("{file}: {}", line.trim()))
    };
    charts.into_iter().find_map(line).unwrap_or_else(|| place.to_owned())
}

/// What is wrong with the judgement of each of them.
async fn wrong(bumps: &[Bump], code: u8) -> Vec<String> {
    let (events, _receiver) = EventSink::channel();
    let helm = provision::helm(&events).await.expect("helm");
    let renderer = Renderer::new(&helm).expect("a renderer");
    let mut wrong = Vec::new();
    for bump in bumps {
        let Told { judgement, places } = judge(bump, &renderer).await;
        let told: Vec<_> = judgement.findings.iter().map(|finding| finding.id).zip(&places).collect();
        let missing: Vec<_> =
            bump.findings.iter().filter(|(id, place)| !told.contains(&(id.as_str(), *place))).collect();
        if judgement.exit() != code || !missing.is_empty() {
            let text = judgement.render(hallmark::report::gate::Form::Text).expect("renders");
            let exit = judgement.exit();
            wrong.push(format!("{}: exit {exit}, not told {missing:?} but {told:?}\n{text}", bump.name));
        }
    }
    wrong
}

#[tokio::test]
async fn harmless_versions_are_accepted_with_the_right_findings() {
    let bumps = Bumps::read().accepted;
    assert!(bumps.len() >= 10);
    let wrong = wrong(&bumps, exit::CONFORMANT).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn harmful_versions_are_refused_with_the_right_findings() {
    let bumps = Bumps::read().refused;
    assert!(bumps.len() >= 10);
    let wrong = wrong(&bumps, exit::NON_CONFORMANT).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
