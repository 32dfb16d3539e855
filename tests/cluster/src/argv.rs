//! The command line of each program of the cluster.

use std::path::{Path, PathBuf};

use crate::{Toolchain, pki::Pki};

/// A program to start.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// Where everything of one cluster is.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Data, logs, keys and kubeconfig are under here.
    pub(crate) dir: PathBuf,
    pub(crate) pki: Pki,
    pub(crate) ports: Ports,
}

/// The ports of one cluster. The controller manager and the scheduler serve nothing.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) etcd: u16,
    pub(crate) etcd_peer: u16,
    pub(crate) apiserver: u16,
    pub(crate) kwok: u16,
}

impl Layout {
    pub(crate) fn server(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.apiserver)
    }

    /// The kubeconfig of one user of the cluster. The administrator's is the one for everybody.
    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        if user == self.pki.admin.name {
            self.dir.join("kubeconfig")
        } else {
            self.dir.join("pki").join(format!("{user}.kubeconfig"))
        }
    }

    pub(crate) fn etcd_data(&self) -> PathBuf {
        self.dir.join("etcd")
    }

    pub(crate) fn stages(&self) -> PathBuf {
        self.dir.join("stages.yaml")
    }
}

pub(crate) fn etcd(tools: &Toolchain, layout: &Layout) -> Program {
    let client = format!("http://127.0.0.1:{}", layout.ports.etcd);
    let peer = format!("http://127.0.0.1:{}", layout.ports.etcd_peer);
    program(
        "etcd",
        &tools.etcd,
        [
            flag("data-dir", layout.etcd_data().display()),
            flag("listen-client-urls", &client),
            flag("advertise-client-urls", &client),
            flag("listen-peer-urls", &peer),
            flag("initial-advertise-peer-urls", &peer),
            flag("initial-cluster", format!("default={peer}")),
            // Its data does not outlive a power cut, nor should it.
            "--unsafe-no-fsync".to_owned(),
        ],
    )
}

pub(crate) fn apiserver(tools: &Toolchain, layout: &Layout) -> Program {
    let Layout { pki, ports, .. } = layout;
    program(
        "kube-apiserver",
        &tools.kube_apiserver,
        [
            flag("etcd-servers", format!("http://127.0.0.1:{}", ports.etcd)),
            flag("bind-address", "127.0.0.1"),
            flag("advertise-address", "127.0.0.1"),
            flag("secure-port", ports.apiserver),
            // Endpoints must not be loopback addresses, and there are no pods that would use them.
            flag("endpoint-reconciler-type", "none"),
            flag("cert-dir", layout.dir.join("pki").display()),
            flag("tls-cert-file", pki.serving.display()),
            flag("tls-private-key-file", pki.serving_key.display()),
            flag("client-ca-file", pki.ca.display()),
            flag("authorization-mode", "Node,RBAC"),
            flag("enable-admission-plugins", "NodeRestriction"),
            flag("allow-privileged", true),
            flag("service-cluster-ip-range", "10.0.0.0/16"),
            flag("service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
            flag("service-account-signing-key-file", pki.service_account_key.display()),
            flag("service-account-key-file", pki.service_account_public_key.display()),
            flag("profiling", false),
        ],
    )
}

pub(crate) fn controller_manager(tools: &Toolchain, layout: &Layout) -> Program {
    let pki = &layout.pki;
    program(
        "kube-controller-manager",
        &tools.kube_controller_manager,
        [
            flag("kubeconfig", layout.kubeconfig(pki.controller_manager.name).display()),
            flag("controllers", "*"),
            flag("leader-elect", false),
            flag("use-service-account-credentials", false),
            flag("service-account-private-key-file", pki.service_account_key.display()),
            flag("root-ca-file", pki.ca.display()),
            flag("cluster-signing-cert-file", pki.ca.display()),
            flag("cluster-signing-key-file", pki.ca_key.display()),
            // Its default is a system directory, which it makes.
            flag("flex-volume-plugin-dir", layout.dir.join("volume-plugins").display()),
            // The defaults are meant to spare a server that many share.
            flag("kube-api-qps", 200),
            flag("kube-api-burst", 400),
            flag("secure-port", 0),
        ],
    )
}

pub(crate) fn scheduler(tools: &Toolchain, layout: &Layout) -> Program {
    program(
        "kube-scheduler",
        &tools.kube_scheduler,
        [
            flag("kubeconfig", layout.kubeconfig(layout.pki.scheduler.name).display()),
            flag("leader-elect", false),
            flag("kube-api-qps", 200),
            flag("kube-api-burst", 400),
            flag("secure-port", 0),
        ],
    )
}

pub(crate) fn kwok(tools: &Toolchain, layout: &Layout) -> Program {
    program(
        "kwok",
        &tools.kwok,
        [
            flag("kubeconfig", layout.kubeconfig(layout.pki.admin.name).display()),
            flag("config", layout.stages().display()),
            flag("manage-nodes-with-annotation-selector", "kwok.x-k8s.io/node=fake"),
            // Heartbeats by Lease, as real kubelets do.
            flag("node-lease-duration-seconds", 40),
            flag("cidr", "10.244.0.0/16"),
            flag("node-ip", "127.0.0.1"),
            // Without an address it would listen on every interface.
            flag("server-address", format!("127.0.0.1:{}", layout.ports.kwok)),
            flag("node-port", layout.ports.kwok),
        ],
    )
}

fn program<const N: usize>(name: &'static str, path: &Path, arguments: [String; N]) -> Program {
    Program { name, path: path.to_owned(), arguments: arguments.into(), environment: Vec::new() }
}

pub(crate) fn flag(name: &str, value: impl std::fmt::Display) -> String {
    format!("--{name}={value}")
}
