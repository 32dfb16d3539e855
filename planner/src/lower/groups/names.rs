//! How things of an EKS cluster are called: in the cloud's API, in IAM, and as labels of nodes.

use switchback_schemas::{
    Digest, Version,
    name::Label,
    plan::{Arn, CloudCondition, CloudKind, CloudRef, Condition, EksCreateNodegroup, Operand, Test},
};

/// The label of a node that says which managed group it is of.
pub const NODEGROUP: &str = "eks.amazonaws.com/nodegroup";
/// The label of a node that says which NodePool it is of.
pub const NODEPOOL: &str = "karpenter.sh/nodepool";
/// How long the name of a managed group may be.
const LONGEST: usize = 63;

/// A cluster's own things.
#[derive(Clone, Debug)]
pub struct Names {
    /// The target.
    pub target: Label,
    /// The cluster.
    pub arn: Arn,
}

impl Names {
    fn reference(&self, kind: CloudKind, name: Option<&str>) -> CloudRef {
        CloudRef { target: self.target.clone(), kind, name: name.map(str::to_owned) }
    }

    /// The cluster.
    pub fn cluster(&self) -> CloudRef {
        self.reference(CloudKind::EksCluster, None)
    }

    /// An add-on.
    pub fn addon(&self, name: &str) -> CloudRef {
        self.reference(CloudKind::EksAddon, Some(name))
    }

    /// A managed group.
    pub fn group(&self, name: &str) -> CloudRef {
        self.reference(CloudKind::EksNodegroup, Some(name))
    }
}

/// A field of something at the cloud provider has a value.
pub fn is(of: &CloudRef, pointer: &str, value: Operand) -> Condition {
    Condition::Cloud(CloudCondition::Field {
        of: of.clone(),
        pointer: pointer.to_owned(),
        is: Test::Equals(value),
    })
}

/// A field has a text.
pub fn says(of: &CloudRef, pointer: &str, text: &str) -> Condition {
    is(of, pointer, Operand::Value(serde_json::json!(text)))
}

/// That a group was made as the copy of another one. One of that name that somebody else made is not it.
pub fn copied(of: &CloudRef, like: &str) -> Condition {
    says(of, &format!("/tags/{}", EksCreateNodegroup::COPY_OF.replace('/', "~1")), like)
}

/// Something is not there.
pub fn absent(of: &CloudRef) -> Condition {
    Condition::Cloud(CloudCondition::Field { of: of.clone(), pointer: String::new(), is: Test::Absent {} })
}

/// The name of the group that takes over at a minor: `gpu` and `gpu-1-32` both become `gpu-1-33`.
pub fn successor(group: &str, minor: &Version) -> String {
    named(base(group), &format!("-{}-{}", minor.major(), minor.minor()))
}

/// The name of the group that takes over with another image of its minor: `gpu` and `gpu-1-33` both become `gpu-ami-1-33-5-20261112`.
pub fn successor_with(group: &str, release: &str) -> String {
    let release: String = release.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    named(base(group), &format!("{OF_RELEASE}{release}"))
}

/// What stands between the name of a group and the release of its image.
const OF_RELEASE: &str = "-ami-";

/// A name without the minor or the release that an earlier move gave it.
fn base(group: &str) -> &str {
    let numbered = |release: &str| release.starts_with(|c: char| c.is_ascii_digit());
    let group = match group.rsplit_once(OF_RELEASE) {
        Some((base, release)) if !base.is_empty() && numbered(release) => base,
        _ => group,
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match group.rsplitn(3, '-').collect::<Vec<_>>().as_slice() {
        [minor, major, base] if digits(minor) && digits(major) && !base.is_empty() => base,
        _ => group,
    }
}

fn named(base: &str, suffix: &str) -> String {
    let room = LONGEST.saturating_sub(suffix.len());
    if base.len() <= room {
        return format!("{base}{suffix}");
    }
    // Groups whose names differ at the end only must not get one name.
    let digest = Digest::of(base).short(8);
    let kept: String = base.chars().take(room.saturating_sub(digest.len() + 1)).collect();
    format!("{}-{digest}{suffix}", kept.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_after_its_minor() {
        let v = |text: &str| text.parse::<Version>().expect(text);
        assert_eq!(successor("gpu", &v("1.33")), "gpu-1-33");
        assert_eq!(successor("gpu-1-32", &v("1.33")), "gpu-1-33");
        assert_eq!(successor("gpu-a-2", &v("1.33")), "gpu-a-2-1-33");
        let long = |end: &str| successor(&format!("{}{end}", "x".repeat(62)), &v("1.33"));
        assert_eq!(long("1").len(), 63);
        assert_ne!(long("1"), long("2"));
        assert_eq!(successor(&long("1"), &v("1.34")), long("1").replace("-1-33", "-1-34"));
    }

    #[test]
    fn a_group_is_named_after_its_release() {
        let release = "1.33.5-20261112";
        assert_eq!(successor_with("gpu", release), "gpu-ami-1-33-5-20261112");
        assert_eq!(successor_with("gpu-1-33", release), "gpu-ami-1-33-5-20261112");
        assert_eq!(successor_with("gpu-ami-1-33-4-20261023", release), "gpu-ami-1-33-5-20261112");
        assert_eq!(successor_with("gpu-ami", release), "gpu-ami-ami-1-33-5-20261112");
        assert_eq!(successor_with(&"x".repeat(63), release).len(), 63);
        // The next minor gives it its own name again.
        let minor = "1.34".parse().expect("a minor");
        assert_eq!(successor("gpu-ami-1-33-5-20261112", &minor), "gpu-1-34");
    }
}
