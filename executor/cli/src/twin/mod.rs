//! Platforms that are twins: how one is recognised, spoken to, and how its clock becomes ours.

mod clock;
mod control;
mod in_flight;
mod kubeconfig;

pub(crate) use clock::TwinClock;
pub(crate) use control::{Control, ControlError};
pub(crate) use in_flight::InFlight;
#[cfg(feature = "twin")]
pub(crate) use kubeconfig::mark;
pub(crate) use kubeconfig::{Mark, marked};
