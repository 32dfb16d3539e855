//! The cloud that the platform runs on: what AWS answers, over its own wire protocols, for the operations that an upgrade needs.
//!
//! A request is AWS's when its `Authorization` header starts with `AWS4-HMAC-SHA256`, or when its query holds `X-Amz-Algorithm` (a
//! presigned call of STS). The service and the region are those of its credential scope. So `AWS_ENDPOINT_URL=http://127.0.0.1:PORT`
//! and any static key work, for the SDKs as for boto3. This crate's README tells the section `cloud:` of a world file, the operations
//! that are played, and how faults name them. What acts by itself (updates, node groups, snapshots) is in `actors/cloud`.

use crate::api::Call;
use crate::world::World;

mod autoscaling;
mod ec2;
pub(crate) mod eks;
mod identity;
mod install;
pub(crate) mod rds;
mod secrets;
mod signature;
pub mod state;
mod sts;
mod token;
mod wire;

pub(crate) use install::{install, settled};
pub(crate) use token::entrant;
pub(crate) use wire::{Answered, AwsError, Raw, Request};

/// The call as one to AWS, where it is one.
pub(crate) fn request(call: &Call) -> Option<Request<'_>> {
    let (credential, presigned) = if call.param("X-Amz-Algorithm").is_some() {
        (call.param("X-Amz-Credential").unwrap_or_default().to_owned(), true)
    } else {
        let text = call.header("authorization")?.strip_prefix("AWS4-HMAC-SHA256")?;
        let found = text.split(',').find_map(|p| p.trim().strip_prefix("Credential="));
        (found.unwrap_or_default().to_owned(), false)
    };
    let mut scope = credential.split('/');
    let (key, _, region, service) = (scope.next(), scope.next(), scope.next(), scope.next());
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    let token =
        call.header("x-amz-security-token").or_else(|| call.param("X-Amz-Security-Token")).map(str::to_owned);
    let mut request = Request {
        call,
        service: text(service),
        region: text(region),
        key: text(key),
        token: token.unwrap_or_default(),
        operation: String::new(),
        names: Vec::new(),
        form: Vec::new(),
    };
    match request.service.as_str() {
        "eks" => {
            let (operation, names) = eks::route(&call.method, &call.raw_path);
            request.operation = operation.into();
            request.names = names;
        }
        "secretsmanager" => {
            let target = call.header("x-amz-target").unwrap_or_default();
            request.operation = target.rsplit('.').next().unwrap_or_default().into();
        }
        _ => {
            request.form = if presigned {
                call.query.clone()
            } else {
                crate::api::query(&String::from_utf8_lossy(&call.body))
            };
            request.operation = request.field("Action").unwrap_or_default().to_owned();
        }
    }
    Some(request)
}

/// Answers a call to AWS.
pub(crate) fn answer(world: &mut World, request: &Request<'_>) -> Answered {
    let caller = identity::caller(world, request)?;
    identity::permit(world.cloud(), &caller, request)?;
    match request.service.as_str() {
        "eks" => eks::answer(world, request, &caller),
        "rds" => rds::answer(world, request, &caller),
        "ec2" => ec2::answer(world, request, &caller),
        "autoscaling" => autoscaling::answer(world, request, &caller),
        "sts" => sts::answer(world, request, &caller),
        "secretsmanager" => secrets::answer(world, request),
        _ => Err(AwsError::not_simulated(&request.what())),
    }
}

/// Writes an answer as the service would.
pub(crate) fn render(world: &mut World, request: &Request<'_>, answered: &Answered) -> Raw {
    let id = world.uid();
    wire::render(request, answered, &id)
}

/// Who calls, for the log of effects.
pub(crate) fn who(world: &World, request: &Request<'_>) -> Option<String> {
    identity::caller(world, request).ok().map(|c| c.arn)
}
