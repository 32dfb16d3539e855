//! MLflow: servers whose start depends on a database, Jobs that migrate or check it, and what a server answers.
//!
//! Facts: catalog/mlflow.yaml. A server starts only on a database whose revision is the head that its image ships. Up to 3.8, and from
//! 3.12 where more than the newest revision is missing, it migrates by itself when it starts: what was seen is that 3.17.2 did so from
//! 3.8.0 and refused a database that was one revision behind.

use jiff::SignedDuration;
use serde_json::Value;

use super::{App, AppKind};
use crate::call::Raw;
use crate::cloud::rds;
use crate::cloud::rds::state::Database;
use crate::kube::controllers::controller;
use crate::kube::neighbours::Application;
use crate::world::key::{list, text};
use crate::world::{Key, World};

mod address;
mod heads;
mod jobs;
mod server;

/// MLflow as the cluster knows it.
#[derive(Debug)]
pub(crate) struct Mlflow;

impl Application for Mlflow {
    /// A server may migrate its database by itself when it starts.
    fn start(&self, world: &mut World, key: &Key, pod: &Value) -> Result<(), String> {
        match app_of(world, key, pod).cloned() {
            Some(app) => begin(world, &app, pod),
            None => Ok(()),
        }
    }

    fn runs_for(&self, world: &World, pod: &Value) -> Option<SignedDuration> {
        jobs::runs_for(world, pod)
    }

    fn completes(&self, world: &mut World, key: &Key, pod: &Value) -> Option<(i64, String)> {
        jobs::completes(world, key, pod)
    }

    fn answer(&self, world: &mut World, key: &Key, pod: &Value, method: &str, path: &str) -> Option<Raw> {
        let app = app_of(world, key, pod)?.clone();
        server::answer(world, &app, pod, method, path)
    }

    /// It has no webhooks.
    fn admit(&self, _: &World, _: &Key, _: Option<&Value>, _: &Value) -> Result<(), String> {
        Ok(())
    }
}

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Store {
    instance: String,
    database: String,
    host: String,
}

/// The application that a pod is of.
fn app_of<'a>(world: &'a World, key: &Key, pod: &Value) -> Option<&'a App> {
    let set = controller(pod, key, "ReplicaSet", "apps", "replicasets")?;
    let deployment = controller(world.get(&set)?, &set, "Deployment", "apps", "deployments")?;
    world.apps().iter().find(|a| {
        a.kind == AppKind::Mlflow && a.namespace == *deployment.namespace && a.deployment == *deployment.name
    })
}

/// The release in a container's image.
fn release(world: &World, image: &str) -> Result<[u32; 3], String> {
    let known = world.apps().iter().find_map(|a| a.images.get(image)).map(String::as_str);
    let tag = image.split('@').next().unwrap_or_default().rsplit_once(':').map(|(_, tag)| tag);
    known.or(tag).and_then(heads::number).ok_or_else(|| {
        format!("the twin cannot tell the release of MLflow in {image}; name it in apps[].images")
    })
}

/// The database of a store, where its instance answers.
fn database<'a>(world: &'a World, store: &Store) -> Result<&'a Database, String> {
    let unreachable =
        || format!("could not translate host name \"{}\" to address: Name or service not known", store.host);
    let instance = world.cloud().rds.instances.get(&store.instance).ok_or_else(unreachable)?;
    if !matches!(rds::status(instance), "available" | "backing-up" | "modifying" | "storage-optimization") {
        return Err(format!("connection to server at \"{}\" failed: Connection refused", store.host));
    }
    instance
        .databases
        .get(&store.database)
        .ok_or_else(|| format!("FATAL: database \"{}\" does not exist", store.database))
}

/// Sets the revision of a database.
fn migrate(world: &mut World, store: &Store, revision: &str) {
    let instances = &mut world.cloud_mut().rds.instances;
    if let Some(database) =
        instances.get_mut(&store.instance).and_then(|i| i.databases.get_mut(&store.database))
    {
        revision.clone_into(&mut database.revision);
    }
}

fn begin(world: &mut World, app: &App, pod: &Value) -> Result<(), String> {
    let (store, container) = address::store(world, app, pod)?;
    let release = release(world, text(&container, "/image"))?;
    let (head, place) = heads::head(release).ok_or("the twin knows no head of this release of MLflow")?;
    let found = database(world, &store)?.revision.clone();
    if found == head {
        return Ok(());
    }
    let refused = || {
        format!(
            "mlflow.exceptions.MlflowException: Detected out-of-date database schema (found version {found}, but expected {head}). Take a backup of your database, then run 'mlflow db upgrade <database_uri>' to migrate your database to the latest schema."
        )
    };
    let behind = heads::place(&found).map(|at| i64::from(place) - i64::from(at));
    let silent = if release <= [3, 8, u32::MAX] {
        true
    } else {
        release >= [3, 12, 0] && behind.is_some_and(|n| n > 1)
    };
    match behind {
        Some(n) if n > 0 && silent => {
            migrate(world, &store, head);
            Ok(())
        }
        None if found.is_empty() => {
            migrate(world, &store, head);
            Ok(())
        }
        Some(n) if n > 0 => Err(refused()),
        // Somebody newer was here.
        _ if silent => {
            Err(format!("alembic.util.exc.CommandError: Can't locate revision identified by '{found}'"))
        }
        _ => Err(refused()),
    }
}

/// The first container of a pod that runs an image of MLflow or has the variable.
fn container<'a>(pod: &'a Value, variable: &str) -> Option<&'a Value> {
    let all = list(pod, "/spec/containers");
    let has = |c: &&Value| list(c, "/env").iter().any(|e| text(e, "/name") == variable);
    all.iter()
        .find(has)
        .or_else(|| all.iter().find(|c| text(c, "/image").contains("mlflow")))
        .or_else(|| all.first())
}
