//! A control plane moves by a minor, up or back.

use crate::cloud::eks;
use crate::cloud::state::{ErrorDetail, Update, Upgrade};
use crate::world::World;

/// Addresses that the new control plane needs in the cluster's subnets (facts: eks-versions, "up to five").
const ADDRESSES: i64 = 5;

pub(super) fn act(world: &mut World, cluster: &str, update: &Update) {
    if let Some(doom) = &update.doom {
        return eks::end(world, cluster, &update.id, "Failed", vec![doom.clone()]);
    }
    if update.cancelled {
        return eks::end(world, cluster, &update.id, "Cancelled", Vec::new());
    }
    if eks::addresses(world, cluster) < ADDRESSES {
        let subnets = eks::cluster(world, cluster).map(|c| c.subnets.clone()).unwrap_or_default();
        let error = ErrorDetail {
            code: "IpNotAvailable".into(),
            message: "One or more of the subnets provided does not have enough free IP addresses".into(),
            resources: subnets,
        };
        return eks::end(world, cluster, &update.id, "Failed", vec![error]);
    }
    let to = update.param("Version").unwrap_or_default().to_owned();
    let (now, platform) = (world.now(), update.param("PlatformVersion").unwrap_or_default().to_owned());
    if let Ok(found) = eks::cluster_mut(world, cluster) {
        let from = std::mem::replace(&mut found.version, to.clone());
        found.platform = platform;
        found.upgraded = (update.kind == "VersionUpdate").then_some(Upgrade { from, at: now });
    }
    eks::end(world, cluster, &update.id, "Successful", Vec::new());
    if world.cloud().face() == Some(cluster) {
        show(world, &to);
    }
    eks::insights::refresh(world, cluster, now);
}

/// The API server says which version it is, and what watches that wakes up.
pub(crate) fn show(world: &mut World, minor: &str) {
    let Some(known) = world.cloud().eks.versions.get(minor) else { return };
    let version = format!(
        "v{}-eks-{}",
        known.patch,
        super::super::template_hash(&known.patch.clone().into()).get(..7).unwrap_or("twin")
    );
    world.settings_mut().kubernetes.0 = version;
    super::super::karpenter::wake(world);
}
