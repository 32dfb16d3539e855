//! The drivers against a platform: one body each, run on the twin and on a real API server with the real helm 3 and 4.
//!
//! The real side needs a cluster: `target/debug/cluster test -- cargo test -p switchback-programs --test drivers`. Without
//! one it says that it was not run.

mod drain;
mod helm;
mod kube_effects;
mod observe;
mod scene;
