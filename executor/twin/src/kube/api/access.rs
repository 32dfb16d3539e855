//! Who may do what: callers without a token may do everything, service accounts what RBAC says.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Route};
use crate::call::Call;
use crate::kinds::{Kind, VIRTUAL};
use crate::kube::error::{About, ApiError, ApiResult};
use crate::kube::neighbours::{Neighbours, Unauthorized};
use crate::world::key::{list, set, text};
use crate::world::{Key, World};

const RBAC: &str = "rbac.authorization.k8s.io";

/// What is asked for.
struct Attributes<'a> {
    verb: &'a str,
    group: &'a str,
    resource: &'a str,
    sub: &'a str,
    namespace: &'a str,
    name: &'a str,
}

/// Who somebody is that is no service account.
fn person(world: &World, call: &Call) -> String {
    match call.token.as_deref().and_then(|token| of_provider(world, token)) {
        Some(Ok(user)) => user,
        _ => ADMIN_TOKEN.to_owned(),
    }
}

/// Whom the provider lets in with a token of its own.
fn of_provider(world: &World, token: &str) -> Option<Result<String, Unauthorized>> {
    Neighbours::of(world).provider?.user(world, token)
}

/// `(namespace, name)` of the service account behind a token; `None` is the administrator, and whoever the provider lets in.
fn subject(world: &World, call: &Call) -> ApiResult<Option<(String, String)>> {
    let Some(token) = &call.token else { return Ok(None) };
    let unauthorized = || ApiError::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized");
    if token == ADMIN_TOKEN {
        return Ok(None);
    }
    if let Some(user) = of_provider(world, token) {
        return user.map(|_| None).map_err(|Unauthorized| unauthorized());
    }
    let (namespace, name) =
        token.strip_prefix("twin:").and_then(|t| t.split_once(':')).ok_or_else(unauthorized)?;
    world.get(&Key::core("serviceaccounts", namespace, name)).ok_or_else(unauthorized)?;
    Ok(Some((namespace.to_owned(), name.to_owned())))
}

/// The token in the kubeconfig that the twin hands out.
pub(crate) const ADMIN_TOKEN: &str = "twin-admin";

pub(super) fn check(world: &World, call: &Call, route: &Route, kind: &Kind) -> ApiResult<()> {
    let Some(subject) = subject(world, call)? else { return Ok(()) };
    let verb = match (call.method.as_str(), route.name.is_some()) {
        ("GET", false) if call.flag("watch") => "watch",
        ("GET", false) => "list",
        ("GET", true) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "delete",
        _ => "deletecollection",
    };
    let asked = Attributes {
        verb,
        group: &kind.group,
        resource: &kind.resource,
        sub: route.sub.as_deref().unwrap_or_default(),
        namespace: route.namespace.as_deref().unwrap_or_default(),
        name: route.name.as_deref().unwrap_or_default(),
    };
    // Everybody may ask what they may do themselves.
    if VIRTUAL.contains(&kind.resource.as_str()) && kind.resource != OTHERS
        || allowed(world, &subject, &asked)
    {
        return Ok(());
    }
    let resource = if asked.sub.is_empty() {
        asked.resource.to_owned()
    } else {
        format!("{}/{}", asked.resource, asked.sub)
    };
    let place = if asked.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {:?}", asked.namespace)
    };
    let about = About { group: asked.group, kind: asked.resource, name: asked.name };
    let shown = if asked.group.is_empty() {
        asked.resource.to_owned()
    } else {
        format!("{}.{}", asked.resource, asked.group)
    };
    let named = if about.name.is_empty() { String::new() } else { format!(" {:?}", about.name) };
    let mut details = json!({"kind": asked.resource});
    if !asked.name.is_empty() {
        set(&mut details, &["name"], asked.name.into());
    }
    if !asked.group.is_empty() {
        set(&mut details, &["group"], asked.group.into());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "Forbidden",
        format!(
            "{shown}{named} is forbidden: User \"system:serviceaccount:{}:{}\" cannot {verb} resource {resource:?} in API group {:?} {place}",
            subject.0, subject.1, asked.group
        ),
    )
    .with_details(details))
}

/// Who may not read a path that is no resource; `None` where the caller may.
pub(super) fn kept_from(world: &World, call: &Call, path: &str) -> ApiResult<Option<String>> {
    let Some((namespace, name)) = subject(world, call)? else { return Ok(None) };
    let bound = |binding: &Value| {
        list(binding, "/subjects").iter().any(|s| {
            text(s, "/kind") == "ServiceAccount"
                && text(s, "/namespace") == namespace
                && text(s, "/name") == name
        })
    };
    let grants = |binding: &Value| {
        let role = world.get(&Key::new(RBAC, "clusterroles", "", text(binding, "/roleRef/name")));
        let has = |rule: &Value, field: &str, wanted: &str| {
            list(rule, field).iter().filter_map(Value::as_str).any(|v| v == "*" || v == wanted)
        };
        role.is_some_and(|r| {
            list(r, "/rules")
                .iter()
                .any(|rule| has(rule, "/nonResourceURLs", path) && has(rule, "/verbs", "get"))
        })
    };
    let may = world.list(RBAC, "clusterrolebindings", None).any(|(_, b)| bound(b) && grants(b));
    Ok((!may).then(|| format!("system:serviceaccount:{namespace}:{name}")))
}

fn allowed(world: &World, subject: &(String, String), asked: &Attributes<'_>) -> bool {
    let bound = |binding: &Value| {
        list(binding, "/subjects").iter().any(|s| {
            text(s, "/kind") == "ServiceAccount"
                && text(s, "/namespace") == subject.0
                && text(s, "/name") == subject.1
        })
    };
    let grants = |binding: &Value, namespace: &str| {
        let (resource, scope) = if text(binding, "/roleRef/kind") == "Role" {
            ("roles", namespace)
        } else {
            ("clusterroles", "")
        };
        let role = world.get(&Key::new(RBAC, resource, scope, text(binding, "/roleRef/name")));
        role.is_some_and(|r| list(r, "/rules").iter().any(|rule| rule_allows(rule, asked)))
    };
    world.list(RBAC, "clusterrolebindings", None).any(|(_, b)| bound(b) && grants(b, ""))
        || (!asked.namespace.is_empty()
            && world
                .list(RBAC, "rolebindings", Some(asked.namespace))
                .any(|(_, b)| bound(b) && grants(b, asked.namespace)))
}

fn rule_allows(rule: &Value, asked: &Attributes<'_>) -> bool {
    let has = |field: &str, wanted: &str| {
        list(rule, field).iter().filter_map(Value::as_str).any(|v| v == "*" || v == wanted)
    };
    let resource = if asked.sub.is_empty() {
        asked.resource.to_owned()
    } else {
        format!("{}/{}", asked.resource, asked.sub)
    };
    let names = list(rule, "/resourceNames");
    has("/verbs", asked.verb)
        && has("/apiGroups", asked.group)
        && has("/resources", &resource)
        && (names.is_empty() || names.iter().any(|n| n.as_str() == Some(asked.name)))
}

/// Answers a `SelfSubjectReview`.
pub(super) fn who(world: &World, call: &Call) -> ApiResult<Answer> {
    let mut body = call.json()?;
    let name = match subject(world, call)? {
        None => person(world, call),
        Some((namespace, name)) => format!("system:serviceaccount:{namespace}:{name}"),
    };
    set(&mut body, &["status"], json!({"userInfo": {"username": name}}));
    Ok(Answer::with(201, body, Vec::new()))
}

/// The reviews that ask about somebody else.
const OTHERS: &str = "subjectaccessreviews";

/// Answers a `SelfSubjectAccessReview`, or a `SubjectAccessReview` of a service account. Whoever else is asked about may do nothing.
pub(super) fn review(world: &World, call: &Call) -> ApiResult<Answer> {
    let mut body = call.json()?;
    let field = |name: &str| text(&body, &format!("/spec/resourceAttributes/{name}")).to_owned();
    let (verb, group, resource, sub, namespace, name) = (
        field("verb"),
        field("group"),
        field("resource"),
        field("subresource"),
        field("namespace"),
        field("name"),
    );
    let asked = Attributes {
        verb: &verb,
        group: &group,
        resource: &resource,
        sub: &sub,
        namespace: &namespace,
        name: &name,
    };
    let of_another = text(&body, "/spec/user");
    let yes = match (of_another, subject(world, call)?) {
        ("", None) => true,
        ("", Some(subject)) => allowed(world, &subject, &asked),
        (user, _) => user
            .strip_prefix("system:serviceaccount:")
            .and_then(|account| account.split_once(':'))
            .is_some_and(|(namespace, name)| {
                allowed(world, &(namespace.to_owned(), name.to_owned()), &asked)
            }),
    };
    set(&mut body, &["status"], json!({"allowed": yes}));
    Ok(Answer::with(201, body, Vec::new()))
}

/// Hands out a token for a service account.
pub(super) fn token(world: &World, call: &Call, key: &Key) -> ApiResult<Answer> {
    if world.get(key).is_none() {
        return Err(ApiError::not_found(About { group: "", kind: "serviceaccounts", name: &key.name }));
    }
    let mut body = call.json()?;
    set(
        &mut body,
        &["status"],
        json!({"token": format!("twin:{}:{}", key.namespace, key.name), "expirationTimestamp": world.stamp()}),
    );
    Ok(Answer::with(201, body, Vec::new()))
}
