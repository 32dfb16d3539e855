//! The Go modules under `tests/cluster/go` and what is built from each.
//!
//! One module graph per program: Kubernetes, Helm 3, Helm 4, kwok and etcd each want their own
//! versions of the same libraries, and `replace` would apply to all of them. Versions are written
//! in go.mod alone; everything here reads them from there.

use crate::Error;

/// A Go module and the programs built from it in one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Module {
    /// Its folder under `tests/cluster/go`.
    pub(crate) name: &'static str,
    pub(crate) go_mod: &'static str,
    pub(crate) go_sum: &'static str,
    pub(crate) programs: &'static [Program],
    /// Folders of the required module that are kept beside the programs.
    pub(crate) folders: &'static [Folder],
    /// The requirement whose version is `{version}`, `{major}` and `{minor}` below.
    pub(crate) requirement: &'static str,
    /// Variables set at link time; `{client_minor}` is the minor of `k8s.io/client-go`.
    pub(crate) variables: &'static [(&'static str, &'static str)],
}

/// One program of a module.
#[derive(Debug)]
pub(crate) struct Program {
    /// The file name it gets.
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
}

/// A folder of a module's source that its programs need at run time.
#[derive(Debug)]
pub(crate) struct Folder {
    /// Its path in the module.
    pub(crate) from: &'static str,
    /// What it is called beside the programs.
    pub(crate) to: &'static str,
}

const CLIENT_GO: &str = "k8s.io/client-go";

macro_rules! module {
    ($name:literal) => {
        (include_str!(concat!("../go/", $name, "/go.mod")), include_str!(concat!("../go/", $name, "/go.sum")))
    };
}

const KUBERNETES_FILES: (&str, &str) = module!("kubernetes");
const ETCD_FILES: (&str, &str) = module!("etcd");
const KWOK_FILES: (&str, &str) = module!("kwok");
const HELM3_FILES: (&str, &str) = module!("helm3");
const HELM4_FILES: (&str, &str) = module!("helm4");
const ARGO_WORKFLOWS_FILES: (&str, &str) = module!("argo-workflows");
const GPU_OPERATOR_FILES: (&str, &str) = module!("gpu-operator");
const KARPENTER_FILES: (&str, &str) = module!("karpenter");

/// Every module of the control plane, the longest build first.
pub(crate) const MODULES: &[Module] = &[
    Module {
        name: "kubernetes",
        go_mod: KUBERNETES_FILES.0,
        go_sum: KUBERNETES_FILES.1,
        programs: &[
            Program { name: "kube-apiserver", package: "k8s.io/kubernetes/cmd/kube-apiserver" },
            Program {
                name: "kube-controller-manager",
                package: "k8s.io/kubernetes/cmd/kube-controller-manager",
            },
            Program { name: "kube-scheduler", package: "k8s.io/kubernetes/cmd/kube-scheduler" },
            Program { name: "kubectl", package: "k8s.io/kubernetes/cmd/kubectl" },
        ],
        folders: &[],
        requirement: "k8s.io/kubernetes",
        // Without these the API server takes itself for v0.0.0-master and its compatibility version
        // falls back to a constant in the source. A module says nothing about its commit; the default
        // is the placeholder that `git archive` would have filled.
        variables: &[
            ("k8s.io/component-base/version.gitVersion", "{version}"),
            ("k8s.io/component-base/version.gitMajor", "{major}"),
            ("k8s.io/component-base/version.gitMinor", "{minor}"),
            ("k8s.io/component-base/version.gitCommit", ""),
            ("k8s.io/client-go/pkg/version.gitVersion", "{version}"),
            ("k8s.io/client-go/pkg/version.gitMajor", "{major}"),
            ("k8s.io/client-go/pkg/version.gitMinor", "{minor}"),
            ("k8s.io/client-go/pkg/version.gitCommit", ""),
        ],
    },
    Module {
        name: "etcd",
        go_mod: ETCD_FILES.0,
        go_sum: ETCD_FILES.1,
        programs: &[Program { name: "etcd", package: "go.etcd.io/etcd/server/v3" }],
        folders: &[],
        requirement: "go.etcd.io/etcd/server/v3",
        variables: &[],
    },
    Module {
        name: "kwok",
        go_mod: KWOK_FILES.0,
        go_sum: KWOK_FILES.1,
        programs: &[Program { name: "kwok", package: "sigs.k8s.io/kwok/cmd/kwok" }],
        folders: &[],
        requirement: "sigs.k8s.io/kwok",
        variables: &[],
    },
    Module {
        name: "helm3",
        go_mod: HELM3_FILES.0,
        go_sum: HELM3_FILES.1,
        programs: &[Program { name: "helm3", package: "helm.sh/helm/v3/cmd/helm" }],
        folders: &[],
        requirement: "helm.sh/helm/v3",
        // Helm 3 renders with these when it has no cluster; its own default is Kubernetes 1.20.
        variables: &[
            ("helm.sh/helm/v3/internal/version.version", "{version}"),
            ("helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor", "1"),
            ("helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor", "{client_minor}"),
            ("helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor", "1"),
            ("helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor", "{client_minor}"),
        ],
    },
    Module {
        name: "helm4",
        go_mod: HELM4_FILES.0,
        go_sum: HELM4_FILES.1,
        programs: &[Program { name: "helm4", package: "helm.sh/helm/v4/cmd/helm" }],
        folders: &[],
        requirement: "helm.sh/helm/v4",
        variables: &[("helm.sh/helm/v4/internal/version.version", "{version}")],
    },
];

/// A controller that a test runs beside a control plane.
pub(crate) const ARGO_WORKFLOWS: &Module = &Module {
    name: "argo-workflows",
    go_mod: ARGO_WORKFLOWS_FILES.0,
    go_sum: ARGO_WORKFLOWS_FILES.1,
    programs: &[Program {
        name: "workflow-controller",
        package: "github.com/argoproj/argo-workflows/v3/cmd/workflow-controller",
    }],
    folders: &[Folder { from: "manifests/base/crds/full", to: "crds" }],
    requirement: "github.com/argoproj/argo-workflows/v3",
    variables: &[("github.com/argoproj/argo-workflows/v3.version", "{version}")],
};

/// Another.
pub(crate) const GPU_OPERATOR: &Module = &Module {
    name: "gpu-operator",
    go_mod: GPU_OPERATOR_FILES.0,
    go_sum: GPU_OPERATOR_FILES.1,
    programs: &[Program { name: "gpu-operator", package: "github.com/NVIDIA/gpu-operator/cmd/gpu-operator" }],
    folders: &[
        Folder { from: "config/crd/bases", to: "crds" },
        Folder { from: "assets", to: "assets" },
        Folder { from: "manifests", to: "manifests" },
    ],
    requirement: "github.com/NVIDIA/gpu-operator",
    variables: &[],
};

/// Karpenter's core with the provider that makes nodes for kwok.
pub(crate) const KARPENTER: &Module = &Module {
    name: "karpenter",
    go_mod: KARPENTER_FILES.0,
    go_sum: KARPENTER_FILES.1,
    programs: &[Program { name: "karpenter", package: "sigs.k8s.io/karpenter/kwok" }],
    folders: &[
        Folder { from: "pkg/apis/crds", to: "crds" },
        Folder { from: "kwok/apis/crds", to: "provider-crds" },
    ],
    requirement: "sigs.k8s.io/karpenter",
    variables: &[("sigs.k8s.io/karpenter/pkg/operator.Version", "{version}")],
};

/// Every module of a controller.
#[cfg(test)]
pub(crate) const CONTROLLERS: [&Module; 3] = [ARGO_WORKFLOWS, GPU_OPERATOR, KARPENTER];

impl Module {
    /// The version that go.mod pins for the program itself.
    pub(crate) fn version(&self) -> Result<&'static str, Error> {
        required(self.go_mod, self.requirement)
            .ok_or(Error::GoMod { module: self.name, path: self.requirement })
    }

    /// What goes after `-ldflags`.
    pub(crate) fn ldflags(&self) -> Result<String, Error> {
        let unreadable = |path| move || Error::GoMod { module: self.name, path };
        let version = self.version()?;
        let (major, minor) = major_minor(version).ok_or_else(unreadable(self.requirement))?;
        let mut flags = String::from("-s -w");
        for (variable, template) in self.variables {
            let mut value =
                template.replace("{version}", version).replace("{major}", major).replace("{minor}", minor);
            if value.contains("{client_minor}") {
                let (_, client_minor) = required(self.go_mod, CLIENT_GO)
                    .and_then(major_minor)
                    .ok_or_else(unreadable(CLIENT_GO))?;
                value = value.replace("{client_minor}", client_minor);
            }
            flags.push_str(" -X ");
            flags.push_str(variable);
            flags.push('=');
            flags.push_str(&value);
        }
        Ok(flags)
    }
}

/// The version a go.mod requires of a module path.
fn required<'a>(go_mod: &'a str, path: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip_while(|word| *word == "require");
        (words.next() == Some(path)).then(|| words.next()).flatten().filter(|version| *version != "=>")
    })
}

fn major_minor(version: &str) -> Option<(&str, &str)> {
    let mut parts = version.strip_prefix('v')?.split('.');
    Some((parts.next()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_is_read_in_a_block_alone_and_not_from_a_replacement() {
        let go_mod = "module x\nrequire a.b/c v1.2.3 // indirect\nrequire (\n\ta.b/d v0.9.0\n)\n\
                      replace (\n\ta.b/e => a.b/e v7.0.0\n)\n";
        assert_eq!(required(go_mod, "a.b/c"), Some("v1.2.3"));
        assert_eq!(required(go_mod, "a.b/d"), Some("v0.9.0"));
        assert_eq!(required(go_mod, "a.b/e"), None);
        assert_eq!(required(go_mod, "a.b"), None);
    }

    #[test]
    fn every_module_pins_its_programs_and_fills_every_placeholder() {
        for module in MODULES.iter().chain(CONTROLLERS) {
            let flags = module.ldflags().unwrap();
            assert!(!flags.contains('{'), "{}: {flags}", module.name);
            for program in module.programs {
                assert!(
                    module.go_mod.contains(program.package),
                    "{}: go.mod names no tool {}",
                    module.name,
                    program.package
                );
            }
            assert!(module.go_sum.contains(module.requirement), "{}", module.name);
        }
    }

    #[test]
    fn the_api_server_is_told_its_version() {
        let kubernetes = MODULES.iter().find(|module| module.name == "kubernetes").unwrap();
        let version = kubernetes.version().unwrap();
        let flag = format!("-X k8s.io/component-base/version.gitVersion={version}");
        assert!(kubernetes.ldflags().unwrap().contains(&flag));
    }
}
