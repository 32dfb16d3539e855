//! `switchback path`: the joint order of hops, and why.

use std::path::PathBuf;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use switchback_face::{Answer, Exit};
use switchback_planner::{
    manifest::Manifests,
    registry::Registry,
    solver::{self, BUDGET, JointPath},
};
use switchback_schemas::{Diagnostic, inventory::Inventory};

use super::path_text;
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
    /// What is there, as `switchback observe` wrote it; without it manifests say where components are
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
    /// The day for which dates are judged; the Platform's, then the observation's when it is left out
    #[arg(long, value_name = "DATE")]
    as_of: Option<Date>,
    /// Explain why one hop comes after another, such as `eks@1.32 karpenter@1.14.1`
    #[arg(long, num_args = 2, value_names = ["LATER", "EARLIER"])]
    why: Option<Vec<String>>,
    /// States that the search may expand
    #[arg(long, value_name = "STATES", default_value_t = BUDGET)]
    budget: usize,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Answer,
}

pub(crate) fn run(args: &Args, terminal: &mut Terminal) -> Result<Exit, Error> {
    let registry = manifests::registry()?;
    let Read { manifests, mut findings, sources } = manifests::read(registry, &args.files);
    let Some(manifests) = manifests else { return remark(terminal, &findings, &sources) };
    let inventory = args.inventory.as_deref().map(documents::inventory).transpose()?.map(|read| read.value);
    let as_of = as_of(args, &manifests, inventory.as_ref())?;
    let path = solved(registry, args, &manifests, inventory.as_ref(), as_of, &mut findings);
    let exit = remark(terminal, &findings, &sources)?;
    let Some(path) = path.filter(|_| exit == Exit::Success) else { return Ok(exit) };
    let text = match (&args.why, args.format) {
        (Some(hops), _) => why(&path, hops)?,
        (None, Answer::Json) => serde_json::to_string_pretty(&path)? + "\n",
        (None, Answer::Text) => path_text::whole(manifests.platform.metadata.name.as_str(), &path),
    };
    terminal.out.text(&text).map_err(Error::Write)?;
    Ok(exit)
}

fn solved(
    registry: &Registry<'_>,
    args: &Args,
    manifests: &Manifests,
    inventory: Option<&Inventory>,
    as_of: Date,
    findings: &mut Vec<Diagnostic>,
) -> Option<JointPath> {
    let catalog = registry.catalog();
    let requests = registry.requests(manifests, inventory, None);
    let (ask, found) = solver::ask(catalog, manifests, requests, inventory, as_of);
    findings.extend(found);
    solver::path(catalog, &ask?, args.budget).map_err(|refused| findings.push(refused)).ok()
}

fn as_of(args: &Args, manifests: &Manifests, inventory: Option<&Inventory>) -> Result<Date, Error> {
    let day = |instant: Timestamp| instant.to_zoned(TimeZone::UTC).date();
    args.as_of
        .or_else(|| manifests.platform.spec.defaults.as_of.map(day))
        .or_else(|| inventory.map(|inventory| day(inventory.taken_at)))
        .ok_or(Error::Missing {
            what: "the day for which dates are judged is not known",
            help: "pass --as-of YYYY-MM-DD, or --inventory",
        })
}

/// Why one hop comes after another.
fn why(path: &JointPath, hops: &[String]) -> Result<String, Error> {
    let [later, earlier] = hops else { return Ok(String::new()) };
    for id in hops {
        if !path.hops.iter().any(|hop| hop.id == *id) {
            let known: Vec<&str> = path.hops.iter().map(|hop| hop.id.as_str()).collect();
            let help = format!("there are {}", known.join(", "));
            return Err(Error::NoSuch { what: format!("there is no hop {id:?}"), help });
        }
    }
    Ok(match (path.why(later, earlier), path.why(earlier, later)) {
        (Some(way), _) => path_text::why(&way),
        (None, Some(way)) => format!("it is the other way round:\n{}", path_text::why(&way)),
        (None, None) => format!("{later} and {earlier} do not wait for each other\n"),
    })
}
