//! `demo`: the tour, without a cloud. Every step is a command that a person could type; each is shown before it runs.
//!
//! The tour serves the twin of a platform on EKS and RDS, observes it, plans two minors of EKS with Karpenter and MLflow between,
//! applies that, is killed in its middle, goes on, gets the approval that it parks for, meets an image that is nowhere, goes back
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
    ("mlops-platform-dev-1.34-back-to-1.32", "1.33 is verified, nobody needs 1.32"),
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
        "A platform: an EKS cluster at 1.32 with Karpenter 1.5, two GPU pools and a training job, and MLflow 3.8 on RDS. \
         It is a digital twin on this machine, and its clock moves when somebody waits: hours take seconds.",
    )?;
    tour.serve().await?;
    tour.say("What is there, in the cluster and at AWS? This only reads.")?;
    tour.switchback(&OBSERVE, Aside::None, Exit::Success).await?;
    tour.say("What would the new versions bring: charts rendered, add-ons of each minor? This only reads.")?;
    tour.switchback(&RESOLVE, Aside::None, Exit::Success).await?;
    tour.say(
        "The manifests ask for EKS 1.34, Karpenter 1.8 and MLflow 3.18. The plan finds the order, and says what goes back until \
         when. This is the short form; a pull request shows every step with its undo, here in dry-run.txt, and the notes on the \
         manifests are in notes.txt.",
    )?;
    tour.switchback(&PLAN, Aside::Remarks("notes.txt"), Exit::Success).await?;
    tour.switchback(&["show", "plan.json"], Aside::Answer("dry-run.txt"), Exit::Success).await?;
    tour.say(
        "Apply it. In the middle of the nodes the process is killed with SIGKILL, as a lost machine would.",
    )?;
    tour.killed(&APPLY, "nodes/batch/roll batch 1:").await?;
    tour.say(
        "The journal knows where it was, down to the node, and the same command goes on. Before the second minor it parks: \
         that step ends the way back to 1.32, so a person has to say yes to exactly that.",
    )?;
    tour.exec(&APPLY, Exit::Parked).await?;
    approve(&mut tour, LINES[0]).await?;
    tour.say(
        "Then MLflow. Somebody left out a letter of its image, which is nowhere. The plan starts the new image in a Job of its own \
         before it stops the server, sees that nothing comes of it, and goes back to the last savepoint by itself: that costs \
         nothing here, so it was planned so.",
    )?;
    tour.exec(&APPLY, Exit::RolledBack).await?;
    let first = tour.run_id()?;
    tour.say(
        "EKS 1.34 and Karpenter 1.8 stay, verified, and MLflow has never stopped. The image is mended in the manifest, the \
         platform looked at again: MLflow alone is left to do.",
    )?;
    material::mend(&dir)?;
    tour.switchback(&OBSERVE, Aside::None, Exit::Success).await?;
    tour.switchback(&RESOLVE, Aside::None, Exit::Success).await?;
    tour.switchback(&PLAN, Aside::Remarks("notes.txt"), Exit::Success).await?;
    tour.say("Its line of no return is asked for before the server stops: nobody should have to be found while it is away.")?;
    tour.exec(&APPLY, Exit::Parked).await?;
    approve(&mut tour, LINES[1]).await?;
    tour.exec(&APPLY, Exit::Success).await?;
    tour.say("The accounts of both runs: what was done, who agreed to what, what is kept for a way back and until when.")?;
    let second = tour.run_id()?;
    for run in [&first, &second] {
        tour.exec(&of_run("report", run, &["--brief"]), Exit::Success).await?;
    }
    tour.say(
        "A run that is over is closed when its ways back are: `close` removes what it kept. Too early, it refuses; somebody can \
         say that no way back is wanted any more, which is a point of no return and recorded as one.",
    )?;
    tour.exec(&of_run("close", &second, &["--reason", "tidy"]), Exit::Failed).await?;
    let now = ["--brief", "--now", "--reason", "nobody goes back to 1.33"];
    tour.exec(&of_run("close", &first, &now), Exit::Success).await?;
    tour.end().await?;
    if args.dir.is_some() {
        host.remark(&format!("everything is in {}", dir.display()))?;
    } else {
        host.remark("nothing is left of it; `switchback demo --dir DIR` keeps every file")?;
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
        ["approve", "--line", line, "--reason", reason, "--kubeconfig", "kubeconfig", "--store", "store"];
    tour.exec(&words, Exit::Success).await
}
