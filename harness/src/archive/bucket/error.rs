//! Why a store did not do what it was asked for.

use std::fmt;

use crate::archive::ObjectAddress;

/// Where instances of clouds tell their credentials. It is asked last, so trouble with it means that there are none.
const METADATA: &str = "169.254.169.254";

/// A request to an S3-compatible store that was not answered as it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The environment holds something that is no setting.
    #[error("{asked}; help: look at the variables that begin with AWS_")]
    Settings {
        /// What was asked for.
        asked: Box<Asked>,
        /// What the client said.
        #[source]
        source: Box<object_store::Error>,
    },
    /// There are no credentials.
    #[error(
        "{asked}: no credentials; help: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the variables of a role"
    )]
    NoCredentials {
        /// What was asked for.
        asked: Box<Asked>,
    },
    /// The store knows no such bucket.
    #[error(
        "{asked}: {} has no bucket `{}`; help: create it, or set AWS_ENDPOINT_URL and AWS_REGION to the store that has it",
        .asked.endpoint,
        .asked.address.bucket
    )]
    NoBucket {
        /// What was asked for.
        asked: Box<Asked>,
    },
    /// The store refuses the credentials, or they may not do this.
    #[error(
        "{asked}: {} refuses the credentials ({code}); help: look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
         AWS_SESSION_TOKEN, which need s3:GetObject, s3:PutObject and s3:ListBucket",
        .asked.endpoint
    )]
    Refused {
        /// What was asked for.
        asked: Box<Asked>,
        /// The reason of the store: `SignatureDoesNotMatch`.
        code: String,
    },
    /// Any other trouble.
    #[error(
        "{asked}: no answer of use from {}; help: look at AWS_ENDPOINT_URL, and run the same command again when the store \
         answers",
        .asked.endpoint
    )]
    Request {
        /// What was asked for.
        asked: Box<Asked>,
        /// What the client said.
        #[source]
        source: Box<object_store::Error>,
    },
}

/// What a store was asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The step: `look for`, `upload`.
    pub action: &'static str,
    /// The object.
    pub address: ObjectAddress,
    /// The store.
    pub endpoint: String,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.action, self.address)
    }
}

impl StoreError {
    /// What an error of the client means.
    pub(super) fn of(source: object_store::Error, asked: Asked) -> Self {
        use object_store::Error as Cause;

        let asked = Box::new(asked);
        let code = code(&source);
        match (&source, code) {
            (_, Some(code)) if code == "NoSuchBucket" => Self::NoBucket { asked },
            (Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. }, code) => {
                Self::Refused { asked, code: code.unwrap_or_else(|| "no reason given".to_owned()) }
            }
            (Cause::Generic { source: cause, .. }, None) if cause.to_string().contains(METADATA) => {
                Self::NoCredentials { asked }
            }
            _ => Self::Request { asked, source: Box::new(source) },
        }
    }

    /// Whether address, settings or credentials are at fault, so that doing the same again does not help.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Request { .. })
    }

    /// That nothing has this name, in a bucket that is there, is an answer.
    pub(super) fn or_absent<T>(self) -> Result<Option<T>, Self> {
        match &self {
            Self::Request { source, .. } if matches!(**source, object_store::Error::NotFound { .. }) => {
                Ok(None)
            }
            _ => Err(self),
        }
    }
}

/// The error code of the answer of a store, as it stands in its XML. The client keeps the whole answer, but only as
/// text.
fn code(error: &object_store::Error) -> Option<String> {
    let text = error.to_string();
    let (_before, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _after)| code.to_owned())
}
