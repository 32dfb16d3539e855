//! Minors of Kubernetes, one after the other.

use switchback_schemas::Version;

/// The minor after one.
pub(super) fn following(minor: &Version) -> Version {
    let next = format!("{}.{}", minor.major(), minor.minor().saturating_add(1));
    next.parse().unwrap_or_else(|_| minor.clone())
}

/// The minor before one.
pub(super) fn preceding(minor: &Version) -> Version {
    let before = format!("{}.{}", minor.major(), minor.minor().saturating_sub(1));
    before.parse().unwrap_or_else(|_| minor.clone())
}
