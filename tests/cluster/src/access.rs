//! How a test finds the cluster of the whole test run.

use std::path::{Path, PathBuf};

use crate::{Error, Toolchain, host};

/// Names the kubeconfig of the cluster to test against. Set by `cluster test`, or by a person who
/// brings a cluster.
pub const KUBECONFIG: &str = "SWITCHBACK_KUBECONFIG";
/// Names Helm 3.
pub const HELM3: &str = "SWITCHBACK_HELM3";
/// Names Helm 4.
pub const HELM4: &str = "SWITCHBACK_HELM4";
/// Names kubectl.
pub const KUBECTL: &str = "SWITCHBACK_KUBECTL";

/// A cluster to test against and the clients to do it with.
#[derive(Debug, Clone)]
pub struct Access {
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// Helm 3, if there is one.
    pub helm3: Option<PathBuf>,
    /// Helm 4, if there is one.
    pub helm4: Option<PathBuf>,
    /// kubectl, if there is one.
    pub kubectl: Option<PathBuf>,
}

impl Access {
    /// What the environment names. [`Error::NoAccess`] if it names no cluster: a suite says then
    /// that it was not run.
    pub fn from_env() -> Result<Self, Error> {
        Ok(Self {
            kubeconfig: host::path_var(KUBECONFIG).ok_or(Error::NoAccess)?,
            helm3: host::path_var(HELM3),
            helm4: host::path_var(HELM4),
            kubectl: host::path_var(KUBECTL),
        })
    }

    /// A cluster and the programs of a toolchain.
    pub fn new(kubeconfig: &Path, tools: &Toolchain) -> Self {
        Self { kubeconfig: kubeconfig.to_owned(), helm3: None, helm4: None, kubectl: None }
            .or_programs_of(tools)
    }

    /// The same, with the programs of a toolchain where none is named yet.
    #[must_use]
    pub fn or_programs_of(mut self, tools: &Toolchain) -> Self {
        self.helm3.get_or_insert_with(|| tools.helm3.clone());
        self.helm4.get_or_insert_with(|| tools.helm4.clone());
        self.kubectl.get_or_insert_with(|| tools.kubectl.clone());
        self
    }

    /// The environment variables that say all this.
    pub fn variables(&self) -> Vec<(&'static str, &Path)> {
        let programs = [(HELM3, &self.helm3), (HELM4, &self.helm4), (KUBECTL, &self.kubectl)];
        let programs = programs.into_iter().filter_map(|(name, path)| Some((name, path.as_deref()?)));
        std::iter::once((KUBECONFIG, self.kubeconfig.as_path())).chain(programs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_becomes_a_variable() {
        let access =
            Access { kubeconfig: "/k".into(), helm3: None, helm4: Some("/bin/helm4".into()), kubectl: None };
        let expected = vec![(KUBECONFIG, Path::new("/k")), (HELM4, Path::new("/bin/helm4"))];
        assert_eq!(access.variables(), expected);
    }
}
