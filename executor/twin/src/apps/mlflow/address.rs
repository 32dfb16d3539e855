//! The address of a database, as a container is told it: by value, from a Secret or a ConfigMap.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Store, container};
use crate::apps::App;
use crate::cloud::rds;
use crate::world::key::{list, text};
use crate::world::{Key, World};

/// A key of a Secret or a ConfigMap.
fn key_of(world: &World, namespace: &str, kind: &str, name: &str, key: &str) -> Option<String> {
    let object = world.get(&Key::core(kind, namespace, name))?;
    let value = object.get("data")?.get(key)?.as_str()?;
    if kind == "configmaps" {
        return Some(value.to_owned());
    }
    String::from_utf8(STANDARD.decode(value).ok()?).ok()
}

/// The value of a container's variable.
pub(super) fn variable(world: &World, namespace: &str, container: &Value, name: &str) -> Option<String> {
    for entry in list(container, "/env").iter().filter(|e| text(e, "/name") == name) {
        if let Some(value) = entry.get("value").and_then(Value::as_str) {
            return Some(value.to_owned());
        }
        for (field, kind) in [("secretKeyRef", "secrets"), ("configMapKeyRef", "configmaps")] {
            if let Some(from) = entry.pointer(&format!("/valueFrom/{field}")) {
                return key_of(world, namespace, kind, text(from, "/name"), text(from, "/key"));
            }
        }
    }
    list(container, "/envFrom").iter().find_map(|from| {
        [("secretRef", "secrets"), ("configMapRef", "configmaps")].into_iter().find_map(|(field, kind)| {
            let source = from.get(field)?;
            let key = name.strip_prefix(text(from, "/prefix"))?;
            key_of(world, namespace, kind, text(source, "/name"), key)
        })
    })
}

/// Host and database of `SCHEME://USER:PASSWORD@HOST:PORT/DATABASE?…`.
pub(super) fn parse(uri: &str) -> Option<(String, String)> {
    let (_, rest) = uri.split_once("://")?;
    let (place, database) = rest.split_once('/')?;
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let database = database.split('?').next().unwrap_or_default();
    (!host.is_empty() && !database.is_empty()).then(|| (host.to_lowercase(), database.to_owned()))
}

/// The store behind an address: an instance answers under its own name only.
pub(super) fn of_uri(world: &World, uri: &str) -> Option<Store> {
    let (host, database) = parse(uri)?;
    let found = world.cloud().rds.instances.iter().find(|(id, i)| rds::host(&i.region, id) == host);
    let instance = found.map(|(id, _)| id.clone()).or_else(|| host.split('.').next().map(str::to_owned))?;
    Some(Store { instance, database, host })
}

/// The store of a server's pod, and its container.
pub(super) fn store(world: &World, app: &App, pod: &Value) -> Result<(Store, Value), String> {
    let container = container(pod, &app.uri_variable).cloned().ok_or("the pod has no container")?;
    let told = variable(world, &app.namespace, &container, &app.uri_variable);
    if let Some(store) = told.as_deref().and_then(|uri| of_uri(world, uri)) {
        return Ok((store, container));
    }
    match (&app.instance, &app.database) {
        (Some(instance), Some(database)) => {
            let host = rds::host(&world.cloud().region, instance);
            Ok((Store { instance: instance.clone(), database: database.clone(), host }, container))
        }
        _ => Err(format!("{} is not set, or is no address of a database", app.uri_variable)),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_address_is_taken_apart() {
        assert_eq!(
            parse("postgresql+psycopg2://u:p%40x@DB.example:5432/mlflow?sslmode=require"),
            Some(("db.example".into(), "mlflow".into()))
        );
        assert_eq!(parse("sqlite:///x.db"), None);
    }
}
