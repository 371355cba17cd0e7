//! Named defects of this engine: wrong decisions that can be planted to see whether a suite notices them.
//!
//! Each is one condition at the place where the right decision is made. Only builds with the feature
//! `defects` can plant one, for the time of some work with [`planting`], or for a whole process with the
//! variable [`VARIABLE`]. In every other build [`Defect::is_planted`] is a constant and the compiler drops
//! the wrong branch.

mod registry;

pub use registry::Defect;

/// The variable that plants a defect in a process.
pub const VARIABLE: &str = "HALLMARK_DEFECT";

/// Does some work with a defect, as far as this build can have one.
#[cfg(feature = "defects")]
pub async fn planting<F: Future>(defect: Option<Defect>, work: F) -> F::Output {
    planted::PLANTED.scope(defect, work).await
}

/// Does some work with a defect, as far as this build can have one.
#[cfg(not(feature = "defects"))]
pub async fn planting<F: Future>(_defect: Option<Defect>, work: F) -> F::Output {
    work.await
}

#[cfg(feature = "defects")]
mod planted {
    use std::sync::OnceLock;

    use super::{Defect, VARIABLE};

    tokio::task_local! {
        /// The defect of the work that runs.
        pub(super) static PLANTED: Option<Defect>;
    }

    static OF_PROCESS: OnceLock<Option<Defect>> = OnceLock::new();

    /// The defect at this place, at this moment.
    pub(super) fn planted() -> Option<Defect> {
        let of_work = PLANTED.try_with(|planted| *planted).ok().flatten();
        of_work.or_else(|| {
            let read = || std::env::var(VARIABLE).ok().and_then(|name| Defect::named(&name));
            *OF_PROCESS.get_or_init(read)
        })
    }
}

impl Defect {
    /// The defect of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|defect| defect.name() == name.trim())
    }

    /// Whether the work that runs has the defect.
    #[cfg(feature = "defects")]
    pub fn is_planted(self) -> bool {
        planted::planted() == Some(self)
    }

    /// Whether the work that runs has the defect, which none in this build has.
    #[cfg(not(feature = "defects"))]
    pub const fn is_planted(self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
