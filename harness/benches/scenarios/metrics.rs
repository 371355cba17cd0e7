//! Requests that the API server has answered, by its own metrics.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use kube::Client;
use kube::api::{GetParams, Request};

/// Number of requests by verb. Watches count when they begin.
pub(crate) type Requests = BTreeMap<String, f64>;

/// What was answered up to now; that includes the question.
pub(crate) async fn requests(client: &Client) -> Result<Requests> {
    let request = Request::new("").get("metrics", &GetParams::default())?;
    let text = client.request_text(request).await.context("read the metrics of the API server")?;
    Ok(by_verb(&text))
}

fn by_verb(text: &str) -> Requests {
    let mut requests = Requests::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("apiserver_request_total{")) {
        let verb = line.split_once("verb=\"").and_then(|(_, rest)| rest.split_once('"'));
        let count = line.rsplit_once(' ').and_then(|(_, count)| count.parse::<f64>().ok());
        if let (Some((verb, _)), Some(count)) = (verb, count) {
            *requests.entry(verb.to_owned()).or_default() += count;
        }
    }
    requests
}

/// `from` without `what`, `times` as much of it; nothing is less than nothing.
pub(crate) fn without(from: &Requests, what: &Requests, times: f64) -> Requests {
    let rest = |(verb, count): (&String, &f64)| {
        let gone = what.get(verb).copied().unwrap_or_default() * times;
        (verb.clone(), (count - gone).max(0.0))
    };
    from.iter().map(rest).collect()
}
