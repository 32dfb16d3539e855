//! A control plane moves by a minor, up or back.

use super::addresses;
use crate::cloud::eks;
use crate::cloud::eks::state::{ErrorDetail, Update, UpdateStatus, UpdateType, Upgrade};
use crate::kube::controllers::template_hash;
use crate::world::{Key, World};

/// Addresses that the new control plane needs in the cluster's subnets (facts: eks-versions, "up to five").
const ADDRESSES: i64 = 5;

pub(in crate::cloud::eks) fn act(world: &mut World, cluster: &str, update: &Update) {
    if let Some(doom) = &update.doom {
        return eks::end(world, cluster, &update.id, UpdateStatus::Failed, vec![doom.clone()]);
    }
    if update.cancelled {
        return eks::end(world, cluster, &update.id, UpdateStatus::Cancelled, Vec::new());
    }
    if addresses(world, cluster) < ADDRESSES {
        let subnets = eks::cluster(world, cluster).map(|c| c.subnets.clone()).unwrap_or_default();
        let error = ErrorDetail {
            code: "IpNotAvailable".into(),
            message: "One or more of the subnets provided does not have enough free IP addresses".into(),
            resources: subnets,
        };
        return eks::end(world, cluster, &update.id, UpdateStatus::Failed, vec![error]);
    }
    let to = update.param("Version").unwrap_or_default().to_owned();
    let (now, platform) = (world.now(), update.param("PlatformVersion").unwrap_or_default().to_owned());
    if let Ok(found) = eks::cluster_mut(world, cluster) {
        let from = std::mem::replace(&mut found.version, to.clone());
        found.platform = platform;
        found.upgraded = (update.kind == UpdateType::VersionUpdate).then_some(Upgrade { from, at: now });
    }
    eks::end(world, cluster, &update.id, UpdateStatus::Successful, Vec::new());
    if world.cloud().face() == Some(cluster) {
        show(world, &to);
    }
    eks::insights::refresh(world, cluster, now);
}

/// The API server says which version it is, and what watches that wakes up.
pub(in crate::cloud) fn show(world: &mut World, minor: &str) {
    let Some(known) = world.cloud().eks.versions.get(minor) else { return };
    let name = world.cloud().face().unwrap_or_default().to_owned();
    let version = format!(
        "v{}-eks-{}",
        known.patch,
        template_hash(&known.patch.clone().into()).get(..7).unwrap_or("twin")
    );
    world.settings_mut().kubernetes.0 = version;
    world.announce(Key::new(eks::GROUP, "clusters", "", &name));
}
