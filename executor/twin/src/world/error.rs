//! Why a world cannot be read.

/// Why a world file or a snapshot cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// It is not what a world file looks like.
    #[error("not a world: {0}")]
    Parse(String),
    /// A file cannot be read.
    #[error("{path}: cannot be read")]
    Read {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Its content does not fit.
    #[error("{0}")]
    Content(String),
}
