//! `cluster`: a real Kubernetes control plane on loopback, from a shell.

use std::{
    io::{self, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus},
};

use clap::{Parser, Subcommand, builder::PossibleValuesParser};
use switchback_cluster::{Access, Cluster, Controller, Error, Toolchain, default_run_dir, down, run, smoke};

/// Runs a real Kubernetes control plane on 127.0.0.1, for tests.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the programs that are not in the cache yet.
    Build {
        /// Build the controllers that run beside a cluster, too: those that are named, or all.
        #[arg(long, num_args = 0.., value_name = "NAME", value_parser = PossibleValuesParser::new(Controller::ALL.map(Controller::name)))]
        controllers: Option<Vec<String>>,
    },
    /// Start a cluster that runs until `cluster down`.
    Up {
        /// Where it keeps data, keys and logs.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Stop the cluster that `cluster up` started.
    Down {
        /// Where it was started.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Print the environment variables of a cluster, for `eval`.
    Env {
        /// Where it was started.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Run a command with a cluster of its own, or with the one that `SWITCHBACK_KUBECONFIG` names.
    Test {
        /// Keep the cluster's directory here instead of in a temporary one.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// The command and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Start a cluster, see nodes, pods, Jobs and both Helms work on it, stop it.
    Smoke,
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("error: {error}"));
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                say(&format!("  because: {cause}"));
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Build { controllers } => {
            for program in build()?.programs() {
                print(&program.display().to_string());
            }
            let asked = |controller: &Controller| {
                let names = controllers.as_ref();
                names.is_some_and(|names| {
                    names.is_empty() || names.iter().any(|name| name == controller.name())
                })
            };
            for controller in Controller::ALL.into_iter().filter(asked) {
                print(&controller.build_with(say)?.program().display().to_string());
            }
        }
        Command::Up { dir } => {
            let dir = or_default(dir)?;
            let tools = build()?;
            let cluster = Cluster::start(&tools, &dir)?;
            say(&format!("{} is ready; logs and keys are in {}", cluster.server(), cluster.dir().display()));
            print_variables(&Access::new(&cluster.kubeconfig(), &tools));
            cluster.detach()?;
        }
        Command::Down { dir } => down(&or_default(dir)?)?,
        Command::Env { dir } => {
            let dir = or_default(dir)?;
            let kubeconfig = dir.join("kubeconfig");
            if !kubeconfig.is_file() {
                return Err(Error::NotRunning { dir });
            }
            print_variables(&Access::new(&kubeconfig, &Toolchain::locate()?));
        }
        Command::Test { dir, command } => return test(dir, &command),
        Command::Smoke => {
            let tools = build()?;
            let scratch = Scratch::new(None)?;
            let cluster = Cluster::start(&tools, scratch.path())?;
            say(&format!("{} is ready", cluster.server()));
            smoke::run(&cluster, &tools, say)?;
            cluster.stop();
            scratch.remove();
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn test(dir: Option<PathBuf>, command: &[String]) -> Result<ExitCode, Error> {
    if let Ok(access) = Access::from_env() {
        // Somebody's own cluster: Helm is a help there, no condition.
        let access = match Toolchain::locate() {
            Ok(tools) => access.or_programs_of(&tools),
            Err(_) => access,
        };
        return Ok(exit_code(run(command, &access.variables())?));
    }
    let tools = build()?;
    let scratch = Scratch::new(dir)?;
    let cluster = Cluster::start(&tools, scratch.path())?;
    let status = run(command, &Access::new(&cluster.kubeconfig(), &tools).variables())?;
    cluster.stop();
    if status.success() {
        scratch.remove();
    } else {
        say(&format!("the cluster's logs are in {}", scratch.path().join("logs").display()));
    }
    Ok(exit_code(status))
}

/// A directory for one cluster that is kept when something went wrong.
enum Scratch {
    Given(PathBuf),
    Temporary(PathBuf),
}

impl Scratch {
    fn new(given: Option<PathBuf>) -> Result<Self, Error> {
        if let Some(dir) = given {
            return Ok(Self::Given(dir));
        }
        match tempfile::Builder::new().prefix("switchback-cluster-").tempdir() {
            Ok(dir) => Ok(Self::Temporary(dir.keep())),
            Err(source) => {
                Err(Error::Io { what: "create a directory in", path: std::env::temp_dir(), source })
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Given(path) | Self::Temporary(path) => path,
        }
    }

    fn remove(self) {
        if let Self::Temporary(path) = self {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

fn or_default(dir: Option<PathBuf>) -> Result<PathBuf, Error> {
    dir.map_or_else(default_run_dir, Ok)
}

fn build() -> Result<Toolchain, Error> {
    Toolchain::build_with(say)
}

/// As a shell does: 128 and the signal's number for a command that a signal ended.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

fn print_variables(access: &Access) {
    for (name, value) in access.variables() {
        let value = value.display().to_string().replace('\'', r"'\''");
        print(&format!("export {name}='{value}'"));
    }
}

/// Answers go to stdout. A reader that has gone away is no error.
fn print(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Progress and errors go to stderr, so that `eval "$(cluster env)"` sees variables alone.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
