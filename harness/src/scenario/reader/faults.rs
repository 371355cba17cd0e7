//! Faults, from documents to what the proxy is told.

use http::StatusCode;

use super::Reader;
use crate::diagnostic::Diagnostic;
use crate::scenario::document::{FaultDocument, VerbDocument, WatchEnd, WatchFaultDocument};
use crate::scenario::duration;
use crate::scenario::fault::{Effect, Fault, Party, Selector, VerbSelector, WatchEffect, WatchFault};
use crate::scenario::step::Action;
use crate::yaml::{Located, Location};

impl Reader<'_> {
    pub(super) fn fault(&mut self, fault: FaultDocument, at: &Location) -> Option<(Action, String)> {
        let of = fault.of;
        if let (Party::Recovery, Some(_)) = (of, fault.kill) {
            self.problems.push(
                Diagnostic::new(at.clone(), "a fault kills the controller only")
                    .with_help("write `restore: {archive: …, killed: {atWrite: 1}}`"),
            );
            return None;
        }
        let verb = match fault.on.verb.map(VerbDocument::verb) {
            None => VerbSelector::Any,
            Some(None) => VerbSelector::Write,
            Some(Some(verb)) => VerbSelector::One(verb),
        };
        let nth = self.count(fault.nth.as_ref(), "nth")?;
        let times = self.count(fault.times.as_ref(), "times")?;
        let answer = match &fault.answer {
            Some(code) => Some(Effect::Answer(self.refusal(code)?)),
            None => None,
        };
        let delay = match &fault.delay {
            Some(text) => Some(Effect::Delay(duration::read(text, self.problems)?)),
            None => None,
        };
        let ways = [answer, delay, fault.cut.map(Effect::Cut), fault.kill.map(Effect::Kill)];
        let mut named = ways.into_iter().flatten();
        let (Some(effect), None) = (named.next(), named.next()) else {
            self.problems.push(
                Diagnostic::new(at.clone(), "say exactly once what happens to the requests")
                    .with_help("write one of `answer: 409`, `delay: 2s`, `cut: after`, `kill: after`"),
            );
            return None;
        };
        let on = Selector { verb, resource: fault.on.resource, name: fault.on.name };
        let fault = Fault { on, nth, times, effect, optional: fault.optional };
        let summary = format!("fault: {fault}");
        Some((Action::Fault { of, fault }, summary))
    }

    pub(super) fn watches(&mut self, document: WatchFaultDocument) -> Option<(Action, String)> {
        let effect = match (document.end.value, &document.duration) {
            (WatchEnd::Closed, None) => WatchEffect::Closed,
            (WatchEnd::Expired, None) => WatchEffect::Expired,
            (WatchEnd::Silent, Some(text)) => WatchEffect::Silent(duration::read(text, self.problems)?),
            (WatchEnd::Silent, None) => {
                let problem = Diagnostic::new(document.end.location, "how long are they silent?");
                self.problems.push(problem.with_help("add `for: 2s`"));
                return None;
            }
            (WatchEnd::Closed | WatchEnd::Expired, Some(text)) => {
                let message = "only silence has a duration";
                self.problems.push(Diagnostic::new(text.location.clone(), message));
                return None;
            }
        };
        let summary = format!("watches of {} become {effect}", document.of);
        Some((Action::Watches(WatchFault { resource: document.of, effect }), summary))
    }

    /// A number that begins at 1.
    fn count(&mut self, number: Option<&Located<u32>>, key: &str) -> Option<u32> {
        match number {
            Some(Located { value: 0, location }) => {
                self.problems.push(Diagnostic::new(location.clone(), format!("`{key}` begins at 1")));
                None
            }
            Some(number) => Some(number.value),
            None => Some(1),
        }
    }

    fn refusal(&mut self, code: &Located<u16>) -> Option<StatusCode> {
        let known = StatusCode::from_u16(code.value).ok();
        let refusal = known.filter(|code| code.is_client_error() || code.is_server_error());
        if refusal.is_none() {
            let message = format!("{} refuses nothing", code.value);
            self.problems.push(
                Diagnostic::new(code.location.clone(), message)
                    .with_help("status codes of refusals are 400 to 599, for example 409, 429, 500"),
            );
        }
        refusal
    }
}
