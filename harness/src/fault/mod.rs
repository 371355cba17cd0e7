//! Faults between the subject and the API server.
//!
//! A [`FaultProxy`] stands in the subject's kubeconfig in place of the API server. It passes everything on
//! until a scenario arms a [`Fault`](crate::scenario::fault::Fault): a refusal, a delay, a connection that is
//! cut before or after the API server has acted, or the death of the subject right before or right after one
//! of its writes. Watches that run can be closed, declared expired, or held back, so that the subject acts on
//! a stale view.
//!
//! Which request meets which fault is decided by pure code (`armed`, `api_request`); the proxy only does it.

mod api_request;
mod armed;
mod certificate;
mod disturbance;
mod error;
mod gate;
mod proxy;
mod status;
mod stream;

pub use self::error::FaultError;
pub use self::proxy::FaultProxy;
