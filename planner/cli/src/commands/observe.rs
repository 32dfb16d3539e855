//! `switchback observe`: works out what the manifests want looked at beyond the cluster, and hands looking to `switchback-exec`.

use std::{ffi::OsString, path::PathBuf};

use switchback_face::Exit;
use switchback_schemas::inventory::Wanted;

use crate::{
    documents,
    error::Error,
    manifests::{self, Read, remark},
    terminal::Terminal,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files or directories of manifests: what targets are at AWS stands in their Platform. Without any only the cluster is looked at
    #[arg(value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Where the inventory is written
    #[arg(short, long, value_name = "FILE", default_value = "inventory.json")]
    output: PathBuf,
    /// The kubeconfig; without it that of `KUBECONFIG`, else ~/.kube/config
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one when left out
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Carries over what this run hands to the plan that continues it
    #[arg(long = "continue", value_name = "RUN")]
    continues: Option<String>,
    /// Where runs are kept
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Passed on to `switchback-exec observe`
    #[arg(last = true)]
    rest: Vec<OsString>,
}

/// The words that `switchback-exec` is to be called with, or how the command ends without it.
pub(crate) fn prepare(args: &Args, terminal: &mut Terminal) -> Result<Result<Vec<OsString>, Exit>, Error> {
    let mut words: Vec<OsString> = vec!["observe".into(), "--output".into(), args.output.clone().into()];
    let registry = manifests::registry()?;
    let mut wanted = Wanted { plain: registry.plain(), ..Wanted::default() };
    if !args.files.is_empty() {
        let Read { manifests, findings, sources } = manifests::read(registry, &args.files);
        let exit = remark(terminal, &findings, &sources)?;
        let Some(manifests) = manifests else { return Ok(Err(exit)) };
        let targets = manifests.platform.spec.targets.iter();
        wanted.aws = targets.filter_map(|(name, target)| Some((name.clone(), target.aws()?))).collect();
    }
    let mut name = args.output.file_name().unwrap_or_default().to_owned();
    name.push(".wanted");
    let path = args.output.with_file_name(name);
    documents::write(&path, &serde_json::to_vec_pretty(&wanted)?)?;
    words.extend(["--wanted".into(), path.into()]);
    let mut pass = |flag: &str, value: Option<OsString>| {
        words.extend(value.into_iter().flat_map(|value| [flag.into(), value]));
    };
    pass("--kubeconfig", args.kubeconfig.clone().map(Into::into));
    pass("--context", args.context.clone().map(Into::into));
    pass("--continue", args.continues.clone().map(Into::into));
    pass("--store", args.store.clone().map(Into::into));
    words.extend(args.rest.iter().cloned());
    Ok(Ok(words))
}
