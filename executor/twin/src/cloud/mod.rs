//! The cloud that the platform runs on: what AWS answers, over its own wire protocols, for the operations that an upgrade needs.
//!
//! A request is AWS's when its `Authorization` header starts with `AWS4-HMAC-SHA256`, or when its query holds `X-Amz-Algorithm` (a
//! presigned call of STS). The service and the region are those of its credential scope. So `AWS_ENDPOINT_URL=http://127.0.0.1:PORT`
//! and any static key work, for the SDKs as for boto3. This crate's README tells the section `cloud:` of a world file, the operations
//! that are played, and how faults name them. Each resource has its API and what it does by itself (updates, node groups, snapshots)
//! in one folder.
//!
//! State is kept by name and written with defaults, so that a world file says only what matters. Fields that only a running world
//! fills are marked so; a snapshot holds them too.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::call::{self, Call, Raw};
use crate::kube::neighbours::{DeprecatedCalls, Provider, Unauthorized};
use crate::world::{Actor, Key, Timings, World};

mod autoscaling;
pub(crate) mod ec2;
pub(crate) mod eks;
pub(crate) mod identity;
mod install;
pub(crate) mod instance_types;
mod protocol;
pub(crate) mod rds;
mod secrets;
mod sts;
mod words;

pub(crate) use install::{install, settled};
pub(crate) use protocol::{Answered, AwsError, Request};

use ec2::{CapacityReservation, Subnet};
use eks::state::{Eks, ErrorDetail};
use identity::{AccessKey, Role};
use rds::state::Rds;

/// Who it is. It acts on its own state only; nothing that happens in the cluster wakes it.
pub(crate) const ACTOR: Actor = Actor { name: "cloud", notice: |_, _| Vec::new(), act };

/// The provider's side of a world.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Cloud {
    /// The account that callers belong to where nothing else is said: twelve digits.
    pub account: String,
    /// The region of everything that names none.
    pub region: String,
    /// The EKS cluster whose API server the Kubernetes face is; the first by name where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face: Option<String>,
    /// Decides which nodes a node group takes first.
    pub seed: u64,
    /// Access keys that are somebody in particular. Any other key is the account's user `twin`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub access_keys: BTreeMap<String, AccessKey>,
    /// Roles that can be assumed, by ARN.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, Role>,
    /// EKS.
    pub eks: Eks,
    /// RDS.
    pub rds: Rds,
    /// Subnets by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub subnets: BTreeMap<String, Subnet>,
    /// Reservations of capacity by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub capacity_reservations: BTreeMap<String, CapacityReservation>,
    /// Instance types that cannot be had.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_capacity: Vec<String>,
    /// Secrets Manager: texts by name or ARN.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Of a running world: how the next operation that is started will end (a fault of the kind `fails`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doom: Option<ErrorDetail>,
}

impl Cloud {
    /// The cluster whose API server the Kubernetes face is.
    pub fn face(&self) -> Option<&str> {
        self.face.as_deref().or_else(|| self.eks.clusters.keys().next().map(String::as_str))
    }

    /// Whether there is anything to it.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl World {
    /// What the cloud knows.
    pub fn cloud(&self) -> &Cloud {
        static NONE: LazyLock<Cloud> = LazyLock::new(Cloud::default);
        self.part().unwrap_or(&NONE)
    }

    /// Changes what the cloud knows, behind everybody's back.
    pub fn cloud_mut(&mut self) -> &mut Cloud {
        self.part_mut()
    }
}

/// What was accepted comes to its end.
fn act(world: &mut World, key: &Key) {
    match &*key.group {
        eks::GROUP => eks::act(world, key),
        rds::GROUP => rds::act(world, key),
        _ => {}
    }
}

/// Lets the provider look at something after milliseconds of domain time.
fn plan(world: &mut World, key: Key, after: i64) {
    world.plan(ACTOR.name, key, Timings::ms(after));
}

/// The provider as the cluster knows it.
#[derive(Debug)]
pub(crate) struct Aws;

impl Provider for Aws {
    fn user(&self, world: &World, token: &str) -> Option<Result<String, Unauthorized>> {
        identity::token::user(world, token)
    }

    fn deprecated_calls(&self, world: &World) -> Vec<DeprecatedCalls> {
        let cloud = world.cloud();
        let cluster = cloud.face().and_then(|name| cloud.eks.clusters.get(name));
        let all = cluster.into_iter().flat_map(|c| &c.deprecated_use);
        all.map(|d| DeprecatedCalls { path: d.usage.clone(), removed_in: d.stop_serving.clone() }).collect()
    }
}

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
                call::query(&String::from_utf8_lossy(&call.body))
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
    protocol::render(request, answered, &id)
}

/// Who calls, for the log of effects.
pub(crate) fn who(world: &World, request: &Request<'_>) -> Option<String> {
    identity::caller(world, request).ok().map(|c| c.arn)
}
