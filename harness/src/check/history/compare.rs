//! Where two histories part.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{History, Life, Milestone, Turn};
use crate::check::path::Path;
use crate::check::trail::cut;

/// Characters of a value that are shown.
const VALUE_WIDTH: usize = 120;
/// What comes so short before the end of a case, in milliseconds, may as well have come right after it.
const AT_THE_END: u64 = 900;

/// The course of a field that an object never has.
const NEVER_THERE: &[Turn] = &[Turn { value: None, at: 0 }];

/// What counts as a difference.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The order in which objects come, go and change their phase, too.
    pub order: bool,
    /// What may be chance, too, see [`Chance`].
    pub exact: bool,
    /// Fields that do not count, with all that is below them: `status.message`.
    pub ignore: Vec<String>,
}

/// A place at which two histories part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Divergence {
    /// Plain name of the object: `Job demo`.
    pub object: String,
    /// What of it.
    pub place: Place,
    /// The first value there that the histories do not share, in the one.
    pub a: Side,
    /// And in the other.
    pub b: Side,
    /// Why it may say nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chance: Option<Chance>,
}

/// What of an object differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// Whether it is there at all.
    Existence,
    /// A field, by its path.
    Field(String),
    /// When something happened to it, in the order of all objects.
    Order,
}

/// What one of the histories has there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// The value, as JSON or in words.
    pub value: String,
    /// How it comes to it.
    pub turning: Turning,
    /// Milliseconds since the case began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

/// How a history comes to a value that the other one does not have there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Turning {
    /// It takes the value.
    Takes,
    /// It keeps the value that both had before.
    Keeps,
}

/// Why two runs of one controller may differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Chance {
    /// It happened right before the end of the case; in the other history it may have come after it.
    AtTheEnd,
    /// A state on the way was left out. Status tells where things stand and not how they came there, so that
    /// a controller may write two states as one.
    Merged,
    /// The object was deleted in both, in one of them before its status came so far.
    BeforeDeletion,
}

impl Divergence {
    fn at(&self) -> u64 {
        self.a.at.into_iter().chain(self.b.at).min().unwrap_or_default()
    }
}

impl Side {
    fn takes(value: String, at: u64) -> Self {
        Self { value, turning: Turning::Takes, at: Some(at) }
    }

    fn keeps(value: String) -> Self {
        Self { value, turning: Turning::Keeps, at: None }
    }
}

impl std::fmt::Display for Divergence {
    /// `Job demo, spec.ttlSecondsAfterFinished: 30 in A (+0.812 s), 5 in B (+0.790 s)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = |side: &Side, name: &str| {
            let at = side.at.map(|at| format!(" (+{}.{:03} s)", at / 1000, at % 1000)).unwrap_or_default();
            format!("{} in {name}{at}", side.words())
        };
        let (a, b) = (side(&self.a, "A"), side(&self.b, "B"));
        write!(f, "{}, {}: {a}, {b}", self.object, self.place.words())
    }
}

impl Place {
    /// What follows the name of the object.
    pub fn words(&self) -> &str {
        match self {
            Self::Existence => "existence",
            Self::Field(path) => path,
            Self::Order => "order",
        }
    }
}

impl Chance {
    /// Why it may say nothing, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::AtTheEnd => "right before the end of the case, so it may be chance",
            Self::BeforeDeletion => "the object was deleted meanwhile, so it may be chance",
            Self::Merged => "a state on the way was left out, which may be chance",
        }
    }
}

impl Side {
    /// The value, and whether it is that which both had before.
    pub fn words(&self) -> String {
        match self.turning {
            Turning::Keeps => format!("still {}", self.value),
            Turning::Takes => self.value.clone(),
        }
    }
}

impl History {
    /// Where the other history parts from this one, the first place first; empty if they are equal.
    pub fn divergences(&self, other: &Self, rules: &Rules) -> Vec<Divergence> {
        let mut comparison = Comparison { a: self, b: other, rules, found: Vec::new() };
        comparison.objects();
        if rules.order {
            comparison.order();
        }
        let mut found = comparison.found;
        // What may be chance does not hide what is none.
        found.sort_by_key(|divergence| (divergence.chance.is_some(), divergence.at()));
        found
    }
}

struct Comparison<'a> {
    a: &'a History,
    b: &'a History,
    rules: &'a Rules,
    found: Vec<Divergence>,
}

/// Objects of one history without a counterpart of the same name in the other.
type Left<'a> = Vec<(&'a str, &'a Life)>;

impl<'a> Comparison<'a> {
    fn objects(&mut self) {
        let names: BTreeSet<&'a String> = self.a.objects.keys().chain(self.b.objects.keys()).collect();
        let (mut only_a, mut only_b): (Left<'a>, Left<'a>) = (Vec::new(), Vec::new());
        for name in names {
            let lives = |history: &'a History| -> Vec<&'a Life> {
                history.objects.get(name).into_iter().flatten().collect()
            };
            let (mut a, mut b) = (lives(self.a), lives(self.b));
            if a.iter().chain(&b).any(|life| life.is_generated) {
                without_equals(&mut a, &mut b);
            }
            let both = a.len().min(b.len());
            for (one, other) in a.iter().zip(&b) {
                self.lives(name, one, other);
            }
            only_a.extend(a.into_iter().skip(both).map(|life| (name.as_str(), life)));
            only_b.extend(b.into_iter().skip(both).map(|life| (name.as_str(), life)));
        }
        self.renamed(&mut only_a, &mut only_b);
        for (name, life) in only_a {
            self.only(name, life, true);
        }
        for (name, life) in only_b {
            self.only(name, life, false);
        }
    }

    /// Pairs what is left by kind and owner: another controller may name its Job in another way.
    fn renamed(&mut self, only_a: &mut Left<'a>, only_b: &mut Left<'a>) {
        let mut place = 0;
        while let Some((name, life)) = only_a.get(place).copied() {
            let fits = |(other_name, other): &(&str, &Life)| {
                let is_renamed = *other_name != name && kind(name) == kind(other_name);
                is_renamed && life.owner.is_some() && life.owner == other.owner
            };
            let Some(found) = only_b.iter().position(fits) else {
                place += 1;
                continue;
            };
            only_a.remove(place);
            let (_, other) = only_b.remove(found);
            self.lives(name, life, other);
        }
    }

    /// An object that only one of the histories has.
    fn only(&mut self, name: &str, life: &Life, is_a: bool) {
        let history = if is_a { self.a } else { self.b };
        let at = life.begin();
        let chance = (at + AT_THE_END >= history.ended).then_some(Chance::AtTheEnd);
        let (has, lacks) = (Side::takes("there".to_owned(), at), Side::keeps("absent".to_owned()));
        let (a, b) = if is_a { (has, lacks) } else { (lacks, has) };
        self.tell(name, Place::Existence, a, b, chance);
    }

    fn lives(&mut self, name: &str, a: &'a Life, b: &'a Life) {
        let paths: BTreeSet<&Path> = a.courses.keys().chain(b.courses.keys()).collect();
        for path in paths {
            let course = |life: &'a Life| life.courses.get(path).map_or(NEVER_THERE, Vec::as_slice);
            let (one, other) = (course(a), course(b));
            let deleted = a.deleted.is_some() && b.deleted.is_some();
            self.courses(name, path, (one, other), deleted);
        }
        if a.deleted.is_some() != b.deleted.is_some() {
            let side = |life: &Life| match life.deleted {
                Some(at) => Side::takes("gone".to_owned(), at),
                None => Side::keeps("there".to_owned()),
            };
            let late = |life: &Life, history: &History| {
                life.deleted.is_some_and(|at| at + AT_THE_END >= history.ended)
            };
            let chance = (late(a, self.a) || late(b, self.b)).then_some(Chance::AtTheEnd);
            self.tell(name, Place::Existence, side(a), side(b), chance);
        }
    }

    fn courses(&mut self, name: &str, path: &Path, (a, b): (&[Turn], &[Turn]), deleted: bool) {
        if a == b || self.is_ignored(path) {
            return;
        }
        let shared = a.iter().zip(b).take_while(|(one, other)| one == other).count();
        let side = |course: &[Turn]| match course.get(shared) {
            Some(turn) => Side::takes(shown(turn.value.as_ref()), turn.at),
            None => Side::keeps(shown(course.last().and_then(|turn| turn.value.as_ref()))),
        };
        let late = |longer: &[Turn], shorter: &[Turn], history: &History| {
            shared == shorter.len()
                && longer.iter().skip(shared).all(|turn| turn.at + AT_THE_END >= history.ended)
        };
        let chance = if late(a, b, self.a) || late(b, a, self.b) {
            Some(Chance::AtTheEnd)
        } else if deleted && may_be_merged(path) && (shared == a.len() || shared == b.len()) {
            Some(Chance::BeforeDeletion)
        } else {
            (may_be_merged(path) && (passes_by(a, b) || passes_by(b, a))).then_some(Chance::Merged)
        };
        self.tell(name, Place::Field(path.to_string()), side(a), side(b), chance);
    }

    fn is_ignored(&self, path: &Path) -> bool {
        let path = path.to_string();
        self.rules.ignore.iter().any(|ignored| {
            path.strip_prefix(ignored.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// The order of what happened in both histories.
    fn order(&mut self) {
        let (a, b) =
            (common(&self.a.milestones, &self.b.milestones), common(&self.b.milestones, &self.a.milestones));
        if let Some((one, other)) = a.iter().zip(&b).find(|(one, other)| !one.is_like(other)) {
            let side = |milestone: &Milestone| {
                Side::takes(format!("{} {} first", milestone.object, milestone.what), milestone.at)
            };
            self.tell(&one.object, Place::Order, side(one), side(other), None);
        }
    }

    fn tell(&mut self, object: &str, place: Place, a: Side, b: Side, chance: Option<Chance>) {
        let chance = chance.filter(|_| !self.rules.exact);
        self.found.push(Divergence { object: object.to_owned(), place, a, b, chance });
    }
}

impl Life {
    /// When its first version came, in milliseconds since the case began.
    fn begin(&self) -> u64 {
        // Every object has a kind from its first version on.
        self.courses
            .get(&Path::of_fields(["kind"]))
            .and_then(|course| course.first())
            .map_or(0, |turn| turn.at)
    }
}

impl Milestone {
    fn is_like(&self, other: &Self) -> bool {
        (&self.object, &self.what) == (&other.object, &other.what)
    }
}

/// The milestones of the one that the other has, too, each as often as the other has it.
fn common<'a>(all: &'a [Milestone], other: &[Milestone]) -> Vec<&'a Milestone> {
    let mut left: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for milestone in other {
        *left.entry((&milestone.object, &milestone.what)).or_default() += 1;
    }
    all.iter()
        .filter(|milestone| match left.get_mut(&(milestone.object.as_str(), milestone.what.as_str())) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        })
        .collect()
}

/// Takes out lives that are equal: which is which cannot be told where the API server makes up names.
fn without_equals(a: &mut Vec<&Life>, b: &mut Vec<&Life>) {
    a.retain(|one| match b.iter().position(|other| *one == *other) {
        Some(found) => {
            b.remove(found);
            false
        }
        None => true,
    });
}

/// The kind in a plain name.
fn kind(name: &str) -> &str {
    name.split_once(' ').map_or(name, |(kind, _)| kind)
}

/// Whether a field tells where things stand. A phase is a promise of its own: none may be left out.
fn may_be_merged(path: &Path) -> bool {
    let text = path.to_string();
    text.starts_with("status.") && text != "status.phase"
}

/// Whether `short` is `long` without some values on the way from one value to another one.
///
/// A value that comes and goes, so that the field is what it was before, is on no way.
fn passes_by(long: &[Turn], short: &[Turn]) -> bool {
    let mut wanted = short.iter();
    let mut next = wanted.next();
    let mut before = None;
    for turn in long {
        if next == Some(turn) {
            (before, next) = (Some(turn), wanted.next());
        } else if next.is_none() || before.is_none_or(|before| before == turn) {
            return false;
        }
    }
    next.is_none()
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), |value| cut(&value.to_string(), VALUE_WIDTH))
}
