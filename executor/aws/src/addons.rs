//! Versions of add-ons that work with a minor (`DescribeAddonVersions`).

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_eks::types::AddonInfo;
use switchback_executor::ports::{Classify as _, Failure};
use switchback_schemas::{
    Version,
    lock::{AddonVersions, AskAddon},
    name::Label,
    plan::AwsResource,
};

use crate::{
    aws::{Aws, Purpose, Session},
    classify::CallError,
    targets::Targets,
};

/// Looks up what is asked, sorted by target, add-on and minor. Fails with the first that cannot be read.
pub async fn resolve_addons(
    aws: &Aws,
    asks: &[AskAddon],
    targets: &BTreeMap<Label, AwsResource>,
) -> Result<Vec<AddonVersions>, Failure> {
    let targets = Targets(targets.clone());
    let mut resolved = Vec::new();
    for ask in asks.iter().collect::<BTreeSet<_>>() {
        resolved.push(one(aws, &targets, ask).await.map_err(|error| error.failure())?);
    }
    Ok(resolved)
}

async fn one(aws: &Aws, targets: &Targets, ask: &AskAddon) -> Result<AddonVersions, CallError> {
    let resource = targets.of(&ask.target, "eks")?;
    let session = aws.session(resource, Purpose::Observe).await;
    let found = versions(&session, &ask.addon, &ask.kubernetes).await?;
    Ok(answer(ask, &found))
}

async fn versions(session: &Session, addon: &str, kubernetes: &Version) -> Result<Vec<AddonInfo>, CallError> {
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let sent = session
            .eks
            .describe_addon_versions()
            .addon_name(addon)
            .kubernetes_version(kubernetes.minor_line().as_str())
            .set_next_token(next)
            .send();
        let page = session.call(sent).await?;
        found.extend(page.addons.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// The versions that name the minor among their compatibilities, the newest first.
fn answer(ask: &AskAddon, found: &[AddonInfo]) -> AddonVersions {
    let minor = ask.kubernetes.minor_line();
    let mut default = None;
    let mut versions = Vec::new();
    for info in found.iter().filter(|info| info.addon_name() == Some(ask.addon.as_str())) {
        for version in info.addon_versions() {
            let Some(name) = version.addon_version() else { continue };
            let of_minor = |text: Option<&str>| {
                text.and_then(|text| text.parse::<Version>().ok()).is_some_and(|found| found.is_of(&minor))
            };
            let fits = version.compatibilities().iter().find(|fits| of_minor(fits.cluster_version()));
            let Some(fits) = fits else { continue };
            if fits.default_version() {
                default = Some(name.to_owned());
            }
            versions.push(name.to_owned());
        }
    }
    versions.sort_by(|a, b| match (a.parse::<Version>(), b.parse::<Version>()) {
        (Ok(a), Ok(b)) => b.cmp(&a),
        _ => b.cmp(a),
    });
    versions.dedup();
    AddonVersions {
        target: ask.target.clone(),
        addon: ask.addon.clone(),
        kubernetes: ask.kubernetes.clone(),
        default,
        versions,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_eks::types::{AddonVersionInfo, Compatibility};

    use super::*;

    #[test]
    fn the_default_of_the_minor_is_told_and_the_newest_come_first() {
        let version = |name: &str, minors: &[(&str, bool)]| {
            let fits = minors.iter().map(|(minor, default)| {
                Compatibility::builder().cluster_version(*minor).default_version(*default).build()
            });
            AddonVersionInfo::builder().addon_version(name).set_compatibilities(Some(fits.collect())).build()
        };
        let info = AddonInfo::builder()
            .addon_name("vpc-cni")
            .addon_versions(version("v1.19.0-eksbuild.1", &[("1.32", true), ("1.33", false)]))
            .addon_versions(version("v1.20.1-eksbuild.3", &[("1.33", true)]))
            .addon_versions(version("v1.20.1-eksbuild.10", &[("1.33", false)]))
            .addon_versions(version("v1.21.0-eksbuild.1", &[("1.34", true)]))
            .build();
        let ask = AskAddon {
            target: "mlops".parse().unwrap(),
            addon: "vpc-cni".into(),
            kubernetes: "1.33".parse().unwrap(),
        };
        let found = answer(&ask, &[info]);
        assert_eq!(found.default.as_deref(), Some("v1.20.1-eksbuild.3"));
        assert_eq!(found.versions, ["v1.20.1-eksbuild.10", "v1.20.1-eksbuild.3", "v1.19.0-eksbuild.1"]);
    }
}
