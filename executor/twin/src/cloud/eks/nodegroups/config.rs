//! `UpdateNodegroupConfig`: size, labels, taints, and how an update goes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{busy, find, look};
use crate::cloud::eks::state::{Scaling, Taint, UpdateConfig, UpdateType};
use crate::cloud::eks::{Wish, accept, cluster, cluster_mut, given, invalid, replay, update_key, updates};
use crate::cloud::plan;
use crate::cloud::protocol::{Answered, AwsError, Done, Request};
use crate::world::World;

pub(super) fn scaling(name: &str, value: &Value, before: Scaling) -> Result<Scaling, AwsError> {
    let of = |field: &str, old: i64| value.get(field).and_then(Value::as_i64).unwrap_or(old);
    let after = Scaling {
        min: of("minSize", before.min),
        desired: of("desiredSize", before.desired),
        max: of("maxSize", before.max),
    };
    if after.min > after.max || after.min < 0 {
        return Err(invalid(
            name,
            format!("Minimum capacity {} can't be greater than maximum size {}", after.min, after.max),
        ));
    }
    if after.desired > after.max {
        return Err(invalid(
            name,
            format!("desired capacity {} can't be greater than max size {}", after.desired, after.max),
        ));
    }
    if after.desired < after.min {
        return Err(invalid(
            name,
            format!("Minimum capacity {} can't be greater than desired size {}", after.min, after.desired),
        ));
    }
    Ok(after)
}

pub(super) fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let map = value.and_then(Value::as_object);
    map.into_iter().flatten().map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect()
}

pub(super) fn taints(value: Option<&Value>) -> Vec<Taint> {
    value.and_then(|v| serde_json::from_value(v.clone()).ok()).unwrap_or_default()
}

pub(super) fn update_config(value: Option<&Value>, before: &UpdateConfig) -> UpdateConfig {
    let Some(value) = value.filter(|v| v.is_object()) else { return before.clone() };
    let number = |field: &str| value.get(field).and_then(Value::as_i64);
    let (count, percent) = (number("maxUnavailable"), number("maxUnavailablePercentage"));
    let neither = count.is_none() && percent.is_none();
    UpdateConfig {
        max_unavailable: if neither { before.max_unavailable } else { count },
        max_unavailable_percentage: if neither { before.max_unavailable_percentage } else { percent },
        strategy: given(value, "updateStrategy").unwrap_or(&before.strategy).to_owned(),
    }
}

pub(super) fn config(world: &mut World, request: &Request<'_>, name: &str, group: &str) -> Answered {
    let body = request.json()?;
    let found = cluster(world, name)?;
    let one = find(found, name, group)?;
    let mut params = Vec::new();
    let mut after = one.clone();
    if let Some(value) = body.get("scalingConfig").filter(|v| v.is_object()) {
        after.scaling = scaling(name, value, one.scaling)?;
        params.push(("MinSize", after.scaling.min.to_string()));
        params.push(("MaxSize", after.scaling.max.to_string()));
        params.push(("DesiredSize", after.scaling.desired.to_string()));
    }
    if let Some(labels) = body.get("labels").filter(|v| v.is_object()) {
        after.labels.extend(texts(labels.get("addOrUpdateLabels")));
        for gone in labels
            .get("removeLabels")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            after.labels.remove(gone);
        }
        params
            .push(("LabelsToAdd", labels.get("addOrUpdateLabels").cloned().unwrap_or_default().to_string()));
    }
    if let Some(change) = body.get("taints").filter(|v| v.is_object()) {
        let (add, remove) = (taints(change.get("addOrUpdateTaints")), taints(change.get("removeTaints")));
        after
            .taints
            .retain(|t| !remove.contains(t) && !add.iter().any(|a| a.key == t.key && a.effect == t.effect));
        after.taints.extend(add);
        params.push(("TaintsToAdd", change.to_string()));
    }
    after.update = update_config(body.get("updateConfig"), &one.update);
    if body.get("updateConfig").is_some_and(Value::is_object) {
        params.push(("MaxUnavailable", after.update.max_unavailable.unwrap_or(1).to_string()));
    }
    let token = given(&body, "clientRequestToken");
    let wish = Wish {
        kind: UpdateType::ConfigUpdate,
        params,
        nodegroup: Some(group),
        addon: None,
        token,
        force: false,
    };
    if let Some(before) = replay(world, name, &wish)? {
        return Ok(Done::json(before));
    }
    busy(found, name, group)?;
    let effect =
        format!("{name} {group} {}/{}/{}", after.scaling.min, after.scaling.desired, after.scaling.max);
    let update = accept(world, name, wish)?;
    after.modified = Some(world.now());
    cluster_mut(world, name)?.nodegroups.insert(group.to_owned(), after);
    let takes = world.settings().cloud.nodegroup_config;
    plan(world, update_key(name, &update.id), takes);
    look(world, name, group);
    Ok(Done::json(json!({"update": updates::shown(&update)})).on(effect))
}
