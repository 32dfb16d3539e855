//! The shapes of `catalog.yaml` and `removed-apis.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use switchback_schemas::{Version, plan::Estimate};

/// Facts about EKS.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EksFacts {
    /// When they were read.
    pub read_on: String,
    /// Where they were read, by key.
    pub sources: BTreeMap<String, String>,
    /// Addresses that an update of the control plane takes.
    pub free_addresses: FreeAddresses,
    /// How long a control plane can roll back.
    pub rollback: RollbackWindow,
    /// How far kubelets and kube-proxy may be behind.
    pub skew: Skew,
    /// Where it is said that managed groups do not trail.
    pub parity: Said,
    /// Where images of Amazon Linux 2 end.
    pub al2: Al2,
    /// Order of add-ons.
    pub addon_order: Vec<AddonOrder>,
    /// Add-ons that do not skip a minor.
    pub one_minor_at_a_time: OneMinor,
    /// What a managed group does in an update.
    pub group_update: GroupUpdate,
    /// How long things take.
    pub durations: Durations,
    /// API versions that a minor of Kubernetes no longer serves; they stand in a file of their own.
    #[serde(skip)]
    pub removed_apis: RemovedApis,
}

/// That something is said, and where.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Said {
    /// The key of its source.
    pub source: String,
}

/// Addresses in the subnets of the control plane.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreeAddresses {
    /// How many.
    pub at_least: u64,
    /// The key of its source.
    pub source: String,
}

/// How long a control plane can roll back.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackWindow {
    /// Days after the end of the update.
    pub days: u64,
    /// The key of its source.
    pub source: String,
}

/// How far a kubelet may be behind.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Skew {
    /// Minors.
    pub behind: u64,
    /// The key of its source.
    pub source: String,
}

/// Where images of Amazon Linux 2 end.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Al2 {
    /// The last minor that has one.
    pub last: Version,
    /// The key of its source.
    pub source: String,
    /// The image type that takes over, by image type.
    pub becomes: BTreeMap<String, String>,
    /// Instances of the GPU image without a GPU.
    pub neuron: Neuron,
}

/// Instances of the GPU image without a GPU.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Neuron {
    /// How their types begin.
    pub families: Vec<String>,
    /// The image type that takes over.
    pub becomes: String,
}

/// The place of an add-on in the order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AddonOrder {
    /// The add-on.
    pub addon: String,
    /// Why it stands there.
    pub why: String,
    /// The key of its source.
    pub source: String,
}

/// Add-ons that do not skip a minor.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OneMinor {
    /// Their names.
    pub addons: Vec<String>,
    /// The key of its source.
    pub source: String,
}

/// What a managed group does in an update.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GroupUpdate {
    /// How long a drain may take before the update fails.
    pub drain_minutes: u64,
    /// How long it waits after each drain.
    pub wait_seconds: u64,
    /// Nodes that it adds first, for each zone.
    pub surge_per_zone: u64,
    /// The key of its source.
    pub source: String,
}

/// How long things take.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Durations {
    /// A group, until it has its nodes.
    pub group: Takes,
    /// One node of a group.
    pub node: Takes,
}

/// How long something takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Takes {
    /// As a rule, in seconds.
    pub expected: u64,
    /// Nine times out of ten at most.
    pub p90: u64,
    /// The key of its source.
    pub source: String,
}

impl Takes {
    /// As an estimate.
    pub fn estimate(&self) -> Estimate {
        Estimate::seconds(self.expected, self.p90)
    }
}

/// API versions that a minor no longer serves.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemovedApis {
    /// When they were read.
    pub read_on: String,
    /// Where.
    pub source: String,
    /// One row a kind.
    pub rows: Vec<RemovedApi>,
}

/// A kind that a minor no longer serves in a version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemovedApi {
    /// Group and version.
    pub api: String,
    /// The kind.
    pub kind: String,
    /// The first minor without it.
    pub removed_in: Version,
    /// Group and version that takes its place.
    #[serde(default)]
    pub replacement: Option<String>,
}

impl EksFacts {
    /// A source for the plan's table.
    pub fn source(&self, key: &str) -> Option<switchback_schemas::plan::Source> {
        let title = self.sources.get(key)?.clone();
        Some(switchback_schemas::plan::Source { title, read_on: self.read_on.clone() })
    }

    /// What takes over from an image type that has no image of a minor; `None` where it has one.
    pub fn successor(&self, ami_type: &str, instances: &[String], minor: &Version) -> Option<&str> {
        let successor = self.al2.becomes.get(ami_type).filter(|_| *minor > self.al2.last)?;
        let neuron = &self.al2.neuron;
        let without_gpu = ami_type.ends_with("_GPU")
            && !instances.is_empty()
            && instances.iter().all(|one| neuron.families.iter().any(|family| one.starts_with(family)));
        Some(if without_gpu { &neuron.becomes } else { successor })
    }

    /// The place of an add-on in the order; unnamed ones come last.
    pub fn place(&self, addon: &str) -> usize {
        self.addon_order.iter().position(|row| row.addon == addon).unwrap_or(self.addon_order.len())
    }
}

#[cfg(test)]
mod tests {
    use crate::{component::Component as _, components::eks::Eks};

    #[test]
    fn every_fact_has_a_source_and_every_source_a_fact() {
        let facts = Eks.facts().expect("the catalog");
        let mut keys = vec![
            &facts.free_addresses.source,
            &facts.rollback.source,
            &facts.skew.source,
            &facts.parity.source,
            &facts.al2.source,
            &facts.one_minor_at_a_time.source,
            &facts.group_update.source,
            &facts.durations.group.source,
            &facts.durations.node.source,
        ];
        keys.extend(facts.addon_order.iter().map(|row| &row.source));
        for key in keys {
            assert!(facts.source(key).is_some(), "{key}");
        }
        assert!(facts.removed_apis.rows.len() > 30);
    }

    #[test]
    fn al2_ends_and_says_what_takes_over() {
        let facts = Eks.facts().expect("the catalog");
        let of = |ami: &str, instance: &str, minor: &str| {
            let minor = minor.parse().expect("a minor");
            facts.successor(ami, &[instance.to_owned()], &minor).map(str::to_owned)
        };
        assert_eq!(of("AL2_x86_64", "m5.large", "1.32"), None);
        assert_eq!(of("AL2_x86_64", "m5.large", "1.33").as_deref(), Some("AL2023_x86_64_STANDARD"));
        assert_eq!(of("AL2_x86_64_GPU", "p5.48xlarge", "1.33").as_deref(), Some("AL2023_x86_64_NVIDIA"));
        assert_eq!(of("AL2_x86_64_GPU", "inf2.xlarge", "1.33").as_deref(), Some("AL2023_x86_64_NEURON"));
        assert_eq!(of("AL2023_x86_64_STANDARD", "m5.large", "1.33"), None);
    }
}
