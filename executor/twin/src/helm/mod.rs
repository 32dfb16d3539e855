//! helm, as far as the driver uses it: the verbs and flags of [`args`], and nothing else.

use serde_json::{Value, json};

use crate::program::{ProgramCall, ProgramResult};
use crate::world::World;

mod actions;
mod args;
mod chart;
mod objects;
mod release;
mod show;

use args::Args;

/// Why a helm call ends without success.
#[derive(Debug)]
enum Stop {
    /// With a message and exit 1.
    Error(String),
    /// Killed where it was.
    Killed,
    /// The twin does not play it.
    NotSimulated(String),
}

impl Stop {
    fn error(message: impl Into<String>) -> Self {
        Self::Error(message.into())
    }

    fn not_found() -> Self {
        Self::error("release: not found")
    }
}

/// Runs a call; with `killed` it stops in the middle of its work.
pub(crate) fn run(world: &mut World, call: &ProgramCall, killed: bool) -> ProgramResult {
    let result = call_verb(world, call, killed);
    match result {
        Ok(stdout) => ProgramResult::ok(stdout),
        Err(Stop::Error(message)) => ProgramResult::failed(1, format!("Error: {message}\n")),
        Err(Stop::Killed) => ProgramResult::failed(137, String::new()),
        Err(Stop::NotSimulated(what)) => ProgramResult::not_simulated(what),
    }
}

fn call_verb(world: &mut World, call: &ProgramCall, killed: bool) -> Result<String, Stop> {
    let program = call.argv.first().map(|p| p.rsplit('/').next().unwrap_or(p)).unwrap_or_default();
    if !program.starts_with("helm") {
        return Err(Stop::NotSimulated(call.argv.join(" ")));
    }
    let args = args::parse(call)?;
    if !matches!(args.verb.as_str(), "version" | "template" | "show") {
        let took = world.settings().timings.helm.max(0).unsigned_abs();
        let changes = matches!(args.verb.as_str(), "install" | "upgrade" | "rollback" | "uninstall");
        if changes && !args.is("dry-run") {
            world.advance_by(std::time::Duration::from_millis(took));
        }
    }
    match args.verb.as_str() {
        "version" => Ok(version(world, &args)),
        "install" => actions::install(world, &args, killed),
        "upgrade" => actions::upgrade(world, &args, killed),
        "rollback" => actions::rollback(world, &args, killed),
        "uninstall" => actions::uninstall(world, &args, killed),
        "template" => show::template(world, &args),
        "show" => show::chart(world, &args),
        "history" => show::history(world, &args),
        "status" => show::status(world, &args),
        "get" => show::get(world, &args),
        other => Err(Stop::NotSimulated(format!("helm {other}"))),
    }
}

fn version(world: &World, args: &Args) -> String {
    let version = &world.settings().helm.0;
    match args.flag("template") {
        Some(template) => template.replace("{{.Version}}", version).replace("{{ .Version }}", version),
        None => format!("{version}\n"),
    }
}

/// Whether this is helm 4.
fn four(world: &World) -> bool {
    world.settings().helm.0.starts_with("v4")
}

/// Installs a release while a world is loaded: the same as the program does.
pub(crate) fn preinstall(world: &mut World, release: &Value) -> Result<(), String> {
    let text = |name: &str| release.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let values = release.get("values").cloned().unwrap_or_else(|| json!({}));
    let call = ProgramCall::new([
        "helm",
        "upgrade",
        "--install",
        &text("name"),
        &text("chart"),
        "--version",
        &text("version"),
        "--namespace",
        &text("namespace"),
        "--create-namespace",
        "--values",
        "values.json",
    ])
    .file("values.json", values.to_string());
    let out = run(world, &call, false);
    if out.exit == 0 { Ok(()) } else { Err(format!("release {}: {}", text("name"), out.stderr.trim())) }
}
