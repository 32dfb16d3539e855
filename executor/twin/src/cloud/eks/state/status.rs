//! Statuses and types in the spelling of EKS.

use crate::cloud::words::words;

words! {
    /// How a cluster is.
    pub(crate) enum ClusterStatus {
        /// Nothing is done to its control plane.
        Active = "ACTIVE",
        /// Its control plane moves.
        Updating = "UPDATING",
    }
}

words! {
    /// How a node group is.
    #[derive(Default)]
    pub enum NodegroupStatus {
        /// Its nodes come for the first time.
        Creating = "CREATING",
        /// Nothing is done to it.
        #[default]
        Active = "ACTIVE",
        /// An update is under way: shown, never kept.
        Updating = "UPDATING",
        /// It goes.
        Deleting = "DELETING",
        /// Nodes of it are missing.
        Degraded = "DEGRADED",
        /// Its nodes did not come.
        CreateFailed = "CREATE_FAILED",
    }
}

words! {
    /// How an add-on is.
    #[derive(Default)]
    pub enum AddonStatus {
        /// Nothing is done to it.
        #[default]
        Active = "ACTIVE",
        /// An update is under way: shown, never kept.
        Updating = "UPDATING",
        /// An update did not change it.
        UpdateFailed = "UPDATE_FAILED",
        /// Its pods are not ready.
        Degraded = "DEGRADED",
    }
}

words! {
    /// An upgrade policy.
    #[derive(Default)]
    pub enum SupportType {
        /// A cluster is moved by AWS when standard support ends.
        Standard = "STANDARD",
        /// It stays for extended support.
        #[default]
        Extended = "EXTENDED",
    }
}

words! {
    /// What an update moves.
    #[derive(Default)]
    pub enum UpdateType {
        /// A control plane or a node group, to another version.
        #[default]
        VersionUpdate = "VersionUpdate",
        /// A control plane, to the version it came from.
        VersionRollback = "VersionRollback",
        /// An add-on.
        AddonUpdate = "AddonUpdate",
        /// The configuration of a node group.
        ConfigUpdate = "ConfigUpdate",
        /// The upgrade policy of a cluster.
        UpgradePolicyUpdate = "UpgradePolicyUpdate",
    }
}

words! {
    /// How far an update is.
    #[derive(Default)]
    pub enum UpdateStatus {
        /// Under way.
        #[default]
        InProgress = "InProgress",
        /// What was asked for is there.
        Successful = "Successful",
        /// It ended otherwise.
        Failed = "Failed",
        /// Somebody stopped it.
        Cancelled = "Cancelled",
    }
}

words! {
    /// What an insight is about.
    #[derive(Default)]
    pub enum InsightCategory {
        /// A rollback.
        Rollback = "ROLLBACK_READINESS",
        /// An upgrade.
        #[default]
        Upgrade = "UPGRADE_READINESS",
    }
}

words! {
    /// What an insight found.
    #[derive(Default)]
    pub enum InsightStatus {
        /// Nothing.
        #[default]
        Passing = "PASSING",
        /// Something for later.
        Warning = "WARNING",
        /// Something in the way.
        Error = "ERROR",
        /// It could not look.
        Unknown = "UNKNOWN",
    }
}

impl UpdateType {
    /// Whether it moves a version.
    pub fn moves_version(self) -> bool {
        matches!(self, Self::VersionUpdate | Self::VersionRollback)
    }
}
