//! All kinds, as consistent as the API server allows.
//!
//! One list of one kind shows one moment. Several lists do so if all kinds share one datastore: the first
//! list tells its revision and the others are asked for exactly that one. Nothing promises that they share
//! it, so it is probed. Else everything is read twice: if nothing differs, nothing changed in between.

use std::collections::BTreeMap;

use serde_json::Value;

use super::assemble::KindList;
use crate::backup::api::{ApiError, Listed, ObjectApi, Which};
use crate::backup::defects::Defect;
use crate::backup::kind::{Kind, Role};
use crate::backup::manifest::{Listing, Method};
use crate::event::EventSink;

/// How often each way is tried before the next weaker one.
const ATTEMPTS: u32 = 3;

const PHASE: &str = "reading the cluster";

/// What is read, and from where.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) api: &'a ObjectApi,
    pub(super) kinds: &'a [Kind],
    /// Empty means all.
    pub(super) namespaces: &'a [String],
    pub(super) events: &'a EventSink,
}

impl Reader<'_> {
    /// Everything, by the strongest way that works.
    pub(super) async fn read(&self) -> Result<(Vec<KindList>, Listing), ApiError> {
        let mut attempts = 0;
        if self.share_a_datastore().await? {
            for _ in 0..ATTEMPTS {
                attempts += 1;
                match self.exactly().await {
                    Ok((lists, revision)) => {
                        let listing = Listing { method: Method::Exact, revision: Some(revision), attempts };
                        return Ok((lists, listing));
                    }
                    // The revision was compacted while it was read: a newer one may last longer.
                    Err(error) if error.is_gone() => {}
                    Err(error) if error.is_refusal() => {
                        tracing::debug!(%error, reason = error.reason(), "no list at an exact revision");
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        let mut before = self.each().await?;
        attempts += 1;
        for _ in 0..ATTEMPTS {
            let after = self.each().await?;
            attempts += 1;
            if same(&before, &after) {
                return Ok((after, Listing { method: Method::DoubleCollect, revision: None, attempts }));
            }
            before = after;
        }
        Ok((before, Listing { method: Method::PerKind, revision: None, attempts }))
    }

    /// Whether the revisions of all kinds come from one counter, as far as can be seen: asked one after the
    /// other and the first one again, they never go back. Two counters would have to be equal for that.
    async fn share_a_datastore(&self) -> Result<bool, ApiError> {
        let mut seen = Vec::new();
        for kind in self.kinds.iter().chain(self.kinds.first()) {
            seen.push(self.api.revision(kind).await?);
        }
        Ok(seen.is_sorted() && seen.first().is_some_and(|first| *first > 0))
    }

    /// All kinds and namespaces at the revision of the first list.
    async fn exactly(&self) -> Result<(Vec<KindList>, String), ApiError> {
        let mut revision: Option<String> = None;
        let mut lists = Vec::new();
        for kind in self.kinds {
            lists.push(self.list(kind, Some(&mut revision)).await?);
        }
        Ok((lists, revision.unwrap_or_default()))
    }

    /// Every list at a moment of its own.
    async fn each(&self) -> Result<Vec<KindList>, ApiError> {
        let mut lists = Vec::new();
        for kind in self.kinds {
            lists.push(self.list(kind, None).await?);
        }
        Ok(lists)
    }

    /// One kind, at a common moment if there is one; the first list of all decides which that is.
    async fn list(&self, kind: &Kind, mut common: Option<&mut Option<String>>) -> Result<KindList, ApiError> {
        self.events.progress(PHASE, kind.resource());
        let mut all = KindList { kind: kind.clone(), resource_versions: Vec::new(), items: Vec::new() };
        for place in self.places(kind) {
            let moment = common.as_deref().and_then(Option::as_deref);
            let moment = moment.filter(|_| !Defect::MomentsMixed.is_planted());
            let Listed { resource_version, items } = match moment {
                Some(revision) => self.api.list(kind, Which { revision: Some(revision), ..place }).await?,
                None => self.fresh(kind, place).await?,
            };
            if let Some(common) = &mut common {
                common.get_or_insert_with(|| resource_version.clone());
            }
            all.resource_versions.push(resource_version);
            all.items.extend(items);
        }
        Ok(all)
    }

    /// The lists that one kind takes.
    fn places(&self, kind: &Kind) -> Vec<Which<'_>> {
        let names = || self.namespaces.iter().map(String::as_str);
        match kind.role {
            _ if self.namespaces.is_empty() => vec![Which::default()],
            Role::Namespace => names().map(|name| Which { name: Some(name), ..Which::default() }).collect(),
            _ if kind.namespaced => {
                names().map(|name| Which { namespace: Some(name), ..Which::default() }).collect()
            }
            _ => vec![Which::default()],
        }
    }

    /// The present state. A moment that is gone between two pages means to begin again: the token that comes
    /// with the refusal would go on at another moment.
    async fn fresh(&self, kind: &Kind, which: Which<'_>) -> Result<Listed, ApiError> {
        for _ in 1..ATTEMPTS {
            match self.api.list(kind, which).await {
                Err(error) if error.is_gone() => {}
                outcome => return outcome,
            }
        }
        self.api.list(kind, which).await
    }
}

/// Whether two readings found the same versions of the same objects.
fn same(one: &[KindList], other: &[KindList]) -> bool {
    let versions = |lists: &[KindList]| -> BTreeMap<String, String> {
        let items = lists.iter().flat_map(|list| &list.items);
        let text = |item: &Value, pointer: &str| {
            item.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        items.map(|item| (text(item, "/metadata/uid"), text(item, "/metadata/resourceVersion"))).collect()
    };
    versions(one) == versions(other)
}
