//! The proxy to services: what a Service answers is what the application behind it is played to answer.

use http::StatusCode;
use serde_json::Value;

use super::select::label_selector;
use super::{Answer, Route, access, convert::pod_ready, find_kind};
use crate::call::Call;
use crate::kube::error::{About, ApiError, ApiResult};
use crate::kube::neighbours::Neighbours;
use crate::world::key::{list, text};
use crate::world::{Key, World, labels};

/// A path `/api/v1/namespaces/NS/services/[SCHEME:]NAME[:PORT]/proxy/PATH`.
struct Target {
    namespace: String,
    name: String,
    port: String,
    rest: String,
}

fn parse(path: &str) -> Option<Target> {
    let rest = path.strip_prefix("/api/v1/namespaces/")?;
    let (namespace, rest) = rest.split_once("/services/")?;
    let (service, rest) = rest.split_once("/proxy").unwrap_or((rest, "-"));
    if rest == "-"
        || !(rest.is_empty() || rest.starts_with('/'))
        || service.contains('/')
        || namespace.contains('/')
    {
        return None;
    }
    let service = crate::call::decode(service);
    let parts: Vec<&str> = service.split(':').collect();
    let (name, port) = match parts.as_slice() {
        [name] => (*name, ""),
        [name, port] | [_, name, port] => (*name, *port),
        _ => return None,
    };
    let rest = if rest.is_empty() { "/".to_owned() } else { rest.to_owned() };
    Some(Target { namespace: namespace.to_owned(), name: name.to_owned(), port: port.to_owned(), rest })
}

/// The answer, where the path is one of the proxy.
pub(super) fn answer(world: &mut World, call: &Call) -> ApiResult<Option<Answer>> {
    let Some(target) = parse(&call.path) else { return Ok(None) };
    let route = Route {
        version: "v1".into(),
        namespace: Some(target.namespace.clone()),
        resource: "services".into(),
        name: Some(target.name.clone()),
        sub: Some("proxy".into()),
        ..Route::default()
    };
    let kind = find_kind(world, &route)?;
    access::check(world, call, &route, &kind)?;
    let key = Key::core("services", &target.namespace, &target.name);
    let about = About { group: "", kind: "services", name: &target.name };
    let service = world.get(&key).cloned().ok_or_else(|| ApiError::not_found(about))?;
    let unavailable =
        |what: String| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", what);
    let has_port = list(&service, "/spec/ports").iter().any(|p| {
        target.port.is_empty()
            || text(p, "/name") == target.port
            || p.get("port").map(Value::to_string) == Some(target.port.clone())
    });
    if !has_port {
        return Err(unavailable(format!(
            "no service port {:?} found for service {:?}",
            target.port, target.name
        )));
    }
    let Some(wanted) =
        service.pointer("/spec/selector").filter(|s| s.as_object().is_some_and(|s| !s.is_empty()))
    else {
        return Err(unavailable(format!("no endpoints available for service {:?}", target.name)));
    };
    let wanted = serde_json::json!({"matchLabels": wanted});
    let pod = world
        .list("", "pods", Some(&target.namespace))
        .find(|(_, p)| {
            label_selector(Some(&wanted), &labels(p))
                && pod_ready(p)
                && text(p, "/metadata/deletionTimestamp").is_empty()
        })
        .map(|(k, p)| (k.clone(), p.clone()));
    let Some((pod_key, pod)) = pod else {
        return Err(unavailable(format!("no endpoints available for service {:?}", target.name)));
    };
    let applications = Neighbours::of(world).applications;
    let played =
        applications.iter().find_map(|app| app.answer(world, &pod_key, &pod, &call.method, &target.rest));
    match played {
        Some(raw) => Ok(Some(Answer::Raw(raw))),
        None => Err(ApiError::not_simulated(format!(
            "{} {} of service {}/{}",
            call.method, target.rest, target.namespace, target.name
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn services_are_named_with_scheme_and_port() {
        for (path, name, port, rest) in [
            ("/api/v1/namespaces/mlops/services/mlflow:5000/proxy/health", "mlflow", "5000", "/health"),
            (
                "/api/v1/namespaces/mlops/services/http:mlflow:http/proxy/api/2.0/x",
                "mlflow",
                "http",
                "/api/2.0/x",
            ),
            ("/api/v1/namespaces/mlops/services/mlflow/proxy", "mlflow", "", "/"),
            ("/api/v1/namespaces/mlops/services/mlflow%3A5000/proxy/version", "mlflow", "5000", "/version"),
        ] {
            let found = parse(path).unwrap();
            assert_eq!((&*found.name, &*found.port, &*found.rest), (name, port, rest), "{path}");
        }
        for path in [
            "/api/v1/namespaces/a/services/b",
            "/api/v1/namespaces/a/services",
            "/api/v1/namespaces/a/services/b/proxyx",
        ] {
            assert!(parse(path).is_none(), "{path}");
        }
    }
}
