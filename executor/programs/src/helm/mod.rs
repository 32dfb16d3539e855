//! The program `helm`: the calls that are made of it, and how its answers are read.

pub(crate) mod values;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::Value;
use switchback_executor::{
    ports::{Classify as _, Failure},
    untrusted::text,
};
use switchback_schemas::{
    Version,
    journal::{Class, Evidence},
    name::ObjectName,
};

use crate::port::{Arg, Exit, Invocation, Programs, RunError, slot};

/// How long a call that only reads may run.
const READING: Duration = Duration::from_mins(2);

/// Revisions that are kept and looked at.
pub(crate) const HISTORY: &str = "10";

/// The oldest helm that is tried.
const OLDEST: &str = "3.17";

/// Which helm, and which cluster it speaks to.
#[derive(Clone, Debug, Default)]
pub struct HelmTarget {
    /// The program; `helm` on `PATH` when it is left out.
    pub program: Option<String>,
    /// The kubeconfig; helm's own choice when it is left out.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig.
    pub context: Option<String>,
}

/// Calls helm.
#[derive(Clone)]
pub(crate) struct Helm {
    programs: Arc<dyn Programs>,
    target: HelmTarget,
}

/// One line of `helm history`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Entry {
    /// Its number.
    pub(crate) revision: u64,
    /// `deployed`, `superseded`, `failed`, `pending-upgrade`, …
    pub(crate) status: String,
    /// When it was last written.
    #[serde(default)]
    pub(crate) updated: String,
}

/// The revisions of a release, rising; none when there is no such release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History(pub(crate) Vec<Entry>);

impl History {
    /// The last revision.
    pub(crate) fn last(&self) -> Option<&Entry> {
        self.0.last()
    }

    /// The last deployed revision.
    pub(crate) fn deployed(&self) -> Option<&Entry> {
        self.0.iter().rev().find(|entry| entry.status == "deployed")
    }

    /// The revision whose values an upgrade starts from: the deployed one, else the last.
    pub(crate) fn current(&self) -> Option<&Entry> {
        self.deployed().or(self.last())
    }

    /// A revision that a rollback can go to.
    pub(crate) fn has_good(&self, revision: u64) -> bool {
        let good = |entry: &&Entry| matches!(entry.status.as_str(), "deployed" | "superseded");
        self.0.iter().filter(good).any(|entry| entry.revision == revision)
    }
}

impl Helm {
    pub(crate) fn new(programs: Arc<dyn Programs>, target: HelmTarget) -> Self {
        Self { programs, target }
    }

    pub(crate) fn programs(&self) -> &dyn Programs {
        &*self.programs
    }

    /// The slot in which a release is written.
    pub(crate) fn slot(release: &ObjectName) -> String {
        slot(&["helm", release.namespace.as_deref().unwrap_or_default(), &release.name])
    }

    /// Calls helm with the cluster's flags.
    pub(crate) async fn call(
        &self,
        slot: String,
        args: Vec<Arg>,
        files: BTreeMap<String, Vec<u8>>,
        within: Duration,
    ) -> Result<Exit, RunError> {
        let mut words = vec![Arg::from(self.target.program.as_deref().unwrap_or("helm"))];
        words.extend(args);
        if let Some(kubeconfig) = &self.target.kubeconfig {
            words.extend([Arg::from("--kubeconfig"), kubeconfig.to_string_lossy().into_owned().into()]);
        }
        if let Some(context) = &self.target.context {
            words.extend([Arg::from("--kube-context"), context.clone().into()]);
        }
        self.programs.run(&Invocation { slot, argv: words, env: BTreeMap::new(), files, within }).await
    }

    /// A call that only reads. It must succeed.
    pub(crate) async fn read(&self, slot: String, args: &[&str]) -> Result<String, Failure> {
        let exit = self.read_exit(slot, args).await?;
        if exit.is_success() { Ok(exit.printed()) } else { Err(failed(args, &exit)) }
    }

    async fn read_exit(&self, slot: String, args: &[&str]) -> Result<Exit, Failure> {
        let args = args.iter().map(|arg| Arg::from(*arg)).collect();
        self.call(slot, args, BTreeMap::new(), READING).await.map_err(|error| error.failure())
    }

    /// Helm's version; refused when it is one that the calls below were never tried with.
    pub(crate) async fn version(&self) -> Result<Version, Failure> {
        let printed = self.read(slot(&["helm", "version"]), &["version", "--short"]).await?;
        let version: Version = printed
            .trim()
            .parse()
            .map_err(|_| refused(format!("helm does not say its version: {:?}", text::line(&printed))))?;
        let oldest: Version = OLDEST.parse().map_err(|_| refused("the oldest helm has no version"))?;
        if version < oldest || version.major() > 4 {
            return Err(refused(format!(
                "helm {version} is not supported; use helm {OLDEST} or newer, or helm 4"
            )));
        }
        Ok(version)
    }

    /// The revisions of a release.
    pub(crate) async fn history(&self, release: &ObjectName) -> Result<History, Failure> {
        let namespace = namespace(release)?;
        let args = ["history", &release.name, "--namespace", namespace, "--output", "json", "--max", "256"];
        let exit = self.read_exit(format!("{}_read", Self::slot(release)), &args).await?;
        if !exit.is_success() {
            let complaint = String::from_utf8_lossy(&exit.stderr);
            if complaint.contains("release: not found") {
                return Ok(History(Vec::new()));
            }
            return Err(failed(&args, &exit));
        }
        let mut entries: Vec<Entry> = serde_json::from_slice(&exit.stdout)
            .map_err(|error| refused(format!("helm history cannot be read: {error}")))?;
        entries.sort_by_key(|entry| entry.revision);
        Ok(History(entries))
    }

    /// The values that a revision was given by a person; empty when the release is not there.
    pub(crate) async fn values(&self, release: &ObjectName, history: &History) -> Result<Value, Failure> {
        let Some(current) = history.current() else { return Ok(Value::Object(serde_json::Map::new())) };
        let printed = self.get("values", release, current.revision, &["--output", "json"]).await?;
        values::read(&printed)
    }

    /// What helm recorded of a revision: `values`, `manifest`, `hooks`, `metadata`.
    pub(crate) async fn get(
        &self,
        what: &str,
        release: &ObjectName,
        revision: u64,
        more: &[&str],
    ) -> Result<String, Failure> {
        let (namespace, revision) = (namespace(release)?, revision.to_string());
        let args = ["get", what, &release.name, "--namespace", namespace, "--revision", &revision];
        let args: Vec<&str> = args.into_iter().chain(more.iter().copied()).collect();
        self.read(format!("{}_read", Self::slot(release)), &args).await
    }
}

/// A release's namespace; every release has one.
pub(crate) fn namespace(release: &ObjectName) -> Result<&str, Failure> {
    let missing = || refused(format!("release {release} has no namespace"));
    let namespace = release.namespace.as_deref().ok_or_else(missing)?;
    for part in [namespace, release.name.as_str()] {
        // helm would take it for a flag.
        if part.is_empty() || part.starts_with('-') {
            return Err(refused(format!("{part:?} is no name of a release or a namespace")));
        }
    }
    Ok(namespace)
}

pub(crate) fn refused(line: impl AsRef<str>) -> Failure {
    Failure { class: Class::Refused, evidence: Evidence::line(text::line(line.as_ref())) }
}

/// A reading that failed.
pub(crate) fn failed(args: &[&str], exit: &Exit) -> Failure {
    let mut lines = vec![format!("helm {} {}", args.first().copied().unwrap_or_default(), exit.said())];
    lines.extend(exit.complaint());
    Failure { class: class_of(&String::from_utf8_lossy(&exit.stderr)), evidence: Evidence(lines) }
}

/// What kind of failure helm's complaint tells of. helm has one exit code for everything, so its words decide.
pub(crate) fn class_of(complaint: &str) -> Class {
    let complaint = complaint.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| complaint.contains(part));
    if complaint.contains("admission webhook") && complaint.contains("denied the request") {
        Class::Vetoed
    } else if says(&[
        "failed calling webhook",
        "etcdserver: ",
        "the server is currently unable to handle the request",
        "cluster unreachable",
        "connection refused",
        "i/o timeout",
        "no such host",
        "connection reset",
        ": eof",
        "unexpected eof",
    ]) {
        Class::Unreachable
    } else if says(&[
        "another operation (install/upgrade/rollback) is in progress",
        "the object has been modified",
    ]) {
        Class::Conflict
    } else if says(&["too many requests", "exceeded quota", "no space left on device", "disk quota exceeded"])
    {
        Class::Throttled
    } else if (says(&["is forbidden"]) && says(&[" cannot "])) || says(&["unauthorized", "must be logged in"])
    {
        Class::Denied
    } else if says(&["timed out waiting", "context deadline exceeded"]) {
        Class::Deadline
    } else {
        Class::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(statuses: &[&str]) -> History {
        let entry = |(i, status): (usize, &&str)| Entry {
            revision: i as u64 + 1,
            status: (*status).to_owned(),
            updated: String::new(),
        };
        History(statuses.iter().enumerate().map(entry).collect())
    }

    #[test]
    fn an_upgrade_starts_from_the_deployed_revision() {
        let pending = history(&["superseded", "deployed", "pending-upgrade"]);
        assert_eq!(pending.current().unwrap().revision, 2);
        assert_eq!(history(&["failed"]).current().unwrap().revision, 1);
        assert_eq!(history(&[]).current(), None);
    }

    #[test]
    fn p37_only_good_revisions_can_be_gone_back_to() {
        let history = history(&["superseded", "failed", "deployed"]);
        assert!(history.has_good(1));
        assert!(!history.has_good(2));
        assert!(!history.has_good(9));
    }

    #[test]
    fn the_words_of_both_helms_are_understood() {
        for complaint in
            ["Error: Kubernetes cluster unreachable: x", "Error: kubernetes cluster unreachable: y"]
        {
            assert_eq!(class_of(complaint), Class::Unreachable);
        }
        let pending = "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress";
        assert_eq!(class_of(pending), Class::Conflict);
        assert_eq!(class_of("Error: UPGRADE FAILED: execution error at (x)"), Class::Refused);
    }

    #[test]
    fn b7_what_is_blocked_waits_and_what_is_refused_is_final() {
        for (complaint, class) in [
            ("pods is forbidden: User \"r\" cannot create resource \"pods\"", Class::Denied),
            ("pods \"x\" is forbidden: exceeded quota: gpu", Class::Throttled),
            ("write /tmp/x: no space left on device", Class::Throttled),
            (
                "Internal error occurred: failed calling webhook \"v.x\": context deadline exceeded",
                Class::Unreachable,
            ),
            ("admission webhook \"v.x\" denied the request: connection refused by policy", Class::Vetoed),
            ("pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"", Class::Refused),
            (
                "StatefulSet.apps \"x\" is invalid: spec: Forbidden: updates to statefulset spec",
                Class::Refused,
            ),
            ("Secret \"x\" exists and cannot be imported into the current release", Class::Refused),
            ("unable to build kubernetes objects: unknown field \"spec.replicaz\"", Class::Refused),
        ] {
            let complaint = format!("Error: UPGRADE FAILED: {complaint}");
            assert_eq!(class_of(&complaint), class, "{complaint}");
        }
    }

    #[test]
    fn names_that_helm_would_take_for_flags_are_refused() {
        assert!(namespace(&ObjectName::namespaced("a", "--kubeconfig=x")).is_err());
        assert!(namespace(&ObjectName::cluster("x")).is_err());
        assert_eq!(namespace(&ObjectName::namespaced("a", "b")).unwrap(), "a");
    }
}
