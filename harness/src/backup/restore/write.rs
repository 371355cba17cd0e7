//! The writes of one object: create, and at once its status.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::judge::{Action, judge, owners, status_of};
use super::target::Step;
use crate::backup::api::{ApiError, ObjectApi};
use crate::backup::defects::Defect;
use crate::backup::kind::Kind;
use crate::backup::portable::Owner;
use crate::backup::verify::Stored;

/// How often somebody else may get in between before a status is given up.
const RACES: u32 = 5;

/// What became of an object.
#[derive(Debug)]
pub(super) enum Written {
    /// It was created, with its status.
    Created,
    /// Only its status was missing.
    Completed,
    /// It was there.
    Unchanged,
    /// Another object has its name.
    Other {
        /// What is different.
        differences: Vec<String>,
    },
    /// It is not as it should be.
    Failed {
        /// Why.
        reason: String,
        /// Whether the API server said so; else there was no answer.
        refused: bool,
    },
}

impl Written {
    fn failed(error: &ApiError, step: &str) -> Self {
        Self::Failed { reason: format!("{step}: {}", error.reason()), refused: error.is_refusal() }
    }
}

/// Group and kind, namespace, name.
type Identity = (String, Option<String>, String);

/// Writes objects and remembers the uids of those that others may name as owners.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    api: &'a ObjectApi,
    uids: Mutex<HashMap<Identity, String>>,
}

impl<'a> Writer<'a> {
    /// A writer that knows the objects that were there before.
    pub(super) fn new(api: &'a ObjectApi, steps: &[Step<'_>]) -> Self {
        let writer = Self { api, uids: Mutex::default() };
        for step in steps {
            if let Some(uid) = &step.uid {
                writer.know(step.kind, step.stored, uid);
            }
        }
        writer
    }

    /// Does what the step asks for. Doing it twice is doing it once.
    pub(super) async fn write(&self, step: &Step<'_>) -> Written {
        let Step { kind, stored, action, uid: _ } = step;
        match action {
            Action::Create => self.create(kind, stored).await,
            Action::WriteStatus(live) => match self.status(kind, stored, (**live).clone()).await {
                Written::Created => Written::Completed,
                other => other,
            },
            Action::Unchanged | Action::Keep { .. } => Written::Unchanged,
            Action::Conflict { differences } => Written::Other { differences: differences.clone() },
            Action::Terminating => {
                Written::Failed { reason: "it is being deleted".to_owned(), refused: true }
            }
        }
    }

    async fn create(&self, kind: &Kind, stored: &Stored) -> Written {
        let mut object = stored.value.clone();
        if kind.status
            && let Value::Object(fields) = &mut object
        {
            fields.shift_remove("status");
        }
        if let Err(reason) = self.own(stored, &mut object) {
            return Written::Failed { reason, refused: true };
        }
        match self.api.create(kind, &object, false).await {
            Ok(live) => {
                self.remember(kind, stored, &live);
                self.status(kind, stored, live).await
            }
            // Somebody was quicker, or the answer to our own create was lost.
            Err(error) if error.is_already_exists() && !Defect::LostAnswerIsConflict.is_planted() => {
                self.settle(kind, stored).await
            }
            Err(error) => Written::failed(&error, "create"),
        }
    }

    /// Decides by what is there now.
    async fn settle(&self, kind: &Kind, stored: &Stored) -> Written {
        let live = match self.api.get(kind, stored.path.namespace.as_deref(), &stored.path.name).await {
            Ok(live) => live,
            Err(error) => return Written::failed(&error, "read again"),
        };
        match judge(kind, stored, live.as_ref()) {
            Action::Unchanged => {
                self.remember(kind, stored, &live.unwrap_or_default());
                Written::Created
            }
            Action::WriteStatus(live) => {
                self.remember(kind, stored, &live);
                self.status(kind, stored, *live).await
            }
            Action::Keep { .. } => Written::Unchanged,
            Action::Conflict { differences } => Written::Other { differences },
            Action::Create => {
                Written::Failed { reason: "it vanished while it was restored".to_owned(), refused: true }
            }
            Action::Terminating => {
                Written::Failed { reason: "it is being deleted".to_owned(), refused: true }
            }
        }
    }

    /// Writes the status onto the live object, if the archive has one.
    async fn status(&self, kind: &Kind, stored: &Stored, mut live: Value) -> Written {
        if !kind.status {
            return Written::Created;
        }
        for _ in 0..RACES {
            let Some(status) = status_of(stored, &live) else { return Written::Created };
            if let Value::Object(fields) = &mut live {
                fields.insert("status".to_owned(), status);
            }
            if let Some(Value::Object(metadata)) = live.get_mut("metadata")
                && Defect::NewerStatusOverwritten.is_planted()
            {
                metadata.shift_remove("resourceVersion");
            }
            let error = match self.api.replace(kind, &live, true).await {
                Ok(_written) => return Written::Created,
                Err(error) => error,
            };
            if !error.is_conflict() {
                return Written::failed(&error, "write the status");
            }
            // Somebody changed the object, or the answer to our own write was lost.
            match self.api.get(kind, stored.path.namespace.as_deref(), &stored.path.name).await {
                Ok(Some(found)) => match judge(kind, stored, Some(&found)) {
                    Action::Unchanged => return Written::Created,
                    Action::WriteStatus(_missing) => live = found,
                    _other => {
                        let reason = "somebody else changed it before its status was written".to_owned();
                        return Written::Failed { reason, refused: true };
                    }
                },
                Ok(None) => break,
                Err(error) => return Written::failed(&error, "read again"),
            }
        }
        let reason = "it kept changing while its status was written".to_owned();
        Written::Failed { reason, refused: true }
    }

    /// Gives ownerReferences the uids that the owners have now.
    fn own(&self, stored: &Stored, object: &mut Value) -> Result<(), String> {
        let mut references = Vec::new();
        for reference in owners(&stored.value) {
            let owner = Owner::of(reference);
            let uid = self.uid(&owner, stored.path.namespace.as_deref());
            let mut uid =
                uid.ok_or_else(|| format!("its owner {} {} is not there", owner.kind, owner.name))?;
            if Defect::OwnersKeepTheirUids.is_planted() {
                "00000000-0000-4000-8000-000000000000".clone_into(&mut uid);
            }
            let mut reference = reference.clone();
            if let Value::Object(fields) = &mut reference {
                fields.insert("uid".to_owned(), uid.into());
            }
            references.push(reference);
        }
        if let Some(Value::Object(metadata)) = object.get_mut("metadata")
            && !references.is_empty()
        {
            metadata.insert("ownerReferences".to_owned(), references.into());
        }
        Ok(())
    }

    fn uid(&self, owner: &Owner, namespace: Option<&str>) -> Option<String> {
        let uids = self.uids.lock().unwrap_or_else(PoisonError::into_inner);
        let key = |namespace: Option<&str>| {
            (format!("{}/{}", owner.group, owner.kind), namespace.map(str::to_owned), owner.name.clone())
        };
        uids.get(&key(namespace)).or_else(|| uids.get(&key(None))).cloned()
    }

    fn remember(&self, kind: &Kind, stored: &Stored, live: &Value) {
        if let Some(uid) = live.pointer("/metadata/uid").and_then(Value::as_str) {
            self.know(kind, stored, uid);
        }
    }

    fn know(&self, kind: &Kind, stored: &Stored, uid: &str) {
        let of = format!("{}/{}", kind.group, kind.kind);
        let key = (of, stored.path.namespace.clone(), stored.path.name.clone());
        self.uids.lock().unwrap_or_else(PoisonError::into_inner).insert(key, uid.to_owned());
    }
}
