//! `switchback resolve`: works out which charts the manifests need, and hands reading them to `switchback-exec`.

use std::{ffi::OsString, path::PathBuf};

use switchback_face::Exit;
use switchback_planner::compile::asks;

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
    /// Where the lock is written
    #[arg(short, long, value_name = "FILE", default_value = "lock.json")]
    output: PathBuf,
    /// Passed on to `switchback-exec resolve`
    #[arg(last = true)]
    rest: Vec<OsString>,
}

/// The words that `switchback-exec` is to be called with, or how the command ends without it.
pub(crate) fn prepare(args: &Args, terminal: &mut Terminal) -> Result<Result<Vec<OsString>, Exit>, Error> {
    let registry = manifests::registry()?;
    let Read { manifests, mut findings, sources } = manifests::read(registry, &args.files);
    let inventory = documents::inventory(&args.inventory)?;
    let asks = manifests.and_then(|manifests| {
        let (asks, found) = asks(registry, &manifests, &inventory.value);
        findings.extend(found);
        asks
    });
    let exit = remark(terminal, &findings, &sources)?;
    let Some(asks) = asks else { return Ok(Err(exit)) };
    let mut name = args.output.file_name().unwrap_or_default().to_owned();
    name.push(".asks");
    let path = args.output.with_file_name(name);
    documents::write(&path, &serde_json::to_vec_pretty(&asks)?)?;
    let mut words: Vec<OsString> = vec!["resolve".into(), "--asks".into(), path.into()];
    words.extend([
        "--inventory".into(),
        args.inventory.clone().into(),
        "--output".into(),
        args.output.clone().into(),
    ]);
    words.extend(args.rest.iter().cloned());
    Ok(Ok(words))
}
