//! Releases of MLflow: the programs of their images, as our Jobs and a Deployment call them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use switchback_planner::components::mlflow::{CHECK_ADDRESS, CHECK_SCHEMA};

use super::{
    host, http,
    program::{End, Program},
};

/// The variable that holds the address of the database.
pub(crate) const URI: &str = "MLFLOW_BACKEND_STORE_URI";

/// One release.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    pub(crate) version: &'static str,
    bin: PathBuf,
    /// Where its processes are at home, and leave logs.
    home: PathBuf,
}

/// How a check ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) code: Option<i32>,
    pub(crate) said: String,
}

impl Release {
    /// A release of those that `setup` has put there.
    pub(crate) fn find(version: &'static str, releases: &Path, home: &Path) -> Self {
        let bin = releases.join(version).join("bin");
        assert!(bin.join("mlflow").is_file(), "no MLflow {version} in {}: run setup", releases.display());
        Self { version, bin, home: home.to_owned() }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = host::command(self.bin.join(program), &self.home);
        // Nothing of this is anybody's usage.
        command.env("MLFLOW_DISABLE_TELEMETRY", "true").env("DO_NOT_TRACK", "true");
        command
    }

    /// The migration Job: `mlflow db upgrade URI`.
    pub(crate) fn migration(&self, uri: &str) -> Command {
        let mut command = self.command("mlflow");
        command.args(["db", "upgrade", uri]);
        command
    }

    /// Runs that to its end.
    pub(crate) fn migrate(&self, uri: &str) -> Output {
        host::output(&mut self.migration(uri))
    }

    /// The Job that checks the schema: `python -c SCRIPT VARIABLE`.
    pub(crate) fn check_schema(&self, uri: Option<&str>) -> Checked {
        self.script(uri, &[CHECK_SCHEMA, URI])
    }

    /// The Job that checks the address: `python -c SCRIPT VARIABLE HOST DATABASE...`.
    pub(crate) fn check_address(&self, uri: &str, host: &str, accepted: &[&str]) -> Checked {
        self.script(Some(uri), &[&[CHECK_ADDRESS, URI, host], accepted].concat())
    }

    fn script(&self, uri: Option<&str>, arguments: &[&str]) -> Checked {
        let mut command = self.command("python");
        command.arg("-c").args(arguments);
        if let Some(uri) = uri {
            command.env(URI, uri);
        }
        let output = host::output(&mut command);
        Checked { code: output.status.code(), said: host::both(&output) }
    }

    /// Starts the server and waits until it is healthy; the error is what it said if it ended instead.
    pub(crate) fn serve(&self, uri: &str) -> Result<Server, String> {
        // Somebody can take a free port before the server does.
        for _ in 0..3 {
            let port = host::free_port();
            let mut command = self.command("mlflow");
            command.args(["server", "--host", "127.0.0.1", "--workers", "1", "--port", &port.to_string()]);
            command.arg("--artifacts-destination").arg(self.home.join("artifacts"));
            // Runs of jobs are not the subject, and would be more processes.
            command.env(URI, uri).env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false");
            let log = self.home.join(format!("mlflow-{}-{port}.log", self.version));
            let mut program = Program::start(command, End::Term, &log, None);
            let up = host::wait("a server of MLflow", || {
                if program.ended().is_some() {
                    return Some(false);
                }
                let health = http::ask(port, "GET", "/health", None).ok()?;
                (health.status == 200).then_some(true)
            });
            if up {
                return Ok(Server { port, _program: program });
            }
            let said = fs::read_to_string(&log).unwrap_or_default();
            if !said.contains("address already in use") {
                return Err(said);
            }
        }
        panic!("no free port for MLflow");
    }
}

/// A server that is up; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    _program: Program,
}

impl Server {
    /// The body of a page that has to be there.
    pub(crate) fn page(&self, path: &str) -> String {
        let answer = http::ask(self.port, "GET", path, None).expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// A read of the API.
    pub(crate) fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.page(&format!("/api/2.0/mlflow/{path}"))).expect("JSON")
    }

    /// The status of a read of the API.
    pub(crate) fn status(&self, path: &str) -> u16 {
        http::ask(self.port, "GET", &format!("/api/2.0/mlflow/{path}"), None).expect("an answer").status
    }

    /// What the server says to a read for which the client took this name of it.
    pub(crate) fn named(&self, host: &str, path: &str) -> http::Answer {
        http::ask_as(host, self.port, "GET", path, None).expect("an answer")
    }

    /// A call of the API.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let path = format!("/api/2.0/mlflow/{path}");
        let answer = http::ask(self.port, "POST", &path, Some(&body.to_string())).expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        serde_json::from_str(&answer.body).expect("JSON")
    }
}
