//! Versions of Argo Workflows, before and after a hop. Where one is not known, everything is taken to be crossed.

use switchback_schemas::{Version, manifest::VersionRange};

use super::ArgoWorkflows;
use crate::component::HopCx;

/// Versions of the application that a hop moves between; its chart has numbers of its own.
#[derive(Clone, Debug)]
pub(super) struct Versions {
    /// Before.
    pub(super) from: Option<Version>,
    /// After.
    pub(super) to: Option<Version>,
}

impl Versions {
    /// Whether a version is reached or passed that was not there before.
    pub(super) fn crosses(&self, at: &Version) -> bool {
        self.from.as_ref().is_none_or(|from| from < at) && self.reaches(at)
    }

    /// Whether a version is there afterwards.
    pub(super) fn reaches(&self, at: &Version) -> bool {
        self.to.as_ref().is_none_or(|to| to >= at)
    }

    /// Whether some versions are entered.
    pub(super) fn enters(&self, versions: &VersionRange) -> bool {
        let inside = |version: &Version| versions.contains(version);
        self.to.as_ref().is_none_or(inside) && !self.from.as_ref().is_some_and(inside)
    }

    /// Whether it goes from one range into another.
    pub(super) fn jumps(&self, from: &VersionRange, to: &VersionRange) -> bool {
        self.from.as_ref().is_none_or(|version| from.contains(version))
            && self.to.as_ref().is_none_or(|version| to.contains(version))
    }

    /// Whether full CRDs come, which drop fields that they do not know.
    pub(super) fn drops_unknown(at: &HopCx<'_, ArgoWorkflows>) -> bool {
        at.hop.to >= at.facts.full_crds.since
    }

    /// The version that is reached, for people.
    pub(super) fn reached(&self) -> String {
        self.to.as_ref().map_or_else(|| "a version that is not known".to_owned(), |to| to.plain().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(from: &str, to: &str) -> Versions {
        Versions { from: from.parse().ok(), to: to.parse().ok() }
    }

    #[test]
    fn what_is_not_known_is_crossed() {
        let four: Version = "4.0.0".parse().expect("a version");
        assert!(versions("3.7.11", "4.0.6").crosses(&four));
        assert!(!versions("4.0.2", "4.0.6").crosses(&four));
        assert!(!versions("3.6.0", "3.7.0").crosses(&four));
        assert!(versions("", "4.0.6").crosses(&four));
        assert!(versions("3.7.0", "").crosses(&four));
    }

    #[test]
    fn a_range_is_entered_from_outside_only() {
        let range: VersionRange = ">=3.7.16 <4.0 || >=4.0.7".parse().expect("a range");
        assert!(versions("3.7.11", "3.7.18").enters(&range));
        assert!(versions("4.0.6", "4.0.10").enters(&range));
        assert!(!versions("3.7.18", "4.0.10").enters(&range));
        assert!(!versions("3.7.11", "4.0.6").enters(&range));
    }
}
