//! Arguments that several commands take.

use std::path::PathBuf;

use switchback_schemas::RunId;

/// Which cluster.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct PlatformArgs {
    /// The kubeconfig; without it that of `KUBECONFIG`, else ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one when left out
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// The helm to call; that on PATH when left out, and a twin's own on a twin
    #[arg(long, value_name = "FILE")]
    pub(crate) helm: Option<PathBuf>,
}

/// Where runs are kept.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct StoreArgs {
    /// Where runs are kept; without it `SWITCHBACK_STORE`, else the user's state directory
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
}

/// Which run.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The run; may be left out if only one can be meant
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<RunId>,
}

/// By whose time dates are judged.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TimeArgs {
    /// The kubeconfig of a twin, by whose clock dates are judged
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

/// A reason that says something.
pub(crate) fn reason(text: &str) -> Result<String, &'static str> {
    match text.trim().is_empty() {
        true => Err("a reason is needed"),
        false => Ok(text.to_owned()),
    }
}

/// Who says something to a run.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct OperatorArgs {
    #[command(flatten)]
    pub(crate) platform: PlatformArgs,
    /// Act as NAME without verification, instead of as whom the API server says
    #[arg(long, value_name = "NAME")]
    pub(crate) asserted: Option<String>,
}
