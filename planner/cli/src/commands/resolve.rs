//! `switchback resolve`: works out which charts the manifests need, and hands reading them to `switchback-exec`.

use std::path::PathBuf;

use switchback_face::{Exit, Sources, diagnostics};
use switchback_planner::{catalog::Catalog, compile::asks, manifest};

use crate::{args::Forward, documents, error::Error, files, terminal::Terminal};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files or directories of manifests
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// What is there, as `switchback observe` wrote it
    #[arg(long, value_name = "FILE", default_value = "inventory.json")]
    inventory: PathBuf,
    /// Where the lock is written
    #[arg(short, long, value_name = "FILE", default_value = "lock.json")]
    output: PathBuf,
    /// Passed on to `switchback-exec resolve`
    #[arg(last = true)]
    rest: Vec<std::ffi::OsString>,
}

/// What `switchback-exec` is to be called with, or how the command ends without it.
pub(crate) fn prepare(args: &Args, terminal: &mut Terminal) -> Result<Result<Forward, Exit>, Error> {
    let (files, mut findings) = files::read(&args.files);
    let (manifests, found) = manifest::read(files.iter().map(|(name, bytes)| (name.as_str(), bytes)));
    findings.extend(found);
    let sources: Sources = files.into_iter().chain(Catalog::sources()).collect();
    let inventory = documents::inventory(&args.inventory)?;
    let asks = manifests.filter(|_| Exit::of(&findings) == Exit::Success).and_then(|manifests| {
        let (asks, found) = asks(&manifests, &inventory.value);
        findings.extend(found);
        asks
    });
    let text = diagnostics::text(&findings, &sources, terminal.err.look());
    terminal.err.text(&text).and_then(|()| terminal.err.flush()).map_err(Error::Write)?;
    let Some(asks) = asks else { return Ok(Err(Exit::of(&findings))) };
    let mut name = args.output.file_name().unwrap_or_default().to_owned();
    name.push(".asks");
    let path = args.output.with_file_name(name);
    documents::write(&path, &serde_json::to_vec_pretty(&asks)?)?;
    let mut words: Vec<std::ffi::OsString> = vec!["resolve".into(), "--asks".into(), path.into()];
    words.extend([
        "--inventory".into(),
        args.inventory.clone().into(),
        "--output".into(),
        args.output.clone().into(),
    ]);
    words.extend(args.rest.iter().cloned());
    Ok(Ok(Forward { color: switchback_face::ColorChoice::Auto, words }))
}
