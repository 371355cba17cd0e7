//! Whether an assertion holds on a history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::cel::Scope;
use super::changes::{Changes, advances, crowd, settled};
use super::golden;
use super::matching::Pattern;
use super::origin;
use super::select::{Selection, State, Uid, bound, deletion};
use crate::record::{Change, Entry, LOG, Observation};
use crate::scenario::assertion::{Assertion, Bindings, Claim, Condition, Operator, Target};

/// What a history says about an assertion. Only [`Judgement::Holds`] lets a scenario pass; what `NotYet`
/// means when nothing more can come is failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It holds. For `eventually` and `sequence` this is final; all others hold on the history so far.
    Holds,
    /// It does not hold, and may after further entries: no version satisfies `eventually`, a `sequence` is
    /// incomplete, `always` and `versions` have not seen any object, `exactly` and `inCreationOrder` too
    /// few.
    NotYet,
    /// `eventually` does not hold and never will: its object was deleted.
    Impossible,
    /// The assertion does not hold, whatever comes.
    Violated,
    /// It cannot be known, and why.
    Inconclusive(String),
}

/// Judges `assertion` on `history`. The window of `eventually` begins with the versions that were current
/// when the entry with sequence number `window_start` was recorded; the other operators take all of it.
///
/// Templates in patterns and golden files have to be expanded before.
pub fn judge(
    assertion: &Assertion,
    history: &[Arc<Entry>],
    window_start: u64,
    bindings: &Bindings,
) -> Judgement {
    try_judge(assertion, history, window_start, bindings).unwrap_or_else(Judgement::Inconclusive)
}

fn try_judge(
    assertion: &Assertion,
    history: &[Arc<Entry>],
    window_start: u64,
    bindings: &Bindings,
) -> Result<Judgement, String> {
    // An object that somebody else made is no matter of an invariant about those that one maker made.
    let of_maker;
    let standing = assertion.standing.as_deref();
    let history = match standing.and_then(|standing| standing.made_by) {
        Some(made_by) => {
            of_maker = origin::only(history, made_by);
            of_maker.as_slice()
        }
        None => history,
    };
    let judgement = match &assertion.operator {
        Operator::Eventually { claim, .. } => return eventually(claim, history, window_start, bindings),
        Operator::Sequence(claims) => return sequence(claims, history, bindings),
        Operator::Always(claim) => always(claim, history, bindings)?,
        Operator::Never(claim) => never(claim, history, bindings)?,
        Operator::Exactly { count, claim } => exactly(*count, claim, history, bindings)?,
        Operator::AtMost { count, claim } => at_most(*count, claim, history, bindings)?,
        Operator::InCreationOrder(claim) => in_creation_order(claim, history, bindings)?,
        Operator::Versions { at_most, claim } => versions(*at_most, claim, history, bindings)?,
        Operator::AtMostEach { count, key, claim } => {
            let crowd = crowd(*count, key, claim, history, bindings)?;
            if crowd.is_some() { Judgement::Violated } else { Judgement::Holds }
        }
        Operator::Advances { path, order, claim } => {
            of_changes(&advances(path, order, claim, history, bindings)?)
        }
        Operator::Settled { path, except, claim } => {
            of_changes(&settled(path, except, claim, history, bindings)?)
        }
    };
    // An invariant holds of a case in which nothing is there that it could be about.
    let is_vacuous = standing.is_some() && judgement == Judgement::NotYet;
    let judgement = if is_vacuous { Judgement::Holds } else { judgement };
    match interrupted(assertion, history, bindings) {
        Some(reason) if judgement != Judgement::Violated => Err(reason),
        _ => Ok(judgement),
    }
}

fn of_changes(changes: &Changes<'_>) -> Judgement {
    match changes {
        Changes::Nothing => Judgement::NotYet,
        Changes::Allowed => Judgement::Holds,
        Changes::Forbidden(_) => Judgement::Violated,
    }
}

fn eventually(
    claim: &Claim,
    history: &[Arc<Entry>],
    window_start: u64,
    bindings: &Bindings,
) -> Result<Judgement, String> {
    let selection = Selection::of(&claim.target, history, bindings)?;
    let judge = ClaimJudge::new(claim, bindings)?;
    if claim.condition.exists == Some(false) {
        // What a step has created and the watch has not delivered yet is not gone.
        let is_awaited = matches!(claim.target, Target::Object { .. }) && selection.versions.is_empty();
        if is_awaited {
            return Ok(Judgement::NotYet);
        }
        for version in selection.current() {
            if judge.content(version.object)? {
                return Ok(Judgement::NotYet);
            }
        }
        return Ok(Judgement::Holds);
    }
    for version in selection.window(window_start) {
        if version.change != Change::Deleted && judge.content(version.object)? {
            return Ok(Judgement::Holds);
        }
    }
    let impossible = match &claim.target {
        Target::Object { alias } => {
            deletion(bound(bindings, alias)?, history).is_some() && selection.current().is_empty()
        }
        Target::Rendered { .. } => true,
        Target::Resources { .. } | Target::Requests { .. } | Target::Log => false,
    };
    Ok(if impossible { Judgement::Impossible } else { Judgement::NotYet })
}

fn always(claim: &Claim, history: &[Arc<Entry>], bindings: &Bindings) -> Result<Judgement, String> {
    let selection = Selection::of(&claim.target, history, bindings)?;
    let judge = ClaimJudge::new(claim, bindings)?;
    for version in &selection.versions {
        if !judge.always_of(version)? {
            return Ok(Judgement::Violated);
        }
    }
    Ok(if selection.versions.is_empty() { Judgement::NotYet } else { Judgement::Holds })
}

fn never(claim: &Claim, history: &[Arc<Entry>], bindings: &Bindings) -> Result<Judgement, String> {
    let selection = Selection::of(&claim.target, history, bindings)?;
    let judge = ClaimJudge::new(claim, bindings)?;
    // Something that never existed was absent all the time.
    if claim.condition.exists == Some(false) && selection.versions.is_empty() {
        return Ok(Judgement::Violated);
    }
    for version in &selection.versions {
        if judge.ever_of(version)? {
            return Ok(Judgement::Violated);
        }
    }
    Ok(Judgement::Holds)
}

fn exactly(
    count: usize,
    claim: &Claim,
    history: &[Arc<Entry>],
    bindings: &Bindings,
) -> Result<Judgement, String> {
    let selection = Selection::of(&claim.target, history, bindings)?;
    let judge = ClaimJudge::new(claim, bindings)?;
    let mut found = BTreeSet::new();
    for version in &selection.versions {
        if !found.contains(&version.uid) && judge.ever_of(version)? {
            found.insert(version.uid);
        }
    }
    Ok(match found.len().cmp(&count) {
        std::cmp::Ordering::Less => Judgement::NotYet,
        std::cmp::Ordering::Equal => Judgement::Holds,
        std::cmp::Ordering::Greater => Judgement::Violated,
    })
}

fn at_most(
    count: usize,
    claim: &Claim,
    history: &[Arc<Entry>],
    bindings: &Bindings,
) -> Result<Judgement, String> {
    let crowd = first_crowd(count, claim, history, bindings)?;
    Ok(if crowd.is_some() { Judgement::Violated } else { Judgement::Holds })
}

/// The objects that satisfy the claim at the first moment at which more than `count` do, each with the
/// version that was current then; the one that came last stands last.
pub(super) fn first_crowd<'a>(
    count: usize,
    claim: &Claim,
    history: &'a [Arc<Entry>],
    bindings: &'a Bindings,
) -> Result<Option<Vec<State<'a>>>, String> {
    let selection = Selection::of(&claim.target, history, bindings)?;
    let judge = ClaimJudge::new(claim, bindings)?;
    let selected = selection.versions.into_iter().map(|version| (version, true));
    let unselected = selection.unselected.into_iter().map(|version| (version, false));
    let mut versions: Vec<_> = selected.chain(unselected).collect();
    versions.sort_by_key(|(version, _)| version.resource_version);
    let mut crowd: Vec<State<'a>> = Vec::new();
    for (version, selected) in versions {
        let there = selected && version.change != Change::Deleted && judge.content(version.object)?;
        let place = crowd.iter().position(|other| other.uid == version.uid);
        match (place, there) {
            (None, true) => crowd.push(version),
            (Some(place), false) => {
                crowd.remove(place);
            }
            (None, false) | (Some(_), true) => {}
        }
        if crowd.len() > count {
            return Ok(Some(crowd));
        }
    }
    Ok(None)
}

fn in_creation_order(
    claim: &Claim,
    history: &[Arc<Entry>],
    bindings: &Bindings,
) -> Result<Judgement, String> {
    let firsts = first_versions(claim, history, bindings)?;
    let ordered = firsts.is_sorted_by_key(|version| creation(version.object));
    Ok(match (ordered, firsts.len()) {
        (false, _) => Judgement::Violated,
        // Of fewer there is no order.
        (true, 0 | 1) => Judgement::NotYet,
        (true, _) => Judgement::Holds,
    })
}

/// The first version of each object that satisfies the claim, in the order in which they came.
pub(super) fn first_versions<'a>(
    claim: &Claim,
    history: &'a [Arc<Entry>],
    bindings: &'a Bindings,
) -> Result<Vec<State<'a>>, String> {
    let selection = Selection::of(&claim.target, history, bindings)?;
    let judge = ClaimJudge::new(claim, bindings)?;
    let mut seen = BTreeSet::new();
    let mut firsts = Vec::new();
    for version in selection.versions {
        if !seen.contains(&version.uid) && judge.ever_of(&version)? {
            seen.insert(version.uid);
            firsts.push(version);
        }
    }
    Ok(firsts)
}

/// What orders objects by their creation. Times have whole seconds, so names decide within one.
pub(super) fn creation(object: &Value) -> [&str; 3] {
    ["/metadata/creationTimestamp", "/metadata/namespace", "/metadata/name"]
        .map(|pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default())
}

fn versions(
    at_most: usize,
    claim: &Claim,
    history: &[Arc<Entry>],
    bindings: &Bindings,
) -> Result<Judgement, String> {
    let counted = satisfying(claim, history, bindings)?;
    Ok(match counted.values().map(Vec::len).max() {
        None => Judgement::NotYet,
        Some(most) if most > at_most => Judgement::Violated,
        Some(_) => Judgement::Holds,
    })
}

/// For each object its versions that satisfy the claim; a deletion is no version of its own.
pub(super) fn satisfying<'a>(
    claim: &Claim,
    history: &'a [Arc<Entry>],
    bindings: &'a Bindings,
) -> Result<BTreeMap<Uid<'a>, Vec<State<'a>>>, String> {
    let selection = Selection::of(&claim.target, history, bindings)?;
    let judge = ClaimJudge::new(claim, bindings)?;
    let mut counted: BTreeMap<Uid<'_>, Vec<State<'_>>> = BTreeMap::new();
    for version in selection.versions {
        if version.change == Change::Deleted {
            continue;
        }
        let versions = counted.entry(version.uid).or_default();
        if judge.content(version.object)? {
            versions.push(version);
        }
    }
    Ok(counted)
}

fn sequence(claims: &[Claim], history: &[Arc<Entry>], bindings: &Bindings) -> Result<Judgement, String> {
    let mut after = 0;
    for claim in claims {
        match next_in_sequence(claim, history, after, bindings)? {
            Some(version) => after = version.resource_version,
            None => return Ok(Judgement::NotYet),
        }
    }
    Ok(if claims.is_empty() { Judgement::NotYet } else { Judgement::Holds })
}

/// The earliest version after resource version `after` that satisfies the claim. Taking the earliest one
/// leaves most room for the claims that follow, so no other choice can complete a sequence that this one
/// does not.
pub(super) fn next_in_sequence<'a>(
    claim: &Claim,
    history: &'a [Arc<Entry>],
    after: u64,
    bindings: &'a Bindings,
) -> Result<Option<State<'a>>, String> {
    match claim.target {
        Target::Rendered { .. } => return Err("rendered objects have no history, so no order".to_owned()),
        Target::Requests { .. } | Target::Log => {
            return Err("requests and log lines have no versions, so no order among those".to_owned());
        }
        Target::Object { .. } | Target::Resources { .. } => {}
    }
    let selection = Selection::of(&claim.target, history, bindings)?;
    let judge = ClaimJudge::new(claim, bindings)?;
    for version in selection.versions.into_iter().filter(|version| version.resource_version > after) {
        let is_there = version.change != Change::Deleted;
        let wants_it_there = claim.condition.exists != Some(false);
        if is_there == wants_it_there && judge.content(version.object)? {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

/// A claim, ready to be judged on many versions.
pub(super) struct ClaimJudge<'a> {
    condition: &'a Condition,
    pattern: Option<Pattern>,
    golden: Option<Value>,
    scope: Scope<'a>,
}

impl<'a> ClaimJudge<'a> {
    /// Prepares `claim`; the error tells what is wrong with how it is written.
    pub(super) fn new(claim: &'a Claim, bindings: &'a Bindings) -> Result<Self, String> {
        let condition = &claim.condition;
        let pattern = match &condition.matches {
            Some(expected) => Some(Pattern::compile(expected).map_err(|mistakes| {
                let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
                mistakes.join("; ")
            })?),
            None => None,
        };
        let golden = condition.golden.as_ref().map(|golden| golden::normalize(&golden.template.to_json()));
        let scope = Scope::new(bindings, condition.cel.as_deref());
        Ok(Self { condition, pattern, golden, scope })
    }

    /// The expected subset.
    pub(super) fn pattern(&self) -> Option<&Pattern> {
        self.pattern.as_ref()
    }

    /// The variables of the claim's expression.
    pub(super) fn scope(&self) -> &Scope<'a> {
        &self.scope
    }

    /// Whether everything that is said about the content holds; nothing said holds.
    pub(super) fn content(&self, object: &Value) -> Result<bool, String> {
        if let Some(pattern) = &self.pattern
            && !pattern.matches(object)?
        {
            return Ok(false);
        }
        if self.golden.as_ref().is_some_and(|expected| !golden::equal(expected, object)) {
            return Ok(false);
        }
        match &self.condition.cel {
            Some(expression) => self.scope.holds(expression, object),
            None => Ok(true),
        }
    }

    /// Whether the version satisfies the claim at some time. The last state before a deletion counts: it
    /// may have been written together with the removal of the last finalizer, and was then never seen
    /// in another version.
    pub(super) fn ever_of(&self, version: &State<'_>) -> Result<bool, String> {
        if self.condition.exists == Some(false) && version.change != Change::Deleted {
            return Ok(false);
        }
        self.content(version.object)
    }

    /// Whether the version keeps to a claim about all of them: a deletion violates `exists: true`, and
    /// is no state of its own otherwise.
    pub(super) fn always_of(&self, version: &State<'_>) -> Result<bool, String> {
        let deleted = version.change == Change::Deleted;
        match self.condition.exists {
            Some(exists) if exists == deleted => Ok(false),
            _ => self.content(version.object),
        }
    }
}

/// Why a judgement that something did not come says nothing: what was waited for may have been there while a watch
/// was interrupted, before its object was deleted too.
pub fn missed(
    judged: &Judgement,
    assertion: &Assertion,
    history: &[Arc<Entry>],
    bindings: &Bindings,
) -> Option<String> {
    let did_not_come = matches!(judged, Judgement::NotYet | Judgement::Impossible);
    did_not_come.then(|| interrupted(assertion, history, bindings)).flatten()
}

/// The first interruption of a watch that the assertion depends on.
fn interrupted(assertion: &Assertion, history: &[Arc<Entry>], bindings: &Bindings) -> Option<String> {
    let claims = match &assertion.operator {
        Operator::Always(claim)
        | Operator::Never(claim)
        | Operator::Exactly { claim, .. }
        | Operator::AtMost { claim, .. }
        | Operator::InCreationOrder(claim)
        | Operator::Versions { claim, .. }
        | Operator::AtMostEach { claim, .. }
        | Operator::Advances { claim, .. }
        | Operator::Settled { claim, .. }
        | Operator::Eventually { claim, .. } => std::slice::from_ref(claim),
        Operator::Sequence(claims) => claims,
    };
    let kind_of = |alias: &str| {
        bindings.objects.get(alias).map(|object| format!("{}/{}", object.api_version, object.kind))
    };
    let watched_by = |claim: &Claim| match &claim.target {
        Target::Object { alias } => kind_of(alias).into_iter().collect(),
        Target::Resources { api_version, kind, of, .. } => {
            let owner = of.as_deref().and_then(kind_of);
            // What owns the object may itself be owned by way of a Job.
            let between = of.is_some().then(|| "batch/v1/Job".to_owned());
            std::iter::once(format!("{api_version}/{kind}")).chain(owner).chain(between).collect()
        }
        Target::Log => vec![LOG.to_owned()],
        Target::Requests { .. } | Target::Rendered { .. } => Vec::new(),
    };
    let kinds: Vec<String> = claims.iter().flat_map(watched_by).collect();
    history.iter().find_map(|entry| match &entry.observation {
        Observation::Gap { kind, reason } if kinds.contains(kind) => {
            let lost = if kind == LOG { "lines" } else { "versions" };
            Some(format!("the watch of {kind} was interrupted, {lost} may be missing: {reason}"))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests;
