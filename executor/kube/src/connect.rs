//! From a kubeconfig to a client.

use std::path::{Path, PathBuf};

use kube::config::{KubeConfigOptions, Kubeconfig};

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be read, or does not hold the context.
    #[error(
        "the kubeconfig {} cannot be used{}: {source}",
        path.display(),
        context.as_ref().map(|name| format!(" with context {name}")).unwrap_or_default()
    )]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// The context that was asked for.
        context: Option<String>,
        /// What is wrong.
        source: Box<kube::config::KubeconfigError>,
    },
    /// No client can be made of it.
    #[error("no client can be made of the kubeconfig {}: {source}", path.display())]
    Client {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<kube::Error>,
    },
}

/// A client for a context of a kubeconfig; the current context when none is named.
///
/// The client retries nothing: a refusal to evict is an answer that a drain needs at once, and whether a write is sent
/// again is decided by the journal. Nothing is sent by this function.
pub async fn client(kubeconfig: &Path, context: Option<&str>) -> Result<kube::Client, ConnectError> {
    let unusable = |source| ConnectError::Kubeconfig {
        path: kubeconfig.to_owned(),
        context: context.map(str::to_owned),
        source: Box::new(source),
    };
    let file = Kubeconfig::read_from(kubeconfig).map_err(unusable)?;
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let mut config = kube::Config::from_custom_kubeconfig(file, &options).await.map_err(unusable)?;
    config.default_retry = false;
    kube::Client::try_from(config)
        .map_err(|source| ConnectError::Client { path: kubeconfig.to_owned(), source: Box::new(source) })
}
