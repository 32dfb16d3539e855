//! `UpdateNodegroupVersion`: which version and release a group may be asked to go to.

use serde_json::{Value, json};

use super::{busy, find, look, roll};
use crate::cloud::eks::state::{Template, UpdateType};
use crate::cloud::eks::{Wish, accept, cluster, given, invalid, minor, replay, updates};
use crate::cloud::protocol::{Answered, AwsError, Done, Request};
use crate::world::World;

/// The AMI release of a minor: the newest, or the one that is asked for, which has to be of that minor.
pub(super) fn release(
    world: &World,
    name: &str,
    version: &str,
    asked: Option<&str>,
) -> Result<String, AwsError> {
    let known = world.cloud().eks.versions.get(version);
    let known = known.ok_or_else(|| invalid(name, format!("unsupported Kubernetes version {version}")))?;
    let newest = format!("{}-{}", known.patch, known.ami);
    match asked {
        None => Ok(newest),
        Some(asked) if minor(asked) == minor(version) => Ok(asked.to_owned()),
        Some(asked) => Err(invalid(
            name,
            format!("Requested release version {asked} is not valid for kubernetes version {version}."),
        )),
    }
}

/// AL2 images end with 1.32 (facts: node-images).
pub(super) fn image_exists(name: &str, ami: &str, version: &str) -> Result<(), AwsError> {
    if ami.starts_with("AL2_") && minor(version) > (1, 32) {
        return Err(invalid(
            name,
            format!("AMI Type {ami} is only supported for kubernetes versions 1.32 or earlier"),
        ));
    }
    Ok(())
}

pub(super) fn version(world: &mut World, request: &Request<'_>, name: &str, group: &str) -> Answered {
    let body = request.json()?;
    let found = cluster(world, name)?;
    let one = find(found, name, group)?;
    let template = body.get("launchTemplate").filter(|t| !t.is_null()).map(|t| Template {
        name: given(t, "name").unwrap_or_default().into(),
        version: given(t, "version").unwrap_or_default().into(),
        id: given(t, "id").unwrap_or_default().into(),
    });
    let (asked, asked_release) = (given(&body, "version"), given(&body, "releaseVersion"));
    let token = given(&body, "clientRequestToken");
    let mut params = Vec::new();
    if let Some(version) = asked {
        params.push(("Version", version.to_owned()));
    }
    if let Some(release) = asked_release {
        params.push(("ReleaseVersion", release.to_owned()));
    }
    let force = body.get("force").and_then(Value::as_bool).unwrap_or(false);
    let mut wish =
        Wish { kind: UpdateType::VersionUpdate, params, nodegroup: Some(group), addon: None, token, force };
    if let Some(before) = replay(world, name, &wish)? {
        return Ok(Done::json(before));
    }
    busy(found, name, group)?;
    if one.ami_type == "CUSTOM" && (asked.is_some() || asked_release.is_some()) {
        return Err(invalid(name, "You cannot specify version or releaseVersion with a custom AMI")
            .with("nodegroupName", group));
    }
    if template.is_some() && one.launch_template.is_none() {
        return Err(invalid(name, "The node group was not created with a launch template")
            .with("nodegroupName", group));
    }
    let target = asked.unwrap_or(&one.version).to_owned();
    if minor(&target) > minor(&found.version) {
        return Err(invalid(
            name,
            format!(
                "Nodegroup Kubernetes version should be equal to or less than the cluster version {}",
                found.version
            ),
        )
        .with("nodegroupName", group));
    }
    if minor(&target) < minor(&one.version) && !world.cloud().eks.nodegroup_rollback {
        return Err(invalid(
            name,
            format!("Nodegroup cannot be rolled back from Kubernetes version {} to {target}", one.version),
        )
        .with("nodegroupName", group));
    }
    image_exists(name, &one.ami_type, &target)?;
    let release = release(world, name, &target, asked_release)?;
    if wish.params.iter().all(|(k, _)| *k != "Version") {
        wish.params.push(("Version", target.clone()));
    }
    if wish.params.iter().all(|(k, _)| *k != "ReleaseVersion") {
        wish.params.push(("ReleaseVersion", release.clone()));
    }
    let update = accept(world, name, wish)?;
    roll::begin(world, name, group, &update, (&target, &release), template);
    look(world, name, group);
    Ok(Done::json(json!({"update": updates::shown(&update)})).on(format!("{name} {group} {release}")))
}
