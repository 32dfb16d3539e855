//! `observe`: reads the platform and writes an inventory.

use std::path::PathBuf;

use switchback_executor::runs;
use switchback_face::Exit;
use switchback_kube::Observing;
use switchback_schemas::{
    ComponentName, RunId,
    inventory::{Inventory, Wanted},
};

use crate::{
    args::{PlatformArgs, StoreArgs},
    documents,
    error::Error,
    host::Host,
    platform::Platform,
    store,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    platform: PlatformArgs,
    /// Where the inventory is written
    #[arg(short, long, value_name = "FILE", default_value = "inventory.json")]
    output: PathBuf,
    /// What to look at beyond the cluster, as `switchback observe` wrote it
    #[arg(long, value_name = "FILE")]
    wanted: Option<PathBuf>,
    /// Carries over what this run hands to the plan that continues it
    #[arg(long = "continue", value_name = "RUN")]
    continues: Option<RunId>,
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let platform = Platform::open(&args.platform, &host.environment)?;
    let wanted: Wanted = match &args.wanted {
        Some(path) => documents::json(path)?.value,
        None => Wanted::default(),
    };
    let observing = Observing::at(platform.clock.now()).keeping(wanted.plain.clone());
    let inventory = switchback_kube::observe(platform.client().await?, &observing).await;
    let mut inventory = inventory.map_err(Error::platform("the platform cannot be observed"))?;
    beyond(&platform, &wanted, &mut inventory, host).await?;
    if let Some(run) = &args.continues {
        let opened = store::open(&args.store, &host.environment)?;
        inventory.carry_over = Some(runs::carry_over(&*opened.store, run).await?);
    }
    documents::write(&args.output, &inventory.to_json()?)?;
    host.remark(&format!(
        "observed Kubernetes {}: {}, {}, {}; {} could not be read; wrote {}",
        inventory.cluster.version,
        count(inventory.nodes.len(), "node"),
        count(inventory.workloads.len(), "workload"),
        count(inventory.releases.len(), "release"),
        count(inventory.unread.len(), "thing"),
        args.output.display()
    ))?;
    for unread in &inventory.unread {
        host.remark(&format!("  not read: {} ({})", unread.what, unread.why))?;
    }
    Ok(Exit::Success)
}

fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// Looks at what is not in the cluster.
async fn beyond(
    platform: &Platform,
    wanted: &Wanted,
    inventory: &mut Inventory,
    host: &mut Host,
) -> Result<(), Error> {
    if wanted.aws.is_empty() {
        return Ok(());
    }
    let seen = switchback_aws::observe(&platform.aws().await, wanted).await;
    let mut section = |name: &str, section: serde_json::Value| {
        if let Ok(name) = ComponentName::new(name) {
            inventory.components.insert(name, section);
        }
    };
    if !seen.eks.0.is_empty() {
        section("eks", serde_json::to_value(&seen.eks)?);
    }
    if !seen.rds.0.is_empty() {
        section("rds", serde_json::to_value(&seen.rds)?);
    }
    inventory.unread.extend(seen.unread);
    inventory.unread.sort();
    inventory.unread.dedup();
    host.remark(&format!(
        "observed at AWS: {}, {}, with {} requests",
        count(seen.eks.0.len(), "cluster"),
        count(seen.rds.0.len(), "database"),
        seen.requests
    ))
}
