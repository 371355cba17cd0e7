//! The verdict as a badge for a README.

use super::aggregate::Aggregate;
use super::requirement::RequirementVerdict;
use super::summary::Conformance;

/// What stands on the left.
const LABEL: &str = "hallmark";
/// Width of a character of the font, in pixels, and what stands on both sides of a text.
const CHARACTER: usize = 7;
const MARGIN: usize = 6;

/// The badge as SVG.
pub(super) fn render(run: &Aggregate) -> String {
    let summary = run.summary();
    let counts = summary.counts;
    let met = run.with_verdict(&[RequirementVerdict::Passed]);
    let all = run.info().map_or(0, |info| info.requirements.len());
    let (text, colour) = match summary.conformance {
        Conformance::Conformant if met == all => ("conformant".to_owned(), "#1a7f37"),
        Conformance::Conformant => (format!("conformant with {met} of {all}"), "#1a7f37"),
        Conformance::NonConformant => (format!("not conformant, {} failed", counts.failed), "#cf222e"),
        Conformance::Inconclusive => ("inconclusive".to_owned(), "#8a5a00"),
        Conformance::NothingRun => ("nothing run".to_owned(), "#59636e"),
        // A filtered run has no verdict, so its badge has none either.
        Conformance::NotDecided if run.filtered() => {
            (format!("{} of a selection passed", counts.passed), "#59636e")
        }
        Conformance::NotDecided => ("not decided".to_owned(), "#59636e"),
    };
    let width = |text: &str| text.chars().count() * CHARACTER + 2 * MARGIN;
    let (left, right) = (width(LABEL), width(&text));
    let (total, left_middle, right_middle) = (left + right, left / 2, left + right / 2);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" aria-label="{LABEL}: {text}">
<title>{LABEL}: {text}</title>
<clipPath id="r"><rect width="{total}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#444c56"/><rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="{left_middle}" y="14">{LABEL}</text><text x="{right_middle}" y="14">{text}</text></g>
</svg>
"##
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::render;
    use crate::report::fixture::{Run, failed, inconclusive, passed};

    #[rstest]
    #[case::conformant_in_part(Run::of([passed(), passed(), passed()]), "hallmark: conformant with 4 of 5")]
    #[case::not_decided(Run::of([passed()]), "hallmark: not decided")]
    #[case::failed(Run::of([passed(), failed(), failed()]), "hallmark: not conformant, 2 failed")]
    #[case::inconclusive(Run::of([passed(), inconclusive()]), "hallmark: inconclusive")]
    #[case::nothing(Run::of([]), "hallmark: nothing run")]
    #[case::filtered(Run::of([passed()]).filtered(), "hallmark: 1 of a selection passed")]
    fn a_badge_says_what_the_run_said(#[case] run: Run, #[case] title: &str) {
        let badge = render(&run.aggregate());
        assert!(badge.contains(&format!("<title>{title}</title>")), "{badge}");
        let green = badge.contains("#1a7f37");
        assert_eq!(green, title.starts_with("hallmark: conformant"));
    }
}
