//! `demo`: the tour, without a cloud. Every step is a command that a person could type; each is shown before it runs.
//!
//! The tour serves the twin of a GPU and ML platform on EKS and RDS, observes it, plans two minors of EKS with everything that runs
//! on it, applies that, is killed in its middle, goes on, gets the approval that it parks for, meets an image that is nowhere, rolls back
//! by itself, plans again with another image, gives its account, and is closed.

mod material;
mod tour;

use std::path::PathBuf;

use switchback_face::Exit;

use crate::{error::Error, host::Host};
use tour::{Aside, Tour};

const OBSERVE: [&str; 4] = ["observe", "manifests", "--kubeconfig", "kubeconfig"];
const RESOLVE: [&str; 5] = ["resolve", "manifests", "--", "--kubeconfig", "kubeconfig"];
const PLAN: [&str; 5] = ["plan", "manifests", "-o", "plan.json", "--brief"];
const APPLY: [&str; 7] = ["apply", "plan.json", "--brief", "--kubeconfig", "kubeconfig", "--store", "store"];

/// What the plan asks for before it is crossed.
const LINES: [(&str, &str); 2] = [
    ("gpu-ml-platform-1.34-rollback-to-1.32", "1.33 is verified, 1.32 is no longer needed"),
    ("mlflow-traffic", "announced to the teams"),
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the tour keeps its files; a temporary directory, removed at the end, when left out
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let temporary = tempfile::Builder::new().prefix("switchback-demo-").tempdir().map_err(Error::Start)?;
    let dir = args.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    let dir = std::path::absolute(&dir).map_err(Error::Start)?;
    material::write(&dir)?;
    let mut tour = Tour::new(&dir, host)?;

    tour.say(
        "A platform: an EKS cluster at 1.32 with Karpenter, the GPU Operator, KServe and its models, Argo Workflows and a \
         training job, and MLflow on RDS. It is a digital twin on this machine, and its clock runs ahead while a command \
         waits: hours take seconds.",
    )?;
    tour.serve().await?;
    tour.say("Observe the cluster and AWS. This only reads.")?;
    tour.switchback(&OBSERVE, Aside::None, Exit::Success).await?;
    tour.say(
        "Resolve what the new versions bring: rendered charts, add-ons of each minor. This only reads.",
    )?;
    tour.switchback(&RESOLVE, Aside::None, Exit::Success).await?;
    tour.say(
        "Each manifest asks for one version: EKS 1.34, Karpenter 1.8, KServe 0.17, Argo Workflows 4.0, MLflow 3.18, the GPU \
         Operator 25.10. The plan finds the order, eight hops, and shows until when each can be rolled back. This is the short \
         form; a pull request shows every step with its undo, here in dry-run.txt, and the notes on the \
         manifests are in notes.txt.",
    )?;
    tour.switchback(&PLAN, Aside::Remarks("notes.txt"), Exit::Success).await?;
    tour.switchback(&["show", "plan.json"], Aside::Answer("dry-run.txt"), Exit::Success).await?;
    tour.say(
        "Apply it. In the middle of the nodes the process is killed with SIGKILL, as a lost machine would.",
    )?;
    tour.killed(&APPLY, "nodes/batch/roll batch 1:").await?;
    tour.say(
        "The journal knows where it was, down to the node, and the same command continues. Before the second minor it parks: \
         after that step nothing can be rolled back to 1.32, so an approver has to agree to exactly that.",
    )?;
    tour.exec(&APPLY, Exit::Parked).await?;
    approve(&mut tour, LINES[0]).await?;
    tour.say(
        "Then MLflow. Its image has a typing error and does not exist. The plan starts the new image in a Job of its own \
         before it stops the server; the Job fails, and the run rolls back to the last savepoint by itself, as planned: that \
         costs nothing here.",
    )?;
    tour.exec(&APPLY, Exit::RolledBack).await?;
    let first = tour.run_id()?;
    tour.say(
        "Everything before it stays, verified, and MLflow has never stopped. The image is corrected in the manifest, the \
         platform observed again: only MLflow is left to do.",
    )?;
    material::mend(&dir)?;
    tour.switchback(&OBSERVE, Aside::None, Exit::Success).await?;
    tour.switchback(&RESOLVE, Aside::None, Exit::Success).await?;
    tour.switchback(&PLAN, Aside::Remarks("notes.txt"), Exit::Success).await?;
    tour.say("Its point of no return is approved before the server stops, so that no approver is needed during the outage.")?;
    tour.exec(&APPLY, Exit::Parked).await?;
    approve(&mut tour, LINES[1]).await?;
    tour.exec(&APPLY, Exit::Success).await?;
    tour.say("The accounts of both runs: what was done, who approved what, what is retained for rollback and until when.")?;
    let second = tour.run_id()?;
    for run in [&first, &second] {
        tour.exec(&of_run("report", run, &["--brief"]), Exit::Success).await?;
    }
    tour.say(
        "When the rollbacks of a run have expired, `cleanup` deletes what it retained for them. Before that it refuses; with \
         --now it deletes at once, which is a point of no return and recorded as one.",
    )?;
    tour.exec(&of_run("cleanup", &second, &["--reason", "tidy"]), Exit::Failed).await?;
    let now = ["--brief", "--now", "--reason", "1.33 is no longer needed"];
    tour.exec(&of_run("cleanup", &first, &now), Exit::Success).await?;
    tour.end().await?;
    if args.dir.is_some() {
        host.remark(&format!("everything is in {}", dir.display()))?;
    } else {
        host.remark("its files are deleted; `switchback demo --dir DIR` keeps every file")?;
    }
    Ok(Exit::Success)
}

/// A command about one run.
fn of_run<'a>(command: &'a str, run: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    let place = ["--run", run, "--kubeconfig", "kubeconfig", "--store", "store"];
    [command].iter().chain(options).chain(&place).copied().collect()
}

/// What the person does for whom a run parked.
async fn approve(tour: &mut Tour<'_>, (line, reason): (&str, &str)) -> Result<(), Error> {
    let words =
        ["approve", "--point", line, "--reason", reason, "--kubeconfig", "kubeconfig", "--store", "store"];
    tour.exec(&words, Exit::Success).await
}
