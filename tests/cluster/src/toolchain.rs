//! The programs a cluster is made of, and where they are.

use std::path::{Path, PathBuf};

use crate::{
    Error, cache, golang, host,
    modules::{MODULES, Module},
};

/// Names a directory that holds all the programs; nothing is built then.
pub const BIN: &str = "SWITCHBACK_CLUSTER_BIN";

/// Paths of the programs.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// etcd.
    pub etcd: PathBuf,
    /// kube-apiserver.
    pub kube_apiserver: PathBuf,
    /// kube-controller-manager.
    pub kube_controller_manager: PathBuf,
    /// kube-scheduler.
    pub kube_scheduler: PathBuf,
    /// kwok, which plays the kubelets.
    pub kwok: PathBuf,
    /// kubectl.
    pub kubectl: PathBuf,
    /// Helm 3.
    pub helm3: PathBuf,
    /// Helm 4.
    pub helm4: PathBuf,
}

impl Toolchain {
    /// Finds the programs without building any.
    pub fn locate() -> Result<Self, Error> {
        if let Some(dir) = host::path_var(BIN) {
            return Self::in_directory(&dir);
        }
        let mut missing = Vec::new();
        for module in MODULES {
            if golang::built(module)?.is_none() {
                missing.push(module.name);
            }
        }
        if missing.is_empty() {
            Self::from_modules(golang::build)
        } else {
            Err(Error::NotBuilt { modules: missing })
        }
    }

    /// Finds the programs and builds those that are missing, which takes minutes the first time.
    pub fn build() -> Result<Self, Error> {
        Self::build_with(|_| {})
    }

    /// As [`Toolchain::build`], with a line of progress before and after each module that is built.
    pub fn build_with(mut progress: impl FnMut(&str)) -> Result<Self, Error> {
        if let Some(dir) = host::path_var(BIN) {
            return Self::in_directory(&dir);
        }
        Self::from_modules(|module| golang::found_or_built(module, &mut progress))
    }

    /// Every program.
    pub fn programs(&self) -> [&Path; 8] {
        [
            &self.etcd,
            &self.kube_apiserver,
            &self.kube_controller_manager,
            &self.kube_scheduler,
            &self.kwok,
            &self.kubectl,
            &self.helm3,
            &self.helm4,
        ]
    }

    fn from_modules(mut place: impl FnMut(&Module) -> Result<PathBuf, Error>) -> Result<Self, Error> {
        let mut programs = Vec::new();
        for module in MODULES {
            let bin = place(module)?;
            programs.extend(module.programs.iter().map(|program| bin.join(program.name)));
        }
        let find = |name: &str| programs.iter().find(|path| path.ends_with(name)).cloned();
        Self::from_names(find).map_err(|programs| Error::BinIncomplete { dir: PathBuf::new(), programs })
    }

    fn in_directory(dir: &Path) -> Result<Self, Error> {
        let find = |name: &str| Some(dir.join(name)).filter(|path| path.is_file());
        Self::from_names(find).map_err(|programs| Error::BinIncomplete { dir: dir.to_owned(), programs })
    }

    /// All of them, or the names of those that are missing.
    fn from_names(find: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, Vec<&'static str>> {
        let mut missing = Vec::new();
        let mut get = |name: &'static str| {
            find(name).unwrap_or_else(|| {
                missing.push(name);
                PathBuf::new()
            })
        };
        let toolchain = Self {
            etcd: get("etcd"),
            kube_apiserver: get("kube-apiserver"),
            kube_controller_manager: get("kube-controller-manager"),
            kube_scheduler: get("kube-scheduler"),
            kwok: get("kwok"),
            kubectl: get("kubectl"),
            helm3: get("helm3"),
            helm4: get("helm4"),
        };
        if missing.is_empty() { Ok(toolchain) } else { Err(missing) }
    }
}

/// Where `cluster up` keeps a cluster when it is not told.
pub fn default_run_dir() -> Result<PathBuf, Error> {
    Ok(cache::root()?.join("run"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_lacks_programs_is_refused_by_their_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["etcd", "kube-apiserver", "kubectl", "kwok", "kube-scheduler", "helm4"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let message = Toolchain::in_directory(dir.path()).unwrap_err().to_string();
        assert!(message.contains("SWITCHBACK_CLUSTER_BIN is "), "{message}");
        assert!(message.ends_with("does not hold: kube-controller-manager, helm3"), "{message}");
    }

    #[test]
    fn the_modules_hold_every_program() {
        let toolchain = Toolchain::from_modules(|module| Ok(Path::new("/bin-of").join(module.name))).unwrap();
        assert_eq!(toolchain.helm3, Path::new("/bin-of/helm3/helm3"));
        assert_eq!(toolchain.kube_scheduler, Path::new("/bin-of/kubernetes/kube-scheduler"));
    }

    #[test]
    fn a_machine_without_go_is_told_what_was_not_run() {
        assert_eq!(
            Error::GoMissing.to_string(),
            "Go is not installed and SWITCHBACK_CLUSTER_BIN is not set: the real-cluster suite was not run"
        );
    }
}
