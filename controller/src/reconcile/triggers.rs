//! Which events of a watch passes are called for, and when.

use futures::{Stream, StreamExt as _, stream};
use kube::Resource;
use kube::runtime::reflector::Store;
use kube::runtime::watcher::{self, Event};
use tracing::warn;

/// Changes as they come, and everything that a list has brought when the list is complete: only then does
/// the cache show it, and a pass that is called before decides on what was there before.
///
/// A broken watch is logged and left out. It is tried again by the pauses of its own stream, see
/// [`super::backoff::WatchBackoff`]; to an error that it sees the controller runtime adds a pause of all
/// watches of the controller, of up to a minute.
pub(super) fn triggers<K>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
    cache: Store<K>,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    events.flat_map(move |event| {
        let change = match event {
            Ok(Event::InitDone) => {
                let listed = cache.state().into_iter();
                return stream::iter(listed.map(|object| Ok(Event::Apply(K::clone(&object))))).right_stream();
            }
            Ok(Event::Init | Event::InitApply(_)) => None,
            Ok(change @ (Event::Apply(_) | Event::Delete(_))) => Some(Ok(change)),
            Err(error) => {
                warn!(kind = %K::kind(&()), "watch failed: {error}");
                None
            }
        };
        stream::iter(change).left_stream()
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt as _;
    use kube::core::ObjectMeta;
    use kube::runtime::WatchStreamExt as _;
    use kube::runtime::reflector;

    use super::*;

    fn object(name: &str, version: &str) -> ConfigMap {
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some("ns".to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    /// A list of several pages takes its time, and the cache is as before until it is complete.
    #[tokio::test]
    async fn nobody_is_called_before_the_cache_shows_what_a_list_brought() {
        let (cache, writer) = reflector::store();
        let events = stream::iter([
            Ok(Event::Apply(object("a", "1"))),
            Ok(Event::Init),
            Ok(Event::InitApply(object("a", "5"))),
            Ok(Event::InitApply(object("b", "6"))),
            Ok(Event::InitDone),
            Ok(Event::Delete(object("b", "7"))),
        ]);
        let triggers = triggers(events.reflect(writer), cache.clone()).touched_objects();
        let seen = triggers.map(|object| {
            let name = object.unwrap().name_any();
            let cached = cache.get(&reflector::ObjectRef::new(&name).within("ns"));
            (name, cached.and_then(|cached| cached.resource_version()))
        });
        let mut seen: Vec<_> = seen.collect().await;
        seen[1..3].sort();
        let version = |version: &str| Some(version.to_owned());
        let expected = [("a", version("1")), ("a", version("5")), ("b", version("6")), ("b", None)];
        assert_eq!(seen, expected.map(|(name, version)| (name.to_owned(), version)));
    }

    /// [LC-18] The runtime would answer an error with a pause of all watches.
    #[tokio::test]
    async fn a_broken_watch_is_nothing_to_the_runtime() {
        let events =
            stream::iter([Err(watcher::Error::NoResourceVersion), Ok(Event::Apply(object("a", "1")))]);
        let triggers = triggers(events, reflector::store().0).applied_objects();
        let names: Vec<_> = triggers.map(|object| object.unwrap().name_any()).collect().await;
        assert_eq!(names, ["a"]);
    }
}
