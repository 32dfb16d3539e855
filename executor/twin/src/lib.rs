//! A digital twin of the platform; shares no code with the drivers.
//!
//! A [`World`] holds the objects, the clock and what is going to happen. A [`Twin`] is a handle on
//! one that calls go through: [`Twin::kube`] in process, [`serve`] on loopback, [`Twin::run_program`]
//! for helm. What it promises is the table in `tests/contract/README.md`.
//!
//! The rooms, each of which knows only those before it: `kinds`, `world`, `kube`, `helm`, `cloud`, `apps`. Who acts in a world
//! is joined in `cast`, and given to it.

#![allow(clippy::single_match_else, reason = "both cases of an object that may be there are named")]

mod apps;
mod call;
mod cast;
mod cloud;
mod error;
mod fault;
mod helm;
mod kinds;
mod kube;
mod network;
mod program;
mod twin;
mod wire;
mod world;
mod world_file;

pub use apps::{App, AppKind};
pub use error::TwinError;
pub use fault::{Fault, FaultKind};
pub use network::BadAnswer;
pub use program::{ProgramCall, ProgramResult};
pub use twin::Twin;
pub use wire::{Clocking, Handle, KubeService, TwinBody, serve, write_launchers};
pub use world::{
    Assign, Change, ChangeKind, Chart, CloudTimings, Converter, DeleteOptions, Key, LogEntry, Propagation,
    Settings, Timings, World, WorldError,
};

/// What the provider knows: the section `cloud:` of a world file, and the same thing while the world runs.
pub mod aws {
    pub use crate::cloud::Cloud;
    pub use crate::cloud::ec2::{CapacityReservation, Subnet};
    pub use crate::cloud::eks::state::{
        Addon, AddonStatus, AddonVersion, Cluster, DeprecatedUse, Drain, Eks, ErrorDetail, Insight,
        InsightCategory, InsightStatus, Instance, InstanceState, Minor, Nodegroup, NodegroupStatus, Refresh,
        Roll, Scaling, SupportType, Taint, Template, Update, UpdateConfig, UpdateParam, UpdateStatus,
        UpdateType, Upgrade,
    };
    pub use crate::cloud::identity::{AccessKey, Role};
    pub use crate::cloud::rds::state::{
        Database, Instance as DbInstance, Operation, OperationStatus, Rds, Settings as DbSettings,
        Snapshot as DbSnapshot, SnapshotStatus,
    };
}
