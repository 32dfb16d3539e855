//! How a kubeconfig says that its cluster is a twin: an extension of the cluster, which other clients carry along and
//! ignore.
//!
//! ```yaml
//! clusters:
//! - name: twin
//!   cluster:
//!     server: http://127.0.0.1:41234
//!     extensions:
//!     - name: switchback.dev/twin
//!       extension:
//!         endpoint: http://127.0.0.1:41234   # where /_twin/… answers
//!         helm: /tmp/t/bin/helm              # the launcher that plays helm on it
//!         follows: false                     # whether its clock follows real time by itself
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_yaml::Value;
use switchback_face::documents::{self, DocumentError};

const NAME: &str = "switchback.dev/twin";

/// What a kubeconfig says of a twin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    /// Where its control endpoints are.
    pub(crate) endpoint: String,
    /// The program that plays helm on it.
    pub(crate) helm: PathBuf,
    /// Whether its clock follows real time by itself; else it moves when somebody waits.
    #[serde(default)]
    pub(crate) follows: bool,
}

/// A twin's kubeconfig with its mark.
#[cfg(any(test, feature = "twin"))]
pub(crate) fn mark(kubeconfig: &str, mark: &Mark) -> Result<String, serde_yaml::Error> {
    use serde_yaml::Mapping;
    let mut config: Value = serde_yaml::from_str(kubeconfig)?;
    let mut extension = Mapping::new();
    extension.insert("name".into(), NAME.into());
    extension.insert("extension".into(), serde_yaml::to_value(mark)?);
    let clusters = config.get_mut("clusters").and_then(Value::as_sequence_mut);
    for cluster in clusters.into_iter().flatten().filter_map(|entry| entry.get_mut("cluster")) {
        if let Some(cluster) = cluster.as_mapping_mut() {
            cluster.insert("extensions".into(), Value::Sequence(vec![Value::Mapping(extension.clone())]));
        }
    }
    serde_yaml::to_string(&config)
}

/// The mark of a context's cluster; `None` when it is no twin.
pub(crate) fn marked(path: &Path, context: Option<&str>) -> Result<Option<Mark>, DocumentError> {
    let text = documents::text(path)?;
    find(&text, context).map_err(|error| DocumentError::unusable(path, &error))
}

fn find(text: &str, context: Option<&str>) -> Result<Option<Mark>, serde_yaml::Error> {
    let config: Value = serde_yaml::from_str(text)?;
    let named = |list: &str, name: &str| {
        let entries = config.get(list)?.as_sequence()?;
        entries.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some(name)).cloned()
    };
    let context = context.or_else(|| config.get("current-context")?.as_str());
    let extensions = context
        .and_then(|name| named("contexts", name)?.get("context")?.get("cluster")?.as_str().map(str::to_owned))
        .and_then(|name| named("clusters", &name)?.get("cluster")?.get("extensions")?.as_sequence().cloned());
    let ours = |entry: &Value| entry.get("name").and_then(Value::as_str) == Some(NAME);
    let found = extensions.into_iter().flatten().find(ours);
    found.and_then(|entry| entry.get("extension").cloned()).map(serde_yaml::from_value).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster:\n    server: http://x\ncontexts:\n- name: c\n  context: {cluster: a, user: u}\ncurrent-context: c\n";

    #[test]
    fn a_mark_is_found_again_by_context() {
        let made = Mark { endpoint: "http://127.0.0.1:1".into(), helm: "/b/helm".into(), follows: true };
        let text = mark(PLAIN, &made).unwrap();
        assert_eq!(find(&text, None).unwrap(), Some(made.clone()));
        assert_eq!(find(&text, Some("c")).unwrap(), Some(made));
        assert_eq!(find(&text, Some("other")).unwrap(), None);
    }

    #[test]
    fn a_cluster_without_a_mark_is_no_twin() {
        assert_eq!(find(PLAIN, None).unwrap(), None);
        assert_eq!(find("{}", None).unwrap(), None);
    }
}
