//! Drivers and observers on AWS: EKS and RDS by their SDKs, a handful of other calls signed by hand.
//!
//! [`AwsDriver`] carries out the effects that are calls of AWS, asks conditions and captures; [`observe`] reads the sections of
//! an inventory and cannot write; [`resolve_addons`] looks versions of add-ons up; [`ClusterToken`] is how EKS knows a caller.
//! What each promises stands in the README of this room.

#![allow(
    clippy::redundant_closure_for_method_calls,
    reason = "a path to a method of the SDK's types is longer than what it says"
)]

mod addons;
mod autoscaling;
mod aws;
mod classify;
mod codes;
mod conditions;
mod driver;
mod effects;
mod eks;
mod json;
mod observe;
mod outcome;
mod proof;
mod rds;
mod targets;
mod time;
mod token;
mod xml;

pub use addons::resolve_addons;
pub use aws::{Aws, AwsSettings, StaticCredentials};
pub use driver::AwsDriver;
pub use observe::{AwsObserved, observe};
pub use token::{ClusterToken, ExecCall, ExecCluster, Token};
