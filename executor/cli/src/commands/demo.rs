//! `demo`: the tour, without a cloud. Every step is a command that a person could type; each is shown before it runs.
//!
//! The tour serves the twin of a small platform, observes it, plans two upgrades, applies them, is killed in its middle, goes
//! on, meets an image that never gets ready, goes back by itself, plans again with another image, and gives its account.

mod material;
mod tour;

use std::path::PathBuf;

use switchback_face::Exit;

use crate::{error::Error, host::Host};
use tour::Tour;

const APPLY: [&str; 6] = ["apply", "plan.json", "--kubeconfig", "kubeconfig", "--store", "store"];

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

    tour.say("A platform: Karpenter 1.5.8, two pools, ten nodes, two services with budgets, a training job on four GPU nodes. It is a digital twin.")?;
    tour.serve().await?;
    tour.say("What is there?")?;
    tour.exec(&["observe", "--kubeconfig", "kubeconfig"], Exit::Success).await?;
    tour.say("What would the new versions bring?")?;
    tour.switchback(&["resolve", "manifests", "--", "--kubeconfig", "kubeconfig"], Exit::Success).await?;
    tour.say("The plan: what will be done, why in this order, and the way back from every point. A pull request shows this.")?;
    tour.switchback(&["plan", "manifests", "-o", "plan.json"], Exit::Success).await?;
    tour.say(
        "Apply it. In the middle of the nodes the process is killed with SIGKILL, as a lost machine would.",
    )?;
    tour.killed(&APPLY, "batch 1").await?;
    tour.say("The journal knows where it was, and the same command goes on. Later the new image of `web` never becomes ready: going back costs a restart at most, so the plan said beforehand that this hop goes back by itself.")?;
    tour.exec(&APPLY, Exit::RolledBack).await?;
    let first = tour.run_id()?;
    tour.say("Karpenter and the nodes stay where they are, verified; `web` is as it was. The image is mended in the manifest, and the platform looked at again.")?;
    material::mend(&dir)?;
    tour.exec(&["observe", "--kubeconfig", "kubeconfig"], Exit::Success).await?;
    tour.switchback(&["resolve", "manifests", "--", "--kubeconfig", "kubeconfig"], Exit::Success).await?;
    tour.switchback(&["plan", "manifests", "-o", "plan.json"], Exit::Success).await?;
    tour.exec(&APPLY, Exit::Success).await?;
    tour.say("The account of the first run: what was done, when, and how often it was called.")?;
    tour.exec(&["report", "--store", "store", "--run", &first], Exit::Success).await?;
    tour.exec(&["status", "--store", "store", "--all"], Exit::Success).await?;
    tour.end().await?;
    if args.dir.is_some() {
        host.remark(&format!("everything is in {}", dir.display()))?;
    }
    Ok(Exit::Success)
}
