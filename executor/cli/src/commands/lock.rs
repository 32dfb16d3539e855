//! `lock`: which run holds which platform, and which process works on which run; and taking back what nobody gives back.

use clap::Subcommand;
use switchback_executor::{
    ports::PlatformClaim,
    runs::{self, Reclaimed},
    runtime::Drivers,
    store::claims,
};
use switchback_face::{
    Exit,
    table::{self, Column},
};

use switchback_schemas::{RunId, journal::SideKind, name::Label};

use super::operator::{Operator, who_speaks};
use crate::{
    args::{OperatorArgs, RunArgs, StoreArgs},
    error::Error,
    host::Host,
    platform::Platform,
    show::labels,
    store::{self, Opened},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List claims
    List(StoreArgs),
    /// Explain what a claim and a lease are, and how each ends
    Explain(StoreArgs),
    /// Release the lease of a run whose process is dead
    Release(Release),
    /// Release the claim on a platform: its run is abandoned where it stands
    TakeBack(TakeBack),
}

#[derive(Debug, clap::Args)]
struct Release {
    #[command(flatten)]
    run: RunArgs,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    operator: OperatorArgs,
}

#[derive(Debug, clap::Args)]
struct TakeBack {
    /// The platform
    platform: Label,
    /// The run to take it from, where the platform names one that this store does not know
    #[arg(long, value_name = "RUN")]
    run: Option<RunId>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    operator: OperatorArgs,
}

const EXPLAINED: &str = "\
A claim says that a platform belongs to a run, from its first effect until it ends. It is kept beside the runs and, as \
Lease switchback in kube-system, on the cluster itself, so that runners with other stores see it. It has no time limit: a run that \
waits for days still holds it. It ends when the run is complete, when it has rolled back to a savepoint, when a plan that continues \
it takes it over, or by `abandon`. `lock take-back` ends it where no process can: the run is abandoned in its journal, or, \
if that cannot be read, left as it is, with the reason kept beside the claim.

A lease says that a process is working on a run. The operating system ends it with the process, however that died, so \
there is nothing to clear: `apply` resumes the run. `lock release` is for a process that was cut off with its \
machine: it takes the lease, which proves that nobody has it, and writes a new epoch, under which the other can write no more.
";

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let store = match &args.what {
        What::List(store) | What::Explain(store) => store,
        What::Release(args) => return release(args, host).await,
        What::TakeBack(args) => return take_back(args, host).await,
    };
    let opened = store::open(store, &host.environment)?;
    if matches!(args.what, What::Explain(_)) {
        host.answer(EXPLAINED)?;
        host.answer("\n")?;
    }
    for line in taken_back(&opened).await? {
        host.answer(&line)?;
    }
    let rows = rows(&opened).await?;
    if rows.is_empty() {
        host.answer("no platform is claimed\n")?;
        return Ok(Exit::Success);
    }
    let columns = ["PLATFORM", "RUN", "STATE", "SINCE", "ENDS BY"].map(Column::text);
    let text = table::render(&columns, rows, host.terminal.out.look());
    host.answer(&text)?;
    Ok(Exit::Success)
}

/// Claims that nobody reads as a claim any more, and why.
async fn taken_back(opened: &Opened) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    for entry in opened.store.claim_notes().await? {
        if let SideKind::Note { text } = &entry.says {
            lines.push(format!("{} run {}: {text}, by {}\n", entry.at, entry.run, labels::who(&entry.by)));
        }
    }
    Ok(lines)
}

async fn release(args: &Release, host: &mut Host) -> Result<Exit, Error> {
    let operator = Operator::new(&args.run, &args.operator, host).await?;
    let last = runs::release_lease(operator.handle(), &operator.by, &args.reason).await?;
    host.answer(&format!("run {}: the lease of {last} is released; continue with `apply`\n", operator.run))?;
    Ok(Exit::Success)
}

async fn take_back(args: &TakeBack, host: &mut Host) -> Result<Exit, Error> {
    let opened = store::open(&args.store, &host.environment)?;
    let (by, clock) = who_speaks(&args.operator, host).await?;
    let platform = &args.platform;
    let mut runtime = super::runtime(&opened, Drivers::default(), clock, host);
    if let Some(cluster) = Platform::find(&args.operator.platform, &host.environment)? {
        runtime.claims = Some(cluster.claims(host, &opened).await?);
    }
    // First what the platform says: where another store's run holds it, nothing is given up here.
    let of = (platform, args.run.as_ref());
    let kept = runs::release_platform_claim(&runtime, of, &by, &args.reason).await?;
    let kept = kept.map_or_else(String::new, |PlatformClaim { run, holder, store, .. }| {
        format!("platform {platform}: the claim on it of run {run} is released; {holder} held it, with its journal in {store}\n")
    });
    let text = match runs::release_claim(&runtime, platform, &by, &args.reason).await? {
        None => format!("platform {platform} is not claimed\n"),
        Some(Reclaimed::Nobody(run)) => {
            format!("platform {platform}: the claim of run {run}, which has ended, is released\n")
        }
        Some(Reclaimed::Unreadable(run, why)) => format!(
            "platform {platform}: the claim of run {run} is released; it cannot be read, so what it left is unknown: {why}\n"
        ),
        Some(Reclaimed::Abandoned(run, left)) => {
            let left = left.iter().fold(String::new(), |text, line| text + "  " + &line.to_string() + "\n");
            format!("platform {platform}: run {run} is abandoned, and its claim is released; it left\n{left}")
        }
    };
    host.answer(&(kept + &text))?;
    Ok(Exit::Success)
}

async fn rows(opened: &Opened) -> Result<Vec<[String; 5]>, Error> {
    let mut rows = Vec::new();
    for platform in opened.store.claims().await? {
        let Some(run) = claims::holder(&*opened.store, &platform).await? else { continue };
        let (state, since, ends) = match runs::status(&*opened.store, &run).await {
            Ok(report) => (
                labels::state(&report.state),
                report.started.to_string(),
                "apply, rollback or abandon".to_owned(),
            ),
            Err(error) => ("unreadable".to_owned(), String::new(), error.to_string()),
        };
        rows.push([platform.to_string(), run.to_string(), state, since, ends]);
    }
    Ok(rows)
}
