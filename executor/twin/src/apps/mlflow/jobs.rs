//! Jobs that run MLflow's image: a migration, a check of the schema, a check of the address.

use jiff::SignedDuration;
use serde_json::Value;

use super::{Store, address, container, database, heads, migrate, release};
use crate::world::key::{list, text};
use crate::world::{Key, World};

/// What a Job's container does.
enum Task {
    Migrate { uri: Option<String> },
    Schema { variable: String },
    Address { variable: String, host: String, accepted: Vec<String> },
}

/// The words that a container runs.
fn words(container: &Value) -> Vec<String> {
    let of = |field: &str| {
        list(container, field).iter().filter_map(|w| w.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    [of("/command"), of("/args")].concat()
}

fn task(world: &World, pod: &Value) -> Option<(Task, Value)> {
    if world.apps().is_empty() {
        return None;
    }
    let container = container(pod, "")?.clone();
    let words = words(&container);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let at = |name: &str| words.iter().position(|w| *w == name);
    if let Some(at) = words.windows(3).position(|w| w == ["mlflow", "db", "upgrade"]) {
        return Some((Task::Migrate { uri: words.get(at + 3).map(|w| (*w).to_owned()) }, container));
    }
    let (script, rest) = words.get(at("-c")? + 1..)?.split_first()?;
    let variable = rest.first().copied().unwrap_or("MLFLOW_BACKEND_STORE_URI").to_owned();
    let found = if script.contains("_verify_schema") {
        Task::Schema { variable }
    } else if script.contains("pg_database") {
        let accepted = rest.iter().skip(2).map(|w| (*w).to_owned()).collect();
        Task::Address { variable, host: rest.get(1).copied().unwrap_or_default().to_lowercase(), accepted }
    } else {
        return None;
    };
    Some((found, container))
}

/// How long such a Job's pod runs, where it is one.
pub(super) fn runs_for(world: &World, pod: &Value) -> Option<SignedDuration> {
    let seconds = match task(world, pod)?.0 {
        Task::Migrate { .. } => world.apps().iter().map(|a| a.migrate_seconds).max().unwrap_or(45),
        Task::Schema { .. } | Task::Address { .. } => 5,
    };
    Some(SignedDuration::from_secs(seconds))
}

/// How such a Job's pod ends: with a code, and the line that it leaves. Nothing where it is none.
pub(super) fn completes(world: &mut World, key: &Key, pod: &Value) -> Option<(i64, String)> {
    let (task, container) = task(world, pod)?;
    let image = text(&container, "/image");
    Some(match task {
        Task::Migrate { uri } => upgrade(world, key, &container, image, uri),
        Task::Schema { variable } => match store(world, key, &container, &variable) {
            Ok(store) => schema(world, &store, image),
            Err(line) => (2, format!("schema check: {line}")),
        },
        Task::Address { variable, host, accepted } => match store(world, key, &container, &variable) {
            Ok(store) => place(world, &store, &host, &accepted),
            Err(line) => (2, format!("address check: {line}")),
        },
    })
}

fn store(world: &World, key: &Key, container: &Value, variable: &str) -> Result<Store, String> {
    let uri = address::variable(world, &key.namespace, container, variable);
    let uri = uri.ok_or_else(|| format!("the variable {variable} is empty or not set"))?;
    address::of_uri(world, &uri).ok_or_else(|| "the address cannot be parsed: ArgumentError".into())
}

/// `mlflow db upgrade URI`.
fn upgrade(
    world: &mut World,
    key: &Key,
    container: &Value,
    image: &str,
    uri: Option<String>,
) -> (i64, String) {
    let Some(uri) = uri else { return (2, "Error: Missing argument 'URL'.".into()) };
    let told = match uri.strip_prefix("$(").and_then(|u| u.strip_suffix(')')) {
        Some(name) => address::variable(world, &key.namespace, container, name).unwrap_or(uri),
        None => uri,
    };
    let Some(store) = address::of_uri(world, &told) else {
        return (
            1,
            "sqlalchemy.exc.ArgumentError: Could not parse SQLAlchemy URL from given URL string".into(),
        );
    };
    let head = release(world, image).and_then(|r| heads::head(r).ok_or_else(|| "no head is known".into()));
    let ((head, place), found) = match (head, database(world, &store).map(|d| d.revision.clone())) {
        (Ok(head), Ok(found)) => (head, found),
        (Err(line), _) | (_, Err(line)) => return (1, format!("sqlalchemy.exc.OperationalError: {line}")),
    };
    let known = found.is_empty() || heads::place(&found).is_some_and(|at| at <= place);
    if !known {
        return (1, format!("alembic.util.exc.CommandError: Can't locate revision identified by '{found}'"));
    }
    migrate(world, &store, head);
    (0, format!("INFO  [alembic.runtime.migration] Running upgrade {found} -> {head}"))
}

/// The check that a server makes at start.
fn schema(world: &World, store: &Store, image: &str) -> (i64, String) {
    let head = release(world, image)
        .and_then(|r| heads::head(r).map(|h| (r, h)).ok_or_else(|| "no head is known".into()));
    let found = database(world, store).map(|d| d.revision.clone());
    let (Ok((release, (head, place))), Ok(found)) = (head, found) else {
        return (2, "schema check: the revision could not be read: OperationalError".into());
    };
    let [a, b, c] = release;
    if found == head {
        return (0, format!("schema check: revision {head} is the head of MLflow {a}.{b}.{c}"));
    }
    let older = heads::place(&found).is_some_and(|at| at < place);
    let line = if found.is_empty() {
        format!("the database has no revision; MLflow {a}.{b}.{c} expects {head}")
    } else if older {
        format!("revision {found} is older than the head {head} of MLflow {a}.{b}.{c}")
    } else {
        format!(
            "revision {found} is not known to MLflow {a}.{b}.{c}, whose head is {head}: a newer one migrated it"
        )
    };
    (1, format!("schema check: {line}"))
}

/// Whether the address leads to an instance on which nothing else is at stake.
fn place(world: &World, store: &Store, host: &str, accepted: &[String]) -> (i64, String) {
    if store.host != host {
        return (1, format!("address check: the address leads to another host than {host}"));
    }
    if database(world, store).is_err() {
        return (2, "address check: the databases could not be listed: OperationalError".into());
    }
    let others: Vec<&str> = world
        .cloud()
        .rds
        .instances
        .get(&store.instance)
        .into_iter()
        .flat_map(|i| i.databases.keys())
        .filter(|name| **name != store.database && !accepted.contains(name))
        .map(String::as_str)
        .collect();
    if others.is_empty() {
        return (
            0,
            format!("address check: the address leads to {host}, and nothing else on it is at stake"),
        );
    }
    (
        1,
        format!(
            "address check: a restore would rewind these too, and nobody accepted that: {}",
            others.join(", ")
        ),
    )
}
