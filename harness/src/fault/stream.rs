//! The body of an answer on its way to the subject; watches can be disturbed while they run.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Bytes, Frame};
use kube::client::Body;
use tokio::sync::broadcast;

use super::disturbance::Disturbance;
use super::error::Cut;
use super::gate::Gate;
use super::status;
use crate::scenario::fault::WatchEffect;

/// What the proxy answers with.
pub(super) type AnswerBody = StreamBody<BoxStream<'static, Result<Frame<Bytes>, Cut>>>;

/// A body that is there as a whole.
pub(super) fn whole(bytes: Bytes) -> AnswerBody {
    StreamBody::new(stream::once(async { Ok(Frame::data(bytes)) }).boxed())
}

/// A body as the API server sends it, until the subject dies.
pub(super) fn passed(body: Body, gate: Arc<Gate>) -> AnswerBody {
    let frames = body.into_data_stream().map(|data| data.map(Frame::data).map_err(Cut::from));
    let dies = async move { gate.death().await };
    StreamBody::new(frames.take_until(dies).boxed())
}

/// A watch on `resource` that faults can meet.
pub(super) fn watched(
    body: Body,
    resource: String,
    faults: broadcast::Receiver<Arc<Disturbance>>,
    gate: Arc<Gate>,
) -> AnswerBody {
    let watch =
        Watched { events: body.into_data_stream().boxed(), resource, faults, complete: true, over: false };
    let dies = async move { gate.death().await };
    let frames = stream::unfold(watch, |mut watch| async {
        let next = watch.next().await?;
        Some((next, watch))
    });
    StreamBody::new(frames.take_until(dies).boxed())
}

struct Watched {
    events: BoxStream<'static, Result<Bytes, kube::Error>>,
    resource: String,
    faults: broadcast::Receiver<Arc<Disturbance>>,
    /// Whether the last event was delivered as a whole.
    complete: bool,
    over: bool,
}

impl Watched {
    async fn next(&mut self) -> Option<Result<Frame<Bytes>, Cut>> {
        if self.over {
            return None;
        }
        loop {
            tokio::select! {
                biased;
                fault = self.faults.recv() => match fault {
                    Ok(fault) => {
                        let Some(effect) = fault.meet(&self.resource) else { continue };
                        if let Some(last) = self.disturbed(effect).await {
                            return Some(last);
                        }
                    }
                    // After faults in such numbers that some were dropped the next one counts.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
                event = self.events.next() => {
                    let event = event?;
                    if let Ok(bytes) = &event {
                        self.complete = bytes.last() == Some(&b'\n');
                    }
                    return Some(event.map(Frame::data).map_err(Cut::from));
                }
            }
        }
    }

    /// The last that the subject hears of the watch, unless it goes on.
    async fn disturbed(&mut self, effect: WatchEffect) -> Option<Result<Frame<Bytes>, Cut>> {
        match effect {
            WatchEffect::Silent(time) => {
                tokio::time::sleep(time).await;
                None
            }
            WatchEffect::Expired if self.complete => {
                self.over = true;
                Some(Ok(Frame::data(status::expired().into())))
            }
            // In the middle of an event nothing can be said.
            WatchEffect::Expired | WatchEffect::Closed => {
                self.over = true;
                Some(Err(Cut::Wanted))
            }
        }
    }
}
