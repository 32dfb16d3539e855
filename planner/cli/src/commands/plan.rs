//! `switchback plan`: compiles manifests, prints the dry-run, writes the plan.

use std::path::PathBuf;

use jiff::Timestamp;
use switchback_face::{
    Exit, Page,
    plan::{dry_run::DryRun, markdown},
};
use switchback_model::{lint::lint, summary::summary};
use switchback_planner::compile::{self, compile};
use switchback_schemas::{Digest, HopId, plan::Plan};

use crate::{
    documents,
    error::Error,
    manifests::{self, Read, remark},
    terminal::Terminal,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files or directories of manifests
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// What is there, as `switchback observe` wrote it
    #[arg(long, value_name = "FILE", default_value = "inventory.json")]
    inventory: PathBuf,
    /// What the targets are, as `switchback resolve` wrote it
    #[arg(long, value_name = "FILE", default_value = "lock.json")]
    lock: PathBuf,
    /// Where the plan is written; without it, only the dry-run is printed
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The instant for which dates are judged; the observation's when it is left out
    #[arg(long, value_name = "INSTANT")]
    as_of: Option<Timestamp>,
    /// The last hop of the plan, as the dry-run names it; the hops after it are planned anew when a run of it is complete
    #[arg(long, value_name = "HOP")]
    until: Option<HopId>,
    /// Who may approve, from a place outside of what is under review
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Durations of steps, written by `switchback learn`
    #[arg(long, value_name = "FILE")]
    estimates: Option<PathBuf>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Page,
    /// Hops and their rollbacks only, no steps
    #[arg(long)]
    brief: bool,
    /// Exits with 2 when there is something to change
    #[arg(long)]
    detailed_exitcode: bool,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let registry = manifests::registry()?;
    let Read { manifests, mut findings, sources } = manifests::read(registry, &args.files);
    let Some(manifests) = manifests else { return remark(terminal, &findings, &sources) };
    let inventory = documents::inventory(&args.inventory)?;
    let lock = documents::lock(&args.lock)?;
    let estimates = args.estimates.as_deref().map(documents::estimates).transpose()?;
    let trust = args.trust.as_deref().map(documents::trust).transpose()?;
    let (plan, found) = compile(
        registry,
        &compile::Sources {
            manifests: &manifests,
            inventory: &inventory.value,
            inventory_digest: inventory.digest(),
            lock: &lock.value,
            lock_digest: lock.digest(),
            as_of: args.as_of,
            estimates: estimates.as_ref().map(|read| (&read.value, read.digest())),
            trust: trust.as_ref(),
            until: args.until.as_ref(),
        },
    );
    findings.extend(found);
    findings.extend(plan.iter().flat_map(lint));
    let exit = remark(terminal, &findings, &sources)?;
    let Some(plan) = plan.filter(|_| exit == Exit::Success) else { return Ok(exit) };
    let bytes = plan.to_json()?;
    if let Some(output) = &args.output {
        documents::write(output, &bytes)?;
    }
    let text = shown(&plan, Digest::of(&bytes), args.format, !args.brief)?;
    terminal.out.text(&text).map_err(Error::Write)?;
    Ok(if args.detailed_exitcode { Exit::Changes } else { Exit::Success })
}

/// A plan in one of the formats.
pub(super) fn shown(plan: &Plan, digest: Digest, format: Page, steps: bool) -> Result<String, Error> {
    let graph = documents::graph(plan, "the plan".as_ref())?;
    let summary = summary(plan, &graph);
    Ok(match format {
        Page::Text => DryRun { plan, graph: &graph, summary: &summary, digest, steps }.to_string(),
        Page::Markdown => markdown::comment(plan, &graph, &summary, digest),
        Page::Json => String::from_utf8_lossy(&plan.to_json()?).into_owned(),
    })
}
