//! A real Kubernetes control plane on loopback, for tests.
//!
//! etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok run as plain processes on
//! 127.0.0.1; there is no container and no kubelet. kwok plays the kubelet of every Node annotated
//! `kwok.x-k8s.io/node: fake`. Helm 3, Helm 4 and kubectl come with it.
//!
//! A test that wants the cluster of the whole run, which is the usual case, asks for it:
//!
//! ```no_run
//! let access = switchback_cluster::Access::from_env()?;
//! println!("{}", access.kubeconfig.display());
//! # Ok::<(), switchback_cluster::Error>(())
//! ```
//!
//! and is run as `cluster test -- cargo test -p switchback-contract`. A test that breaks its cluster
//! on purpose starts one of its own:
//!
//! ```no_run
//! use switchback_cluster::{Cluster, Toolchain};
//! let dir = std::env::temp_dir().join("my-cluster");
//! let cluster = Cluster::start(&Toolchain::build()?, &dir)?;
//! cluster.kubectl().run(&["get", "namespaces"])?;
//! cluster.stop();
//! # Ok::<(), switchback_cluster::Error>(())
//! ```

mod access;
mod argv;
mod cache;
mod cluster;
mod controller;
mod error;
mod golang;
mod host;
mod kubeconfig;
mod kubectl;
mod modules;
mod pki;
mod ports;
mod process;
mod record;
pub mod smoke;
mod toolchain;
mod watchdog;

pub use access::{Access, HELM3, HELM4, KUBECONFIG, KUBECTL};
pub use cluster::Cluster;
pub use controller::{Beside, Built, Controller};
pub use error::Error;
pub use host::run;
pub use kubectl::Kubectl;
pub use record::down;
pub use toolchain::{BIN, Toolchain, default_run_dir};
