//! An example as a picture: one time axis, a lane for each object, a box for each of its versions.
//!
//! A box is filled where the version satisfies the claim, the shaded span is what is judged, and the judgement
//! stands at the end. The colours are those of the reader, light or dark.

use std::fmt::Write as _;

use serde_json::Value;

use super::Example;
use crate::check::temporal::ClaimJudge;
use crate::record::{Change, Entry, ObjectVersion, Observation};
use crate::scenario::assertion::{Claim, Operator};

const LEFT: usize = 90;
const SLOT: usize = 108;
const LANE: usize = 40;
const TOP: usize = 34;
const VERDICT: usize = 130;

const STYLE: &str = "text{font:13px ui-sans-serif,system-ui,sans-serif;fill:#1f2328}\
.dim{fill:#59636e}.axis{stroke:#59636e;fill:none}.span{fill:#0969da;opacity:.1}\
.box{fill:#fff;stroke:#59636e}.yes{fill:#b6e3ff;stroke:#0969da}.holds{fill:#1a7f37;font-weight:600}\
.violated,.impossible,.not{fill:#cf222e;font-weight:600}.inconclusive{fill:#9a6700;font-weight:600}\
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.dim{fill:#9198a1}.axis{stroke:#9198a1}\
.span{fill:#4493f8;opacity:.15}.box{fill:#0d1117;stroke:#9198a1}.yes{fill:#0c2d6b;stroke:#4493f8}\
.holds{fill:#3fb950}.violated,.impossible,.not{fill:#f85149}.inconclusive{fill:#d29922}}";

pub(super) fn draw(example: &Example) -> String {
    let history = &example.history.0;
    let mut lanes: Vec<String> = Vec::new();
    for version in history.iter().filter_map(|entry| version(entry)) {
        let name = format!("{} {}", version.kind, version.name);
        if !lanes.contains(&name) {
            lanes.push(name);
        }
    }
    let slots = history.len();
    let width = LEFT + slots * SLOT + VERDICT;
    let axis = TOP + lanes.len().max(1) * LANE + 8;
    let height = axis + 26;
    let judgement = example.judgement();
    let keyword = example.assertion.operator.keyword();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"{keyword}: {judgement}\">\n<style>{STYLE}</style>\n"
    );
    let from = LEFT + first_judged(example) * SLOT;
    let end = LEFT + slots * SLOT;
    line(
        &mut svg,
        &format!(
            "<rect class=\"span\" x=\"{from}\" y=\"10\" width=\"{}\" height=\"{}\"/>",
            end - from,
            axis - 10
        ),
    );
    line(&mut svg, &format!("<text class=\"dim\" x=\"{}\" y=\"24\">judged</text>", from + 4));
    for (number, lane) in lanes.iter().enumerate() {
        line(&mut svg, &format!("<text x=\"4\" y=\"{}\">{lane}</text>", TOP + number * LANE + 24));
    }
    for (slot, entry) in history.iter().enumerate() {
        mark(&mut svg, example, &lanes, slot, entry, axis);
    }
    line(&mut svg, &format!("<path class=\"axis\" d=\"M{LEFT} {axis}H{end}m-6 -4l6 4l-6 4\"/>"));
    line(&mut svg, &format!("<text class=\"dim\" x=\"{}\" y=\"{}\">time</text>", end - 30, axis + 18));
    let class = judgement.split(' ').next().unwrap_or_default();
    let middle = TOP + lanes.len().max(1) * LANE / 2 + 4;
    line(&mut svg, &format!("<text class=\"dim\" x=\"{}\" y=\"{}\">{keyword}</text>", end + 14, middle - 9));
    line(
        &mut svg,
        &format!("<text class=\"{class}\" x=\"{}\" y=\"{}\">{judgement}</text>", end + 14, middle + 9),
    );
    svg.push_str("</svg>\n");
    svg
}

fn mark(svg: &mut String, example: &Example, lanes: &[String], slot: usize, entry: &Entry, axis: usize) {
    let x = LEFT + slot * SLOT;
    let Some(version) = version(entry) else {
        let word = match &entry.observation {
            Observation::StepStarted { .. } => "step",
            Observation::Gap { .. } => "gap",
            Observation::Written { .. } => "by a step",
            _ => "",
        };
        line(svg, &format!("<path class=\"axis\" stroke-dasharray=\"4 3\" d=\"M{x} 14V{axis}\"/>"));
        line(svg, &format!("<text class=\"dim\" x=\"{}\" y=\"{}\">{word}</text>", x + 4, axis + 18));
        return;
    };
    let name = format!("{} {}", version.kind, version.name);
    let lane = lanes.iter().position(|other| *other == name).unwrap_or_default();
    let y = TOP + lane * LANE + 6;
    if version.change == Change::Deleted {
        let (left, right) = (x + 4, x + 18);
        line(svg, &format!("<path class=\"axis\" d=\"M{left} {y}l14 26M{right} {y}l-14 26\"/>"));
        line(svg, &format!("<text class=\"dim\" x=\"{}\" y=\"{}\">gone</text>", x + 24, y + 18));
        return;
    }
    let class = if satisfies(example, version) { "box yes" } else { "box" };
    line(
        svg,
        &format!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"26\" rx=\"4\"/>",
            x + 3,
            SLOT - 6
        ),
    );
    let text = label(version);
    line(svg, &format!("<text x=\"{}\" y=\"{}\">{text}</text>", x + 9, y + 18));
}

/// What tells the version from others: its phase, and what else was put into it.
fn label(version: &ObjectVersion) -> String {
    let fields = ["/status", "/spec"].map(|place| version.object.pointer(place).and_then(Value::as_object));
    let words = fields.into_iter().flatten().flatten().map(|(key, value)| match (key.as_str(), value) {
        ("phase", Value::String(phase)) => phase.clone(),
        _ => format!("{key} {value}"),
    });
    let mut words: Vec<String> = words.collect();
    // The phase first, whatever the order of the keys.
    words.sort_by_key(|word| word.contains(' '));
    let text = if words.is_empty() { "there".to_owned() } else { words.join(", ") };
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn version(entry: &Entry) -> Option<&ObjectVersion> {
    match &entry.observation {
        Observation::Object(version) => Some(version),
        _ => None,
    }
}

/// The slot with which what is judged begins: the window of `eventually`, else the whole.
fn first_judged(example: &Example) -> usize {
    let history = &example.history.0;
    match example.assertion.operator {
        Operator::Eventually { .. } => {
            let start = usize::try_from(example.window_start).unwrap_or_default();
            // The version that was current then belongs to the window.
            history.iter().take(start).rposition(|entry| version(entry).is_some()).unwrap_or(start)
        }
        _ => 0,
    }
}

fn satisfies(example: &Example, version: &ObjectVersion) -> bool {
    let claims: Vec<&Claim> = example.assertion.operator.claims();
    claims.iter().any(|claim| {
        let meant = match &claim.target {
            crate::scenario::assertion::Target::Resources { kind, .. } => *kind == version.kind,
            _ => version.kind == "Run",
        };
        let content = ClaimJudge::new(claim, &example.bindings);
        let content = content.and_then(|judge| judge.content(&version.object));
        meant && claim.condition.exists != Some(false) && content == Ok(true)
    })
}

fn line(svg: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _infallible = writeln!(svg, "{text}");
}
