//! What all tests of a run share: one PostgreSQL with a database that the old release made and logged to.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, Weak},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    host,
    mlflow::{Release, Server},
    postgres::Postgres,
};

/// The release that the database comes from, and the one it goes to.
pub(crate) const OLD: &str = "3.8.0";
pub(crate) const NEW: &str = "3.18.0";
/// The database that tests copy.
const LOGGED: &str = "logged";

/// Programs are stopped before their directory goes.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) postgres: Postgres,
    /// What was logged before anything happened.
    pub(crate) before: Logged,
    releases: PathBuf,
    dir: TempDir,
}

/// Where `setup` has put things.
pub(crate) fn places() -> (PathBuf, PathBuf) {
    let places = host::path_var("SWITCHBACK_MLFLOW").zip(host::path_var("SWITCHBACK_POSTGRES"));
    places.expect("SWITCHBACK_MLFLOW and SWITCHBACK_POSTGRES are set by tests/database/setup")
}

impl Ground {
    /// That of the tests which run now, made by the first and ended with the last.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Ground>> = Mutex::new(Weak::new());
        let (releases, bin) = places();
        let mut shared = SHARED.lock().expect("the first test made it");
        if let Some(ground) = shared.upgrade() {
            return ground;
        }
        let ground = Arc::new(Self::make(&releases, &bin));
        *shared = Arc::downgrade(&ground);
        ground
    }

    fn make(releases: &Path, bin: &Path) -> Self {
        let dir = tempfile::Builder::new().prefix("switchback-database-").tempdir().expect("a directory");
        let postgres = Postgres::start(bin, dir.path());
        fs::create_dir(dir.path().join("mlflow")).expect("a directory");
        postgres.create(LOGGED, None);
        let old = Release::find(OLD, releases, &dir.path().join("mlflow"));
        let server = old.serve(&postgres.uri(LOGGED)).expect("the old release makes its tables");
        let before = Logged::write(&server);
        drop(server);
        postgres.unused(LOGGED);
        Self { postgres, before, releases: releases.to_owned(), dir }
    }

    /// A release of those that `setup` has put there.
    pub(crate) fn release(&self, version: &'static str) -> Release {
        Release::find(version, &self.releases, &self.dir.path().join("mlflow"))
    }

    /// The database as the old release left it, once more.
    pub(crate) fn copy(&self, name: &str) -> String {
        self.postgres.create(name, Some(LOGGED));
        self.postgres.uri(name)
    }

    /// A file of a test.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Runs and a model, as the API tells of them.
#[derive(Debug)]
pub(crate) struct Logged {
    runs: Vec<String>,
    told: Value,
}

/// The model that is registered.
const MODEL: &str = "churn";

impl Logged {
    /// Logs two runs and registers a model of the second.
    fn write(server: &Server) -> Self {
        let experiment = server.post("experiments/create", &json!({"name": "fraud"}));
        let experiment = experiment["experiment_id"].as_str().expect("an id").to_owned();
        let runs: Vec<String> =
            ["first", "second"].iter().map(|name| run(server, &experiment, name)).collect();
        server.post("registered-models/create", &json!({"name": MODEL, "description": "of a test"}));
        let source = format!("runs:/{}/model", runs[1]);
        server.post("model-versions/create", &json!({"name": MODEL, "source": source, "run_id": runs[1]}));
        let alias = json!({"name": MODEL, "alias": "champion", "version": "1"});
        server.post("registered-models/alias", &alias);
        let told = Self::told(server, &runs);
        assert_eq!(told["runs"][0]["params"], json!([["learning_rate", "0.01"]]), "{told:#}");
        assert_eq!(told["runs"][1]["history"], json!([[0, 0.5], [1, 0.25], [2, 0.125]]), "{told:#}");
        assert_eq!(told["model"]["run_id"], json!(runs[1]), "{told:#}");
        Self { runs, told }
    }

    /// All of it is what it was.
    pub(crate) fn assert_there(&self, server: &Server) {
        let told = Self::told(server, &self.runs);
        assert_eq!(told, self.told, "{told:#}\nis not\n{:#}", self.told);
    }

    /// What releases agree on; each adds fields of its own.
    fn told(server: &Server, runs: &[String]) -> Value {
        let runs: Vec<Value> = runs
            .iter()
            .map(|id| {
                let run = &server.get(&format!("runs/get?run_id={id}"))["run"];
                // 3.8.0 reads a missing `max_results` as 0.
                let history = format!("metrics/get-history?run_id={id}&metric_key=loss&max_results=100");
                let history = server.get(&history);
                json!({
                    "info": fields(&run["info"], &["run_id", "run_name", "status", "start_time", "experiment_id"]),
                    "params": pairs(&run["data"]["params"], "key", "value"),
                    "metrics": pairs(&run["data"]["metrics"], "key", "value"),
                    "tags": pairs(&run["data"]["tags"], "key", "value"),
                    "history": pairs(&history["metrics"], "step", "value"),
                })
            })
            .collect();
        let model = &server.get(&format!("model-versions/get?name={MODEL}&version=1"))["model_version"];
        let registered = &server.get(&format!("registered-models/get?name={MODEL}"))["registered_model"];
        json!({
            "runs": runs,
            "model": fields(model, &["name", "version", "source", "run_id", "creation_timestamp", "aliases"]),
            "registered": fields(registered, &["name", "description", "aliases"]),
        })
    }
}

/// Logs one run with a parameter, a metric of three steps and a tag.
pub(crate) fn run(server: &Server, experiment: &str, name: &str) -> String {
    let start = json!({"experiment_id": experiment, "run_name": name, "start_time": 1_795_600_000_000_i64});
    let run = server.post("runs/create", &start);
    let id = run["run"]["info"]["run_id"].as_str().expect("an id").to_owned();
    server.post("runs/log-parameter", &json!({"run_id": id, "key": "learning_rate", "value": "0.01"}));
    for (step, value) in [0.5, 0.25, 0.125].iter().enumerate() {
        let at = 1_795_600_000_000_i64;
        let metric = json!({"run_id": id, "key": "loss", "value": value, "timestamp": at, "step": step});
        server.post("runs/log-metric", &metric);
    }
    server.post("runs/set-tag", &json!({"run_id": id, "key": "team", "value": "risk"}));
    server
        .post("runs/update", &json!({"run_id": id, "status": "FINISHED", "end_time": 1_795_600_060_000_i64}));
    id
}

/// Some fields of an object.
fn fields(object: &Value, names: &[&str]) -> Value {
    names
        .iter()
        .map(|name| ((*name).to_owned(), object[*name].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Pairs of a list, in an order of their own.
fn pairs(list: &Value, key: &str, value: &str) -> Value {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut pairs: Vec<Value> = items.iter().map(|item| json!([item[key], item[value]])).collect();
    pairs.sort_by_key(ToString::to_string);
    pairs.into()
}
