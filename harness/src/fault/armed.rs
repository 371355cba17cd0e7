//! Which request meets which fault.

use super::api_request::ApiRequest;
use crate::scenario::fault::{Effect, Fault, Selector, VerbSelector};

/// The faults of a scenario, and how often each was asked for.
#[derive(Debug, Default)]
pub(super) struct Armed {
    faults: Vec<(Fault, u32)>,
    /// Those that count no longer.
    over: Vec<(Fault, u32)>,
}

impl Armed {
    /// From now on requests are counted for this fault.
    pub(super) fn add(&mut self, fault: Fault) {
        self.faults.push((fault, 0));
    }

    /// What happens to a request: every fault counts it, the first that is due decides.
    pub(super) fn meet(&mut self, request: &ApiRequest) -> Option<Effect> {
        let mut effect = None;
        for (fault, seen) in &mut self.faults {
            if !means(&fault.on, request) {
                continue;
            }
            *seen = seen.saturating_add(1);
            let due = *seen >= fault.nth && *seen - fault.nth < fault.times;
            if due && effect.is_none() {
                effect = Some(fault.effect);
            }
        }
        effect
    }

    /// Nothing happens any more; what was armed is kept for [`Armed::unmet`].
    pub(super) fn disarm(&mut self) {
        let over = std::mem::take(&mut self.faults);
        self.over.extend(over);
    }

    /// The first fault that met no request although the scenario needs it to.
    pub(super) fn unmet(&self) -> Option<&Fault> {
        let mut all = self.over.iter().chain(&self.faults);
        all.find(|(fault, seen)| *seen < fault.nth && !fault.optional).map(|(fault, _)| fault)
    }
}

/// Whether a selector means a request.
fn means(selector: &Selector, request: &ApiRequest) -> bool {
    let verb = match selector.verb {
        VerbSelector::Any => true,
        VerbSelector::Write => request.changes(),
        VerbSelector::One(verb) => request.verb == verb,
    };
    let named = selector.name.as_ref().is_none_or(|name| *name == request.name);
    verb && named
        && match &selector.resource {
            Some(resource) => *resource == request.resource,
            None => !request.is_bookkeeping(),
        }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::scenario::fault::{Moment, Verb};

    fn request(verb: Verb, resource: &str) -> ApiRequest {
        ApiRequest {
            verb,
            resource: resource.to_owned(),
            namespace: "one".to_owned(),
            name: String::new(),
            dry_run: false,
        }
    }

    fn fault(verb: VerbSelector, resource: Option<&str>, nth: u32, times: u32) -> Fault {
        let on = Selector { verb, resource: resource.map(str::to_owned), name: None };
        Fault { on, nth, times, effect: Effect::Answer(StatusCode::CONFLICT), optional: false }
    }

    #[test]
    fn only_the_asked_requests_of_a_row_are_met() {
        let mut armed = Armed::default();
        armed.add(fault(VerbSelector::One(Verb::Create), Some("jobs"), 2, 2));
        let met: Vec<bool> = (0..5).map(|_| armed.meet(&request(Verb::Create, "jobs")).is_some()).collect();
        assert_eq!(met, [false, true, true, false, false]);
        assert_eq!(armed.meet(&request(Verb::Patch, "jobs")), None);
        assert_eq!(armed.meet(&request(Verb::Create, "jobs/status")), None);
        assert_eq!(armed.unmet(), None);
    }

    #[test]
    fn a_write_is_everything_that_changes_something_but_leases_and_events() {
        let mut armed = Armed::default();
        armed.add(fault(VerbSelector::Write, None, 1, 100));
        for verb in [Verb::Get, Verb::List, Verb::Watch] {
            assert_eq!(armed.meet(&request(verb, "jobs")), None, "{verb}");
        }
        for verb in [Verb::Create, Verb::Update, Verb::Patch, Verb::Delete, Verb::DeleteCollection] {
            assert!(armed.meet(&request(verb, "jobs")).is_some(), "{verb}");
        }
        assert_eq!(armed.meet(&request(Verb::Update, "leases")), None);
        assert_eq!(armed.meet(&request(Verb::Create, "events")), None);
    }

    #[test]
    fn a_fault_with_a_name_meets_no_other_object() {
        let mut armed = Armed::default();
        let one = fault(VerbSelector::One(Verb::Update), Some("jobs/status"), 1, 100);
        let on = Selector { name: Some("one".to_owned()), ..one.on.clone() };
        armed.add(Fault { on, ..one });
        let named = |name: &str| ApiRequest { name: name.to_owned(), ..request(Verb::Update, "jobs/status") };
        assert_eq!(armed.meet(&named("other")), None);
        assert!(armed.meet(&named("one")).is_some());
    }

    #[test]
    fn what_is_only_tried_is_no_write() {
        let mut armed = Armed::default();
        armed.add(fault(VerbSelector::Write, None, 1, 100));
        let tried = ApiRequest { dry_run: true, ..request(Verb::Create, "jobs") };
        assert_eq!(armed.meet(&tried), None);
        assert!(armed.meet(&request(Verb::Create, "jobs")).is_some());
    }

    #[test]
    fn bookkeeping_is_met_where_it_is_named() {
        let mut armed = Armed::default();
        armed.add(fault(VerbSelector::Write, Some("leases"), 1, 1));
        assert!(armed.meet(&request(Verb::Update, "leases")).is_some());
    }

    #[test]
    fn a_fault_that_met_nothing_is_told_unless_it_is_optional() {
        let mut armed = Armed::default();
        let needed = fault(VerbSelector::Write, None, 3, 1);
        armed.add(Fault { optional: true, ..needed.clone() });
        assert_eq!(armed.unmet(), None);
        armed.add(needed.clone());
        armed.meet(&request(Verb::Create, "jobs"));
        assert_eq!(armed.unmet(), Some(&needed));
    }

    #[test]
    fn after_the_end_nothing_is_met() {
        let mut armed = Armed::default();
        armed.add(fault(VerbSelector::Write, None, 1, 1));
        armed.disarm();
        assert_eq!(armed.meet(&request(Verb::Create, "a")), None);
        assert!(armed.unmet().is_some());
    }

    #[test]
    fn the_first_fault_decides_and_all_count() {
        let mut armed = Armed::default();
        armed.add(fault(VerbSelector::Write, None, 1, 1));
        let second = fault(VerbSelector::Write, None, 2, 1);
        armed.add(Fault { effect: Effect::Cut(Moment::After), ..second });
        assert_eq!(armed.meet(&request(Verb::Create, "a")), Some(Effect::Answer(StatusCode::CONFLICT)));
        assert_eq!(armed.meet(&request(Verb::Create, "a")), Some(Effect::Cut(Moment::After)));
    }
}
