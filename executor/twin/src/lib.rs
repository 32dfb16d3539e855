//! A digital twin of the platform; shares no code with the drivers.
//!
//! A [`World`] holds the objects, the clock and what is going to happen. A [`Twin`] is a handle on
//! one that calls go through: [`Twin::kube`] in process, [`serve`] on loopback, [`Twin::run_program`]
//! for helm. What it promises is the table in `tests/contract/README.md`.

#![allow(clippy::single_match_else, reason = "both cases of an object that may be there are named")]

mod actors;
mod api;
mod cloud;
mod error;
mod fault;
mod fields;
mod helm;
mod kinds;
mod program;
mod twin;
mod wire;
mod world;

pub use cloud::state as aws;
pub use fault::{Fault, FaultKind};
pub use program::{ProgramCall, ProgramResult};
pub use twin::Twin;
pub use wire::{Clocking, Handle, KubeService, TwinBody, serve, write_launchers};
pub use world::{
    Assign, Change, ChangeKind, Chart, CloudTimings, Converter, DeleteOptions, Key, LogEntry, Propagation,
    Settings, Timings, World, WorldError,
};

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
