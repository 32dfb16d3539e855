//! Drivers and observers that speak to a Kubernetes API server.
//!
//! [`KubeDriver`] carries out the effects that are Kubernetes calls, asks conditions, captures and lists the members of a
//! roll; [`observe`] reads an inventory and cannot write. What each promises stands in the README of this room.

mod api;
mod caller;
mod candidates;
mod captures;
mod census;
mod claims;
mod conditions;
mod connect;
mod driver;
mod dry;
mod effects;
mod fields;
mod helm;
mod nodes;
mod observe;
mod platform_claim;
mod pods;
mod release_backup;
mod release_records;
mod services;
mod target;

use api::classify;

pub use caller::caller;
pub use connect::{ConnectError, client};
pub use driver::{IO_DEADLINE, KubeDriver};
pub use dry::dry;
pub use nodes::CORDONED_BY;
pub use observe::{Observing, observe};
pub use platform_claim::{CLAIM_NAME, CLAIM_NAMESPACE, LeaseClaim};
