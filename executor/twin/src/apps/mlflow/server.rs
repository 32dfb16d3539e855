//! What a running server answers over HTTP.

use serde_json::{Value, json};

use super::{address, database, heads, release};
use crate::apps::App;
use crate::call::Raw;
use crate::world::World;
use crate::world::key::text;

fn plain(code: u16, body: impl Into<String>) -> Raw {
    Raw { code, content_type: "text/plain; charset=utf-8", headers: Vec::new(), body: body.into() }
}

fn answered(code: u16, body: &Value) -> Raw {
    Raw { code, content_type: "application/json", headers: Vec::new(), body: body.to_string() }
}

/// Answers a request to a server in a pod; nothing where the twin does not play the path.
pub(super) fn answer(world: &mut World, app: &App, pod: &Value, method: &str, path: &str) -> Option<Raw> {
    let stored = address::store(world, app, pod);
    let image = match &stored {
        Ok((_, container)) => text(container, "/image").to_owned(),
        Err(_) => String::new(),
    };
    let version = release(world, &image);
    match (method, path) {
        // Neither looks at the database.
        ("GET", "/health") => return Some(plain(200, "OK")),
        ("GET", "/version") => {
            return Some(match version {
                Ok([a, b, c]) => plain(200, format!("{a}.{b}.{c}")),
                Err(message) => plain(500, message),
            });
        }
        _ => {}
    }
    let name = path.trim_start_matches('/').replacen("ajax-api/", "api/", 1);
    let (_, operation) = name.strip_prefix("api/")?.split_once("/mlflow/")?;
    let known =
        ["experiments/search", "runs/search", "runs/create", "registered-models/search", "server-info"];
    if !known.contains(&operation) {
        return None;
    }
    let checked = stored.and_then(|(store, _)| {
        let head = version.ok().and_then(heads::head).map(|(head, _)| head);
        let found = database(world, &store)?;
        if head.is_some_and(|h| h == found.revision) {
            Ok((store, found.rows.clone()))
        } else {
            Err(format!("(psycopg2.errors.UndefinedColumn) the schema is at {}", found.revision))
        }
    });
    let (store, rows) = match checked {
        Ok(found) => found,
        Err(message) => {
            return Some(answered(
                500,
                &json!({"error_code": "TEMPORARILY_UNAVAILABLE", "message": message}),
            ));
        }
    };
    let count = |table: &str| rows.get(table).copied().unwrap_or(0);
    Some(match operation {
        "runs/create" if method == "POST" => {
            let instances = &mut world.cloud_mut().rds.instances;
            if let Some(found) =
                instances.get_mut(&store.instance).and_then(|i| i.databases.get_mut(&store.database))
            {
                *found.rows.entry("runs".into()).or_insert(0) += 1;
            }
            let id = format!("{:032x}", count("runs") + 1);
            answered(
                200,
                &json!({"run": {"info": {"run_id": id, "experiment_id": "0", "status": "RUNNING"}}}),
            )
        }
        "experiments/search" => {
            let many = count("experiments").clamp(0, 5);
            let all: Vec<Value> = (0..many)
                .map(|n| json!({"experiment_id": n.to_string(), "name": format!("experiment-{n}"), "lifecycle_stage": "active"}))
                .collect();
            answered(200, &json!({"experiments": all}))
        }
        "runs/search" => {
            let many = count("runs");
            let all: Vec<Value> = (0..many.clamp(0, 1))
                .map(|_| json!({"info": {"run_id": format!("{many:032x}"), "experiment_id": "0", "status": "FINISHED"}}))
                .collect();
            answered(200, &json!({"runs": all}))
        }
        "registered-models/search" => answered(200, &json!({"registered_models": []})),
        "server-info" => answered(200, &json!({"store_type": "SqlStore"})),
        _ => plain(405, "Method Not Allowed"),
    })
}
