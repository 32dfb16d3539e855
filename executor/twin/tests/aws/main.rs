//! The twin's AWS over the wire: requests as an SDK sends them, on a world with an EKS cluster and its database.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may"
)]

mod cluster;
mod database;
mod identity;
mod mlflow;
mod nodegroups;
mod scene;
