//! The drivers against a platform: one body each, run on the twin and on a real API server with the real helm 3 and 4.
//!
//! The real side needs a cluster: `target/debug/cluster test -- cargo test -p switchback-programs --test drivers`. Without
//! one it says that it was not run.

#[cfg(test)]
mod census;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod helm;
#[cfg(test)]
mod karpenter;
#[cfg(test)]
mod kserve;
#[cfg(test)]
mod kube_effects;
#[cfg(test)]
mod observe;
#[cfg(test)]
mod on_node;
#[cfg(test)]
mod rollouts;
#[cfg(test)]
mod scene;
