//! Numbers of AMD's drivers. Up to ROCm 7.0 a driver is written as its ROCm (`6.4`, `7.0`). From ROCm 7.1 on it has a number of its own, and
//! two of them: that of its package (`30.20`, `31.40`) and that of its module (`6.19.14`). Only numbers of one kind can be compared.

use std::cmp::Ordering;

use switchback_schemas::Version;

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// ROCm.
    Rocm,
    /// The driver's package.
    Package,
    /// The driver's module.
    Module,
}

/// The first package of a driver with a number of its own.
const PACKAGES: u64 = 30;
/// No ROCm 6 has a minor as high as this.
const MODULES: (u64, u64) = (6, 10);

pub(super) fn numbering(version: &Version) -> Numbering {
    if version.major() >= PACKAGES {
        Numbering::Package
    } else if version.major() == MODULES.0 && version.minor() >= MODULES.1 {
        Numbering::Module
    } else {
        Numbering::Rocm
    }
}

/// Which of two drivers is older; `None` where no source says so.
pub(super) fn compare(one: &Version, other: &Version) -> Option<Ordering> {
    match (numbering(one), numbering(other)) {
        (a, b) if a == b => Some(one.precedence(other)),
        (Numbering::Rocm, _) => Some(Ordering::Less),
        (_, Numbering::Rocm) => Some(Ordering::Greater),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(one: &str, other: &str) -> Option<Ordering> {
        compare(&one.parse().expect("a version"), &other.parse().expect("a version"))
    }

    #[test]
    fn numbers_of_one_kind_are_compared_and_those_of_rocm_are_older() {
        assert_eq!(ordered("6.3.2", "6.4"), Some(Ordering::Less));
        assert_eq!(ordered("7.0", "30.20"), Some(Ordering::Less));
        assert_eq!(ordered("7.0", "6.19.14"), Some(Ordering::Less), "though 6 is less than 7");
        assert_eq!(ordered("31.40", "30.20.1"), Some(Ordering::Greater));
        assert_eq!(ordered("30.20", "6.4"), Some(Ordering::Greater));
        assert_eq!(ordered("30.20", "6.19.14"), None);
    }
}
