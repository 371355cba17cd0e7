//! A run that may start takes its key, unless another one has it.

use kube::ResourceExt as _;
use tracing::info;

use crate::api::AgentRun;
use crate::decide::idempotency::{Key, Owner, Taken, Verdict, judge};
use crate::store::StoreError;

use super::super::context::Context;
use super::super::error::Error;
use super::Keys;

/// How often a key is tried that somebody else takes or gives back at the same moment.
const ATTEMPTS: u32 = 3;

/// Whether a run has its key.
pub(crate) enum Claimed {
    /// It has, or has none.
    Own,
    /// Another run has it.
    Taken(Taken),
    /// The database cannot be used.
    Unavailable,
}

/// Takes the key of a run that is about to start. The run has it from here on, whatever happens to this
/// process: it is found again as its owner by the next attempt.
pub(crate) async fn claim(run: &AgentRun, context: &Context) -> Result<Claimed, Error> {
    let (Some(keys), Some(key)) = (&context.keys, Key::of(run)) else { return Ok(Claimed::Own) };
    let me = Owner::of(run);
    for _ in 0..ATTEMPTS {
        let Some(postgres) = keys.ready() else { return Ok(Claimed::Unavailable) };
        let owner = match postgres.claim(&key, &me).await {
            Ok(owner) => owner,
            Err(error) => return Ok(keys.unavailable(&error)),
        };
        if owner == me {
            keys.metrics.key("claimed");
            return Ok(Claimed::Own);
        }
        let named = if owner.name == me.name { None } else { read(&owner.name, run, context).await? };
        match judge(run, &owner, named.as_ref()) {
            Verdict::Taken(taken) => {
                keys.metrics.key("refused");
                return Ok(Claimed::Taken(taken));
            }
            Verdict::Own | Verdict::Free => match postgres.replace(&key, &owner, &me).await {
                Ok(true) => {
                    keys.metrics.key("reclaimed");
                    info!(namespace = key.namespace, from = owner.name, by = me.name, "key reclaimed");
                    return Ok(Claimed::Own);
                }
                Ok(false) => {}
                Err(error) => return Ok(keys.unavailable(&error)),
            },
        }
    }
    Err(Error::Claim { run: run.name_any() })
}

/// The run of this name in the namespace of `run`, as the API server has it: what is decided on it is final.
async fn read(name: &str, run: &AgentRun, context: &Context) -> Result<Option<AgentRun>, Error> {
    context.api::<AgentRun>(run).get_opt(name).await.map_err(|source| Error::ReadReference {
        kind: "AgentRun",
        name: name.to_owned(),
        source,
    })
}

impl Keys {
    fn unavailable(&self, error: &StoreError) -> Claimed {
        self.metrics.key("unavailable");
        self.failed(error);
        Claimed::Unavailable
    }
}
