//! Tags of instances and snapshots, by ARN.

use super::{find, find_snapshot, tags};
use crate::cloud::identity::Caller;
use crate::cloud::protocol::{Answered, AwsError, Done, Request, Xml};
use crate::world::World;

/// Adds tags, or gives those of the same key another value.
pub(super) fn add(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    let arn = request.required("ResourceName")?.to_owned();
    let bad = || {
        AwsError::new(
            400,
            "InvalidParameterValue",
            format!("The specified resource name {arn} is not valid."),
        )
    };
    let mut last = arn.rsplitn(3, ':');
    let (name, kind) =
        (last.next().unwrap_or_default().to_lowercase(), last.next().unwrap_or_default().to_owned());
    let given = tags(request);
    match kind.as_str() {
        "db" => {
            find(world.cloud(), request, caller, &name)?;
            if let Some(found) = world.cloud_mut().rds.instances.get_mut(&name) {
                found.settings.tags.extend(given);
            }
        }
        "snapshot" => {
            find_snapshot(world.cloud(), request, caller, &name)?;
            if let Some(found) = world.cloud_mut().rds.snapshots.get_mut(&name) {
                found.tags.extend(given);
            }
        }
        _ => return Err(bad()),
    }
    Ok(Done::xml(Xml::default().done()).on(format!("{kind} {name}")))
}
