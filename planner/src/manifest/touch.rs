//! What an upgrade changes.

use switchback_schemas::name::{Label as Name, ObjectName};

/// Something that an upgrade changes, and where it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// What tells it apart from all else: its kind, its target, its name.
    pub(super) thing: (&'static str, Name, String),
    /// What it is called in a message.
    pub(super) title: String,
    /// The JSON pointer that names it.
    pub(super) at: &'static str,
}

impl Touch {
    /// Something of a target, by a kind of its own; `title` as in "two settings move TITLE".
    pub fn new(at: &'static str, kind: &'static str, target: &Name, name: &str, title: String) -> Self {
        Self { thing: (kind, target.clone(), name.to_owned()), title, at }
    }

    /// A Helm release.
    pub fn release(at: &'static str, target: &Name, release: &ObjectName) -> Self {
        Self::new(at, "release", target, &release.to_string(), format!("the release {release}"))
    }

    /// A container of a Deployment.
    pub fn container(at: &'static str, target: &Name, deployment: &ObjectName, container: &str) -> Self {
        let title = format!("the container `{container}` of {deployment}");
        Self::new(at, "container", target, &format!("{deployment} {container}"), title)
    }
}
