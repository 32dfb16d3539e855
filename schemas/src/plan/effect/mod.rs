//! Effects: the typed arguments of what drivers do, one family a driver, one struct an effect. A driver reads nothing else of the
//! plan.
//!
//! In a plan, arguments are [`Operand`]s and [`Target`]s, of which only the run knows some. A driver is given them bound: as
//! values and objects.

mod eks;
mod helm;
mod kube;
mod node_job;
mod program;
mod rds;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantNames};

pub use eks::{
    EksCreateNodegroup, EksDeleteNodegroup, EksEffect, EksScaleNodegroup, EksTerminateNode, EksUpdateAddon,
    EksUpdateCluster, EksUpdateNodegroup, NodegroupSize, ResolveConflicts,
};
pub use helm::{
    Chart, Handover, HelmEffect, HelmInstall, HelmRelease, HelmRollback, HelmUninstall, HelmUpgrade,
};
pub use kube::{
    KubeAdmit, KubeApply, KubeDelete, KubeEffect, KubePatch, KubeRestore, KubeTryCreate, KubeTryUpdate,
    MigrateStorage, NodeCordon, NodeDrain, NodePods, SetField,
};
pub use node_job::{NodeJob, NodeJobEnd};
pub use program::{Command, EnvValue, Notify};
pub use rds::{RdsDeleteInstance, RdsDeleteSnapshot, RdsEffect, RdsProveSnapshot, RdsRestore, RdsSnapshot};

use super::{Arguments, Condition, Operand, Target};

/// Something that changes the platform, or waits for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[strum(serialize_all = "camelCase")]
#[schemars(rename = "Effect")]
pub enum Effect<V = Operand, T = Target> {
    /// On objects of a Kubernetes API server.
    Kube(KubeEffect<V, T>),
    /// On Helm releases.
    Helm(HelmEffect<V>),
    /// On an EKS cluster.
    Eks(EksEffect<V>),
    /// On an RDS instance.
    Rds(RdsEffect<V>),
    /// Runs a program.
    Command(Command),
    /// Tells a channel.
    Notify(Notify),
    /// Does nothing but wait for its verification: a checkpoint of health.
    Wait(Wait<V, T>),
}

/// Waits until its condition holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Wait")]
pub struct Wait<V = Operand, T = Target> {
    /// The condition.
    pub until: Condition<V, T>,
}

impl Effect {
    /// Every kind, as it stands among a plan's features.
    pub fn kinds() -> Vec<String> {
        let families = [
            ("kube", <KubeEffect as VariantNames>::VARIANTS),
            ("helm", <HelmEffect as VariantNames>::VARIANTS),
            ("eks", <EksEffect as VariantNames>::VARIANTS),
            ("rds", <RdsEffect as VariantNames>::VARIANTS),
        ];
        let two = |(family, names): (&str, &[&str])| {
            names.iter().map(|name| format!("{family}.{name}")).collect::<Vec<_>>()
        };
        let one = ["command", "notify", "wait"].map(str::to_owned);
        families.into_iter().flat_map(two).chain(one).collect()
    }

    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<Effect<A::Value, A::Object>, A::Error> {
        Ok(match self {
            Self::Kube(effect) => Effect::Kube(effect.map(by)?),
            Self::Helm(effect) => Effect::Helm(effect.map(by)?),
            Self::Eks(effect) => Effect::Eks(effect.map(by)?),
            Self::Rds(effect) => Effect::Rds(effect.map(by)?),
            Self::Command(command) => Effect::Command(command.clone()),
            Self::Notify(notify) => Effect::Notify(notify.clone()),
            Self::Wait(wait) => Effect::Wait(Wait { until: wait.until.map(by)? }),
        })
    }

    /// Whether nothing is left of it on the platform. The list is closed: what is not in it has to be undone.
    pub fn only_looks(&self) -> bool {
        match self {
            // What a notification told somebody cannot be taken back, and is no part of the platform. A proof makes an instance
            // of its own and does not end before that is gone.
            // What is only tried is not stored. A Job on a node goes when its time is over, as its pod does.
            Self::Wait(_)
            | Self::Notify(_)
            | Self::Rds(RdsEffect::ProveSnapshot(_))
            | Self::Kube(KubeEffect::Admit(_) | KubeEffect::TryCreate(_) | KubeEffect::TryUpdate(_)) => true,
            Self::Kube(KubeEffect::NodeJob(job)) => job.until == NodeJobEnd::Succeeded,
            Self::Kube(_) | Self::Helm(_) | Self::Eks(_) | Self::Rds(_) | Self::Command(_) => false,
        }
    }
}

impl<V, T> Effect<V, T> {
    /// The kind, as it stands among a plan's features: family and effect.
    pub fn kind(&self) -> String {
        let family: &'static str = self.into();
        let effect: &'static str = match self {
            Self::Kube(effect) => effect.into(),
            Self::Helm(effect) => effect.into(),
            Self::Eks(effect) => effect.into(),
            Self::Rds(effect) => effect.into(),
            Self::Command(_) | Self::Notify(_) | Self::Wait(_) => return family.to_owned(),
        };
        format!("{family}.{effect}")
    }
}
