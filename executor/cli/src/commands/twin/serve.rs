//! `twin serve`: a twin on loopback, with a kubeconfig, a helm, and its charts as directories.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use switchback_face::{Exit, documents::DocumentError};
use switchback_twin::{Clocking, Twin, World, serve, write_launchers};

use super::charts;
use crate::{
    documents,
    error::Error,
    host::Host,
    signals::Signals,
    twin::{Mark, mark},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The world
    world: PathBuf,
    /// Where kubeconfig, bin/ and charts/ are written; a temporary directory when left out
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// What moves its clock
    #[arg(long, value_enum, default_value_t)]
    clock: Clock,
    /// Domain seconds for each real second, with `--clock auto`
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    factor: f64,
    /// The port; any free one when left out
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
}

/// What moves a twin's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// Whoever waits for it: a run's pauses take no real time
    #[default]
    Manual,
    /// Real time
    Auto,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let world =
        World::open(&args.world).map_err(|source| Error::World { path: args.world.clone(), source })?;
    let place = match &args.dir {
        Some(dir) => dir.clone(),
        None => tempfile::Builder::new().prefix("switchback-twin-").tempdir().map_err(Error::Start)?.keep(),
    };
    let dir = std::path::absolute(&place).map_err(Error::Start)?;
    let mut signals = Signals::new()?;
    charts::write(&world, &dir.join("charts"))?;
    let clocking = match args.clock {
        Clock::Manual => Clocking::Manual,
        Clock::Auto => Clocking::Auto { factor: args.factor },
    };
    let handle = serve(&Twin::new(world), ([127, 0, 0, 1], args.port).into(), clocking).await?;
    let bin = dir.join("bin");
    let own = std::env::current_exe().map_err(Error::Start)?;
    write_launchers(&bin, &own.to_string_lossy(), handle.addr)?;
    let endpoint = format!("http://{}", handle.addr);
    let about = Mark { endpoint, helm: bin.join("helm"), follows: args.clock == Clock::Auto };
    let kubeconfig = dir.join("kubeconfig");
    let marked =
        mark(&handle.kubeconfig(), &about).map_err(|error| DocumentError::unusable(&kubeconfig, &error))?;
    // Written last: who waits for it finds everything there.
    documents::write(&kubeconfig, marked.as_bytes())?;
    said(&dir, &about, host)?;
    let name = signals.next().await;
    handle.stop().await;
    host.remark(&format!("{name}: stopped"))?;
    Ok(Exit::Success)
}

fn said(dir: &Path, about: &Mark, host: &mut Host) -> Result<(), Error> {
    let text = format!(
        "endpoint    {}\nkubeconfig  {}\nhelm        {}\ncharts      {}\n",
        about.endpoint,
        dir.join("kubeconfig").display(),
        about.helm.display(),
        dir.join("charts").display()
    );
    host.answer(&text)?;
    host.terminal.out.flush().map_err(Error::Write)
}
