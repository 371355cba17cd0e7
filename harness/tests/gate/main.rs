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
mod jobs;
mod upgrade;
mod usage;

use hallmark::cluster::provision;
use hallmark::event::EventSink;
use hallmark::exit;
use hallmark::gate::judgement::{Evidence, Judgement};
use hallmark::gate::render::Renderer;
use hallmark::gate::source::Opened;
use hallmark::gate::{Depth, compare};

use self::bumps::{Bump, Bumps};

async fn judge(bump: &Bump, renderer: &Renderer, depth: Depth) -> Told {
    let old = bumps::packed().await;
    let folder = tempfile::tempdir().expect("a folder");
    let new = bump.apply(old.folder(), folder.path()).await;
    let findings = compare(&old, &new, renderer, depth).await.expect("compares");
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

async fn renderer() -> Renderer {
    let (events, _receiver) = EventSink::channel();
    let helm = provision::helm(&events).await.expect("helm");
    Renderer::new(&helm).expect("a renderer")
}

/// What is wrong with the judgement of each of them.
async fn wrong(bumps: &[Bump], code: u8) -> Vec<String> {
    let renderer = renderer().await;
    let mut wrong = Vec::new();
    for bump in bumps {
        let Told { judgement, places } = judge(bump, &renderer, Depth::Files).await;
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

#[tokio::test]
async fn what_shows_only_at_an_edge_or_with_a_values_file_is_found_with_these_values() {
    let renderer = renderer().await;
    for bump in Bumps::read().hidden {
        let Told { judgement, places } = judge(&bump, &renderer, Depth::Edges).await;
        assert_eq!(judgement.exit(), exit::NON_CONFORMANT, "{}", bump.name);
        for (id, place) in &bump.findings {
            let mut told = judgement.findings.iter().zip(&places);
            let found = told.find(|(finding, at)| finding.id == id && *at == place);
            let values = found.map(|(finding, _)| finding.values.clone());
            assert_eq!(values, Some(bump.only_with.iter().cloned().collect()), "{}", bump.name);
        }
    }
}
