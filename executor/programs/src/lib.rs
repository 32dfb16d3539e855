//! Drivers that call programs and speak plain HTTP: Helm releases, commands, probes, notifications; and the resolver, which
//! renders charts. What each promises stands in the README of this room.

mod charts;
mod command;
mod helm;
mod notify;
mod os;
mod port;
mod probe;
mod releases;
mod resolve;
mod web;

pub use charts::{Charts, NamedCharts, VerifiedCharts};
pub use command::{CommandDriver, Lookup};
pub use helm::HelmTarget;
pub use notify::NotifyDriver;
pub use os::OsPrograms;
pub use port::{Arg, Exit, Invocation, Programs, RunError, Settled};
pub use probe::ProbeDriver;
pub use releases::HelmDriver;
pub use resolve::{ResolveError, Resolver};
pub use web::{HyperWeb, Web, WebAnswer, WebError, WebRequest};
