//! From verdicts of requirements to verdicts of profiles: `core`, `extended`, and each feature alone.
//!
//! The MUSTs of a profile decide about it. What is not known about one of them leaves the profile open, so
//! a filtered run, or a cluster that cannot do everything, never lets a profile pass.

use serde::Serialize;

use super::aggregate::{Aggregate, CaseView, Outcome};
use super::requirement::{RequirementVerdict, RequirementView};
use crate::event::{CORE, Claims, Level};

/// The profile of everything that is claimed.
const EXTENDED: &str = "extended";

/// Why nothing is known about a MUST.
const DECLINED: &str = "declined by the implementation";
const SKIPPED: &str = "every case was skipped";
const NO_CASE: &str = "no case proves it";

/// Requirements that are judged together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// `core`, `extended` (every claimed feature), or the name of a feature.
    pub name: String,
    /// What its MUSTs say together.
    pub verdict: ProfileVerdict,
    /// How many MUSTs it has.
    pub musts: usize,
    /// How many of them are met.
    pub met: usize,
    /// MUSTs that are not met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// MUSTs of which nothing is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
    /// SHOULDs and MAYs that are not met; they decide nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
}

/// What a run says about a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ProfileVerdict {
    /// Every MUST is met.
    Passed,
    /// A MUST is not met.
    Failed,
    /// No MUST failed, but a case of one told nothing.
    Inconclusive,
    /// No MUST failed, but not all of them were asked for.
    NotDecided,
    /// The implementation does not claim the feature.
    Unclaimed,
}

impl ProfileVerdict {
    /// The words for it in reports.
    pub fn words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
            Self::NotDecided => "not decided",
            Self::Unclaimed => "unclaimed",
        }
    }
}

impl Aggregate {
    /// The profiles of the catalogue: `core`, `extended` and the features in the catalogue's order. None
    /// where there is no catalogue.
    pub fn profiles(&self) -> Vec<Profile> {
        let nothing = Claims::default();
        let claims = self.info().map_or(&nothing, |info| &info.claims);
        let all: Vec<RequirementView<'_>> = self.requirements().collect();
        let mut features: Vec<&str> = Vec::new();
        for requirement in &all {
            if !features.contains(&requirement.info.feature.as_str()) {
                features.push(&requirement.info.feature);
            }
        }
        if all.is_empty() {
            return Vec::new();
        }
        let complete = !self.filtered() && !self.cut_short() && !self.ended_at_failure();
        let of = |name: &str, members: Vec<&RequirementView<'_>>, claimed: bool| {
            Profile::of(name, &members, claimed, complete)
        };
        let having = |feature: &str| all.iter().filter(|it| it.info.feature == feature).collect();
        let claimed = all.iter().filter(|it| claims.claims(&it.info.feature)).collect();
        let mut profiles = vec![of(CORE, having(CORE), true), of(EXTENDED, claimed, true)];
        let others = features.into_iter().filter(|feature| *feature != CORE);
        profiles.extend(others.map(|feature| of(feature, having(feature), claims.claims(feature))));
        profiles
    }

    /// The profiles, where the implementation says something of itself that makes them differ; elsewhere
    /// the verdict of the run says enough, and a filtered run decides none.
    pub fn claimed_profiles(&self) -> Vec<Profile> {
        let has_claims = self.info().is_some_and(|info| info.claims != Claims::default());
        if has_claims && !self.filtered() { self.profiles() } else { Vec::new() }
    }

    /// The profile that decides about conformance: `core`, or everything that is claimed where the catalogue
    /// has no MUST of `core`. None where there is no MUST at all.
    pub fn deciding_profile(&self) -> Option<Profile> {
        let candidates =
            self.profiles().into_iter().filter(|it| [CORE, EXTENDED].contains(&it.name.as_str()));
        candidates.into_iter().find(|profile| profile.musts > 0)
    }

    /// Why the profile that decides is left open although nothing failed: the MUSTs that nothing is known about,
    /// by reason.
    pub fn undecided(&self) -> Vec<(&'static str, Vec<String>)> {
        let open = self.deciding_profile().map(|profile| profile.open).unwrap_or_default();
        let mut reasons: Vec<(&str, Vec<String>)> =
            [DECLINED, SKIPPED, NO_CASE].map(|reason| (reason, Vec::new())).into();
        for requirement in self.requirements().filter(|it| open.contains(&it.info.id)) {
            let why = self.why_open(&requirement);
            let ids = reasons.iter_mut().filter(|(reason, _)| *reason == why).map(|(_, ids)| ids);
            ids.for_each(|ids| ids.push(requirement.info.id.clone()));
        }
        reasons.retain(|(_, ids)| !ids.is_empty());
        reasons
    }

    fn why_open(&self, requirement: &RequirementView<'_>) -> &'static str {
        let unsupported = self.info().map_or(&[][..], |info| &info.claims.unsupported);
        let declined =
            |case: &CaseView<'_>| case.info.declined && matches!(case.outcome, Outcome::Skipped(_));
        match requirement.verdict {
            RequirementVerdict::Skipped if requirement.cases.iter().any(declined) => DECLINED,
            // A standing invariant that is not supported leaves no case behind that was skipped for it.
            RequirementVerdict::NotProved if unsupported.contains(&requirement.info.id) => DECLINED,
            RequirementVerdict::Skipped => SKIPPED,
            _ => NO_CASE,
        }
    }
}

impl Profile {
    fn of(name: &str, members: &[&RequirementView<'_>], claimed: bool, complete: bool) -> Self {
        let ids = |wanted: &dyn Fn(&RequirementView<'_>) -> bool| -> Vec<String> {
            members.iter().filter(|it| wanted(it)).map(|it| it.info.id.clone()).collect()
        };
        let is_must = |it: &RequirementView<'_>| it.info.level == Level::Must;
        let having = |verdict| move |it: &RequirementView<'_>| is_must(it) && it.verdict == verdict;
        let failed = ids(&having(RequirementVerdict::Failed));
        let met = ids(&having(RequirementVerdict::Passed)).len();
        let musts = ids(&is_must).len();
        let inconclusive = !ids(&having(RequirementVerdict::Inconclusive)).is_empty();
        let decided = [RequirementVerdict::Passed, RequirementVerdict::Failed];
        let open = ids(&|it| is_must(it) && !decided.contains(&it.verdict));
        let verdict = if !claimed {
            ProfileVerdict::Unclaimed
        } else if !failed.is_empty() {
            ProfileVerdict::Failed
        } else if inconclusive {
            ProfileVerdict::Inconclusive
        } else if met == musts && musts > 0 && complete {
            ProfileVerdict::Passed
        } else {
            ProfileVerdict::NotDecided
        };
        let advice = ids(&|it| !is_must(it) && it.verdict == RequirementVerdict::Failed);
        Self { name: name.to_owned(), verdict, musts, met, failed, open, advice }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::event::Event;
    use crate::report::Conformance;
    use crate::report::fixture::{Run, failed, inconclusive, not_started, passed, skipped};

    /// The profiles of a run whose requirements are: `IMG-0n` of `core`, `TTL-01` (in every case) of `ttl`.
    fn profiles(run: &Run, claims: &Claims) -> Vec<Profile> {
        aggregate(run, claims, false).profiles()
    }

    fn aggregate(run: &Run, claims: &Claims, declined: bool) -> Aggregate {
        let mut aggregate = Aggregate::default();
        for mut event in run.events() {
            if let Event::RunStarted(info) = &mut event {
                info.claims = claims.clone();
                info.requirements.retain(|requirement| requirement.id != "IMG-03");
                for requirement in &mut info.requirements {
                    if requirement.id.starts_with("TTL") {
                        requirement.feature = "ttl".to_owned();
                    }
                }
                info.cases.iter_mut().for_each(|case| case.declined = declined);
            }
            aggregate.apply(&event);
        }
        aggregate
    }

    fn verdicts(profiles: &[Profile]) -> Vec<(&str, ProfileVerdict)> {
        profiles.iter().map(|profile| (profile.name.as_str(), profile.verdict)).collect()
    }

    #[rstest]
    #[case::all_met(Run::of([passed(), passed()]), ProfileVerdict::Passed)]
    #[case::one_failed(Run::of([passed(), failed()]), ProfileVerdict::Failed)]
    #[case::one_unknown(Run::of([passed(), inconclusive()]), ProfileVerdict::Inconclusive)]
    #[case::one_skipped(Run::of([passed(), skipped()]), ProfileVerdict::NotDecided)]
    #[case::one_without_a_case(Run::of([passed()]), ProfileVerdict::NotDecided)]
    #[case::filtered(Run::of([passed(), passed()]).filtered(), ProfileVerdict::NotDecided)]
    #[case::interrupted(Run::of([passed(), passed()]).interrupted(), ProfileVerdict::NotDecided)]
    #[case::ended_at_a_failure(Run::of([passed(), passed(), not_started()]), ProfileVerdict::NotDecided)]
    fn the_musts_of_core_decide_about_core(#[case] run: Run, #[case] verdict: ProfileVerdict) {
        assert_eq!(profiles(&run, &Claims::default())[0].verdict, verdict);
    }

    #[test]
    fn what_is_not_claimed_is_listed_as_such_and_part_of_nothing_else() {
        let run = Run::of([passed(), passed()]);
        let claims = Claims { features: Some(vec![CORE.to_owned()]), ..Claims::default() };
        let found = profiles(&run, &claims);
        let expected = [
            ("core", ProfileVerdict::Passed),
            ("extended", ProfileVerdict::Passed),
            ("ttl", ProfileVerdict::Unclaimed),
        ];
        assert_eq!(verdicts(&found), expected);
        assert_eq!(found[1].musts, 2);
        // The SHOULD that nobody proves decides nothing.
        let all = profiles(&run, &Claims::default());
        assert_eq!((all[1].musts, all[1].verdict), (3, ProfileVerdict::Passed));
    }

    #[test]
    fn a_must_that_nothing_is_known_about_is_no_way_to_conformance() {
        let run = Run::of([passed(), skipped()]);
        let told = |run: &Aggregate| {
            run.undecided()
                .into_iter()
                .map(|(why, ids)| format!("{}: {why}", ids.join(" ")))
                .collect::<Vec<_>>()
        };
        let declined = aggregate(&run, &Claims::default(), true);
        assert_eq!(told(&declined), ["IMG-02: declined by the implementation"]);
        assert_eq!(declined.summary().conformance, Conformance::NotDecided);
        // Neither is one that no case is judged on, because it is a standing invariant.
        let claims = Claims { unsupported: vec!["IMG-02".to_owned()], ..Claims::default() };
        let left_out = aggregate(&Run::of([passed()]), &claims, false);
        assert_eq!(told(&left_out), ["IMG-02: declined by the implementation"]);
        assert_eq!(left_out.summary().conformance, Conformance::NotDecided);
        // That a cluster cannot do it is not the implementation's doing, and proves nothing either.
        let lacking = aggregate(&run, &Claims::default(), false);
        assert_eq!(told(&lacking), ["IMG-02: every case was skipped"]);
        assert_eq!(lacking.summary().conformance, Conformance::NotDecided);
        let unproved = aggregate(&Run::of([passed()]), &Claims::default(), false);
        assert_eq!(told(&unproved), ["IMG-02: no case proves it"]);
    }
}
