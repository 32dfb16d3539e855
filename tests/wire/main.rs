//! Integration tests over real sockets and processes: the built commands, against the twin and, where there is one, against
//! a real API server. Nothing here calls into our own code except to read documents.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; their helpers are not marked as tests"
)]

mod accidents;
mod argo_workflows;
mod back;
mod back_plan;
mod beside;
mod by_hand;
mod census;
mod claims;
mod closing;
mod cloud;
mod codes;
mod continued;
mod crash;
mod deletions;
mod docs;
mod evidence;
mod examples;
mod files;
mod gangs;
mod gpu;
mod gpu_driver;
mod gpu_image;
mod handovers;
mod hostile_text;
mod kserve;
mod kserve_backup;
mod kserve_split;
mod logs;
mod loud;
mod people;
mod platform;
mod real;
mod road;
mod rocm_driver;
mod secrets;
mod signed;
mod support;
mod verifications;
