//! What is not met beside the MUSTs that decide about conformance: it is told with the verdict and does not
//! change it.

use serde::Serialize;

use super::aggregate::Aggregate;
use super::requirement::RequirementVerdict;
use crate::count::count;
use crate::event::Level;

/// Requirements that are not met and decide nothing, of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortfall {
    /// How binding they are.
    pub level: Level,
    /// Of MUSTs: the feature to which they belong, and whose profile they decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// Their ids, in the catalogue's order.
    pub requirements: Vec<String>,
}

impl Shortfall {
    /// How many of which kind, in words.
    pub fn words(&self) -> String {
        let number = self.requirements.len();
        match &self.feature {
            Some(feature) => format!("{} of {feature} not met", count(number, "MUST")),
            None => format!("{} of level {} not met", count(number, "requirement"), self.level.word()),
        }
    }
}

impl Aggregate {
    /// What is not met and is none of the MUSTs that decide: MUSTs by feature first, then SHOULDs and MAYs.
    pub fn shortfalls(&self) -> Vec<Shortfall> {
        let deciding = self.deciding_profile().map(|profile| profile.failed).unwrap_or_default();
        let mut found: Vec<Shortfall> = Vec::new();
        for requirement in self.requirements() {
            let info = requirement.info;
            if requirement.verdict != RequirementVerdict::Failed || deciding.contains(&info.id) {
                continue;
            }
            let feature = (info.level == Level::Must).then(|| info.feature.clone());
            let alike = found.iter_mut().find(|one| one.level == info.level && one.feature == feature);
            if let Some(one) = alike {
                one.requirements.push(info.id.clone());
            } else {
                let requirements = vec![info.id.clone()];
                found.push(Shortfall { level: info.level, feature, requirements });
            }
        }
        found.sort_by_key(|one| one.level);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{Run, failed, passed};

    #[test]
    fn what_decides_nothing_is_told_by_level_and_feature() {
        let run = Run::of([passed(), failed(), failed(), failed()]).leveled(&[
            ("IMG-02", Level::Must, "limits"),
            ("IMG-03", Level::Should, "core"),
            ("TTL-01", Level::Should, "limits"),
        ]);
        let found = run.shortfalls();
        let words: Vec<String> = found.iter().map(Shortfall::words).collect();
        assert_eq!(words, ["1 MUST of limits not met", "2 requirements of level SHOULD not met"]);
        assert_eq!(found[1].requirements, ["IMG-03", "TTL-01"]);
    }

    #[test]
    fn a_must_that_decides_is_no_shortfall() {
        assert_eq!(Run::of([failed()]).aggregate().shortfalls(), []);
    }
}
