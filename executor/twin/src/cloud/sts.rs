//! STS: who one is, and becoming somebody else.

use jiff::SignedDuration;

use super::identity::{AccessKey, Caller};
use super::protocol::{Answered, AwsError, Done, Request, Xml};
use crate::world::{World, stamp};

/// Answers an operation of STS.
pub(super) fn answer(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    match request.operation.as_str() {
        "GetCallerIdentity" => Ok(Done::xml(
            Xml::default()
                .text("Arn", &caller.arn)
                .text("UserId", &caller.id)
                .text("Account", &caller.account)
                .done(),
        )),
        "AssumeRole" => assume(world, request, caller),
        _ => Err(AwsError::not_simulated(&request.what())),
    }
}

fn assume(world: &mut World, request: &Request<'_>, caller: &Caller) -> Answered {
    let (arn, session) =
        (request.required("RoleArn")?.to_owned(), request.required("RoleSessionName")?.to_owned());
    let seconds: i64 = request.field("DurationSeconds").and_then(|s| s.parse().ok()).unwrap_or(3600);
    if !(900..=43_200).contains(&seconds) {
        return Err(AwsError::new(
            400,
            "ValidationError",
            format!("The requested DurationSeconds {seconds} is not between 900 and 43200."),
        ));
    }
    let trusted = world
        .cloud()
        .roles
        .get(&arn)
        .is_some_and(|r| r.trusts.is_empty() || r.trusts.contains(&caller.account));
    if !trusted {
        return Err(AwsError::new(
            403,
            "AccessDenied",
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}", caller.arn),
        ));
    }
    let n = world.count();
    let mut parts = arn.splitn(6, ':');
    let account = parts.nth(4).unwrap_or_default().to_owned();
    let role = parts.next().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    let assumed = format!("arn:aws:sts::{account}:assumed-role/{role}/{session}");
    let key = format!("ASIA{n:016X}");
    let secret = format!("twin/secret/{n:028x}");
    let token = format!("twin-session-{n:x}");
    let expires = world.now().checked_add(SignedDuration::from_secs(seconds)).unwrap_or(world.now());
    world.cloud_mut().access_keys.insert(
        key.clone(),
        AccessKey {
            arn: assumed.clone(),
            secret: Some(secret.clone()),
            session_token: Some(token.clone()),
            expires: Some(expires),
            role: Some(arn),
        },
    );
    let credentials = Xml::default()
        .text("AccessKeyId", key)
        .text("SecretAccessKey", secret)
        .text("SessionToken", token)
        .text("Expiration", stamp(expires));
    let user = Xml::default().text("AssumedRoleId", format!("AROATWIN:{session}")).text("Arn", assumed);
    Ok(Done::xml(Xml::default().inside("Credentials", credentials).inside("AssumedRoleUser", user).done()))
}
