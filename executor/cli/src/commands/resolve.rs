//! `resolve`: from what manifests ask to a lock. `switchback resolve` reads the manifests and calls this.

use std::{path::PathBuf, sync::Arc};

use switchback_face::Exit;
use switchback_programs::Resolver;
use switchback_schemas::lock::Asks;

use crate::{
    args::PlatformArgs,
    documents,
    error::Error,
    host::Host,
    platform::{Platform, chart_cache, os_programs},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the manifests ask for, as `switchback resolve` wrote it
    #[arg(long, value_name = "FILE")]
    asks: PathBuf,
    /// What is there
    #[arg(long, value_name = "FILE", default_value = "inventory.json")]
    inventory: PathBuf,
    /// Where the lock is written
    #[arg(short, long, value_name = "FILE", default_value = "lock.json")]
    output: PathBuf,
    #[command(flatten)]
    platform: PlatformArgs,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let asks: Asks = documents::json(&args.asks)?.value;
    let inventory = documents::inventory(&args.inventory)?.value;
    let platform = Platform::open(&args.platform, &host.environment)?;
    let place = tempfile::tempdir().map_err(Error::Start)?;
    let programs = os_programs(place.path().to_owned(), &host.environment);
    let charts = platform.charts(Arc::clone(&programs), &chart_cache(&host.environment));
    let resolver = Resolver::new(programs, charts, platform.helm());
    let mut lock = resolver.resolve(&asks, &inventory, platform.clock.now()).await?;
    if !asks.addons.is_empty() {
        let addons = switchback_aws::resolve_addons(&platform.aws().await, &asks.addons, &asks.aws).await;
        lock.addons = addons.map_err(Error::platform("versions of EKS add-ons cannot be looked up"))?;
    }
    documents::write(&args.output, &lock.to_json()?)?;
    let charts = lock.renders.len();
    let addons = lock.addons.len();
    host.remark(&format!("resolved {charts} charts, {addons} add-ons; wrote {}", args.output.display()))?;
    for render in lock.renders.iter().filter(|render| !render.hooks.is_empty()) {
        host.remark(&format!(
            "  chart {} {} of release {} has {} hooks, which a render cannot show",
            render.chart.name,
            render.chart.version,
            render.release,
            render.hooks.len()
        ))?;
    }
    Ok(Exit::Success)
}
