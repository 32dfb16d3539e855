//! What every upgrade that a plan can be made from says.

use super::{
    DeploymentUpgrade, EksUpgrade, HelmReleaseUpgrade, KarpenterUpgrade, MlflowUpgrade, OnFailure, Requires,
};
use crate::{Version, name::Label};

/// An upgrade of any kind.
pub trait Upgrade {
    /// The target that it moves something of.
    fn target(&self) -> &Label;
    /// The version to reach.
    fn to(&self) -> &Version;
    /// What must come first.
    fn requires(&self) -> &[Requires];
    /// Verifications after it.
    fn verify(&self) -> &[Label];
    /// What follows a failure, if it says so.
    fn on_failure(&self) -> Option<OnFailure>;
}

macro_rules! upgrades {
    ($($kind:ty),+) => {
        $(impl Upgrade for $kind {
            fn target(&self) -> &Label {
                &self.target
            }

            fn to(&self) -> &Version {
                &self.to
            }

            fn requires(&self) -> &[Requires] {
                &self.requires
            }

            fn verify(&self) -> &[Label] {
                &self.verify
            }

            fn on_failure(&self) -> Option<OnFailure> {
                self.on_failure
            }
        })+
    };
}
upgrades!(KarpenterUpgrade, DeploymentUpgrade, HelmReleaseUpgrade, EksUpgrade, MlflowUpgrade);
