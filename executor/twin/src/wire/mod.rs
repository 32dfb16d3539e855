//! How the twin is reached: in process as a `tower` service, on loopback over HTTP.

mod body;
mod control;
mod in_flight;
mod launchers;
mod listen;
mod service;

pub use body::TwinBody;
pub use launchers::write_launchers;
pub use listen::{Clocking, Handle, serve};
pub use service::KubeService;
