//! The Kubernetes face: a call in, an answer out, one at a time.

use serde_json::{Value, json};

use crate::call::{Call, Raw};
use crate::kinds::{Kind, SHOWN, VIRTUAL};
use crate::kube::error::{About, ApiError, ApiResult};
use crate::world::{Key, World};

mod access;
mod admission;
mod convert;
mod crds;
mod defaults;
mod delete;
mod discovery;
mod endpoints;
mod eviction;
mod json_patch;
mod logs;
mod metrics;
mod patch;
mod proxy;
mod read;
mod route;
mod scale;
pub(crate) mod select;
mod strategic;
mod validate;
pub(crate) mod write;

pub(crate) use access::ADMIN_TOKEN;
pub(crate) use admission::refused;
pub(crate) use convert::pod_ready;
pub(crate) use eviction::{evict, may_go};
pub(crate) use read::WatchSpec;
pub(crate) use read::{WatchState, watch_events};
pub(crate) use route::Route;

impl Call {
    /// The manager this call writes as.
    pub(crate) fn manager(&self) -> String {
        match self.param("fieldManager") {
            Some(m) if !m.is_empty() => m.to_owned(),
            _ if !self.agent.is_empty() => self.agent.clone(),
            _ => "unknown".to_owned(),
        }
    }

    /// The body as JSON; YAML where an apply sends it.
    pub(crate) fn json(&self) -> ApiResult<Value> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        if self.content_type.contains("protobuf") {
            return Err(ApiError::not_simulated(format!("{} with a protobuf body", self.method)));
        }
        match serde_json::from_slice(&self.body) {
            Ok(value) => Ok(value),
            Err(_) if self.content_type.ends_with("yaml") => serde_yaml::from_slice(&self.body)
                .map_err(|e| ApiError::bad_request(format!("error decoding YAML: {e}"))),
            Err(e) => Err(ApiError::bad_request(format!("the object provided is unrecognized: {e}"))),
        }
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// A JSON body.
    Json {
        /// Status.
        code: u16,
        /// Body.
        body: Value,
        /// `Warning` headers.
        warnings: Vec<String>,
    },
    /// A stream of watch events.
    Watch(WatchSpec),
    /// What is not of the Kubernetes API: an answer of AWS, or of a service behind the proxy.
    Raw(Raw),
}

impl Answer {
    fn ok(body: Value) -> Self {
        Self::Json { code: 200, body, warnings: Vec::new() }
    }

    fn with(code: u16, body: Value, warnings: Vec<String>) -> Self {
        Self::Json { code, body, warnings }
    }
}

/// Whether a call asks for a dry-run.
pub(crate) fn dry_run(call: &Call) -> bool {
    call.param("dryRun") == Some("All") || body_dry_run(call)
}

fn body_dry_run(call: &Call) -> bool {
    call.method == "DELETE"
        && serde_json::from_slice::<Value>(&call.body)
            .is_ok_and(|b| b.pointer("/dryRun/0") == Some(&json!("All")))
}

/// Answers a call. A dry-run works on a copy of the world.
pub(crate) fn answer(world: &mut World, call: &Call) -> ApiResult<Answer> {
    if let Some(body) = discovery::answer(world, call)? {
        return Ok(Answer::ok(body));
    }
    if let Some(answer) = metrics::answer(world, call)? {
        return Ok(answer);
    }
    if let Some(answer) = proxy::answer(world, call)? {
        return Ok(answer);
    }
    let route = Route::parse(&call.path).ok_or_else(ApiError::no_path)?;
    let kind = find_kind(world, &route)?;
    access::check(world, call, &route, &kind)?;
    if dry_run(call) {
        let mut copy = world.clone();
        return dispatch(&mut copy, call, &route, &kind).map(|a| undated(world, &route, &kind, a));
    }
    dispatch(world, call, &route, &kind)
}

/// A dry-run shows no new resourceVersion.
fn undated(world: &World, route: &Route, kind: &Kind, answer: Answer) -> Answer {
    let Answer::Json { code, mut body, warnings } = answer else { return answer };
    if body.get("kind").and_then(Value::as_str) == Some(&kind.kind) {
        let name = route.name.clone().unwrap_or_default();
        let old =
            world.get(&route.key(kind, &name)).and_then(|o| o.pointer("/metadata/resourceVersion").cloned());
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            match old {
                Some(rv) => metadata.insert("resourceVersion".into(), rv),
                None => metadata.remove("resourceVersion"),
            };
        }
    }
    Answer::Json { code, body, warnings }
}

fn find_kind(world: &World, route: &Route) -> ApiResult<std::sync::Arc<Kind>> {
    if let Some(kind) = world.kind(&route.group, &route.version, &route.resource) {
        return Ok(kind);
    }
    let group_known = world.kinds().any(|k| k.group == route.group);
    let builtin = crate::kinds::builtin().iter().any(|k| k.group == route.group);
    if known_elsewhere(&route.group, &route.resource) {
        return Err(ApiError::not_simulated(format!("{} {}/{}", route.resource, route.group, route.version)));
    }
    Err(if group_known && builtin { ApiError::no_resource() } else { ApiError::no_path() })
}

/// Resources of a real server that no row covers yet.
fn known_elsewhere(group: &str, resource: &str) -> bool {
    match group {
        "" => matches!(
            resource,
            "endpoints"
                | "persistentvolumes"
                | "persistentvolumeclaims"
                | "replicationcontrollers"
                | "resourcequotas"
        ),
        "apps" => resource == "controllerrevisions",
        "networking.k8s.io"
        | "storage.k8s.io"
        | "scheduling.k8s.io"
        | "autoscaling"
        | "authentication.k8s.io"
        | "authorization.k8s.io"
        | "flowcontrol.apiserver.k8s.io" => true,
        _ => false,
    }
}

fn dispatch(world: &mut World, call: &Call, route: &Route, kind: &Kind) -> ApiResult<Answer> {
    let missing = || ApiError::not_simulated(format!("{} {}", call.method, route.shape()));
    if VIRTUAL.contains(&kind.resource.as_str()) {
        return match (call.method.as_str(), kind.resource.as_str()) {
            ("POST", "selfsubjectreviews") => access::who(world, call),
            ("POST", _) => access::review(world, call),
            _ => Err(missing()),
        };
    }
    if kind.resource == SHOWN {
        return match (call.method.as_str(), &route.name, call.flag("watch")) {
            ("GET", None, false) => endpoints::slices(world, call, route, kind).map(Answer::ok),
            _ => Err(missing()),
        };
    }
    let warnings: Vec<String> = kind.custom.iter().filter_map(|c| c.deprecated.clone()).collect();
    let name = route.name.as_deref();
    let result = match (call.method.as_str(), name, route.sub.as_deref()) {
        ("GET", None, None) if call.flag("watch") => read::watch(world, call, route, kind).map(Answer::Watch),
        ("GET", None, None) => read::list(world, call, route, kind).map(Answer::ok),
        ("GET", Some(name), None | Some("status")) => read::get(world, route, kind, name).map(Answer::ok),
        ("GET", Some(name), Some("log")) if kind.resource == "pods" => {
            logs::answer(world, call, route, kind, name)
        }
        ("POST", None, None) => write::create(world, call, route, kind),
        ("POST", Some(name), Some("eviction")) if kind.resource == "pods" => {
            eviction::answer(world, call, &route.key(kind, name))
        }
        ("POST", Some(name), Some("token")) if kind.resource == "serviceaccounts" => {
            access::token(world, call, &route.key(kind, name))
        }
        ("POST", Some(name), Some("binding")) if kind.resource == "pods" => {
            Err(ApiError::not_simulated(format!("binding of pod {name}")))
        }
        ("PUT", Some(name), None | Some("status")) => write::update(world, call, route, kind, name),
        ("PATCH", Some(name), None | Some("status")) => patch::patch(world, call, route, kind, name),
        ("DELETE", Some(name), None) => delete::one(world, call, route, kind, name),
        ("DELETE", None, None) => delete::many(world, call, route, kind),
        ("GET" | "PUT" | "PATCH", Some(name), Some("scale")) if kind.scale => {
            scale::scale(world, call, route, kind, name)
        }
        _ => Err(missing()),
    };
    result.map(|answer| match answer {
        Answer::Json { code, body, warnings: mut own } => {
            own.extend(warnings);
            Answer::Json { code, body, warnings: own }
        }
        other @ (Answer::Watch(_) | Answer::Raw(_)) => other,
    })
}

/// How errors speak about an object: by plural.
pub(crate) fn about<'a>(kind: &'a Kind, key: &'a Key) -> About<'a> {
    About { group: &kind.group, kind: &kind.resource, name: &key.name }
}

/// How invalid objects and preconditions are spoken about: by kind.
pub(crate) fn about_kind<'a>(kind: &'a Kind, key: &'a Key) -> About<'a> {
    About { group: &kind.group, kind: &kind.kind, name: &key.name }
}
