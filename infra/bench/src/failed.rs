//! Why a section could not be measured.

use std::path::PathBuf;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The chain or its engine.
    #[error("the chain: {0}")]
    Chain(#[from] koppel_core::Failure),
    /// A world of the chaos runner.
    #[error("a world: {0}")]
    World(#[from] koppel_chaos::ChaosError),
    /// A stand-in.
    #[error("the stand-ins: {0}")]
    StandIn(String),
    /// A request to a stand-in.
    #[error("a request: {0}")]
    Request(#[from] reqwest::Error),
    /// A file or a process.
    #[error("{what}: {source}")]
    Io {
        /// Which one.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// JSON or YAML that cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// Something was measured that cannot be used: it says what the run really did.
    #[error("{0}")]
    NotAsExpected(String),
}

impl Failed {
    /// An error of the system, with what it is about.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// A file that cannot be used.
    pub fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        Self::io(PathBuf::from(path).display().to_string())
    }
}

impl From<serde_json::Error> for Failed {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}
