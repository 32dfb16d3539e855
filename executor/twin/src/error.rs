//! What goes wrong with a twin itself.

/// Why a call got no answer.
#[derive(Debug, thiserror::Error)]
pub enum TwinError {
    /// A fault took the answer; the effect stands.
    #[error("connection closed before the answer (injected fault)")]
    AnswerLost,
    /// The request could not be read.
    #[error("the request body could not be read: {0}")]
    Body(String),
    /// The socket could not be opened.
    #[error("the twin cannot listen")]
    Listen(#[source] std::io::Error),
    /// A launcher could not be written.
    #[error("a launcher cannot be written")]
    Launcher(#[source] std::io::Error),
}
