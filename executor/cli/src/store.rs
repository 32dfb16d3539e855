//! Where runs are kept, and which run is meant.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use switchback_executor::{
    runs,
    store::{LocalStore, Store},
};
use switchback_schemas::RunId;

use crate::{
    args::{RunArgs, StoreArgs},
    environment::Environment,
    error::Error,
};

/// A store, with the directory that it is in.
#[derive(Clone)]
pub(crate) struct Opened {
    /// Its directory.
    pub(crate) dir: PathBuf,
    /// The store.
    pub(crate) store: Arc<dyn Store>,
}

impl Opened {
    /// A run's own directory for its programs: a process that takes the run over finds theirs there.
    pub(crate) fn programs(&self, run: &RunId) -> PathBuf {
        self.dir.join("runs").join(run.as_str()).join("programs")
    }
}

/// Opens the store.
pub(crate) fn open(args: &StoreArgs, environment: &Environment) -> Result<Opened, Error> {
    let given = args.store.clone().or_else(|| environment.store.clone());
    let dir = given.or_else(|| environment.state.as_ref().map(|state| state.join("switchback")));
    let dir = std::path::absolute(dir.ok_or(Error::NoStore)?).map_err(Error::Start)?;
    Ok(Opened { store: Arc::new(LocalStore::new(&dir)), dir })
}

/// Refuses a store that a CI job's machine takes with it: with the journal goes the rollback.
pub(crate) fn outlives_job(args: &StoreArgs, environment: &Environment, accepted: bool) -> Result<(), Error> {
    if !environment.ci || accepted {
        return Ok(());
    }
    let Some(given) = args.store.as_ref().or(environment.store.as_ref()) else {
        return Err(Error::Ephemeral("no store was named".to_owned()));
    };
    let inside = std::env::current_dir().ok().and_then(|at| checkout(&at)).filter(|root| within(given, root));
    match inside {
        Some(root) => {
            Err(Error::Ephemeral(format!("{} is inside the checkout {}", given.display(), root.display())))
        }
        None => Ok(()),
    }
}

/// The checkout that a directory is in.
fn checkout(at: &Path) -> Option<PathBuf> {
    at.ancestors().find(|directory| directory.join(".git").exists()).map(Path::to_owned)
}

/// Whether a path, which may not exist yet, is below a directory, links followed.
fn within(path: &Path, root: &Path) -> bool {
    let Ok(path) = std::path::absolute(path) else { return true };
    let real = path.ancestors().find_map(|existing| existing.canonicalize().ok());
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    real.unwrap_or(path).starts_with(root)
}

/// The run that is meant: the named one, else the only one that is not over, else the only one.
pub(crate) async fn chosen(args: &RunArgs, store: &dyn Store) -> Result<RunId, Error> {
    if let Some(run) = &args.run {
        return Ok(run.clone());
    }
    let runs = runs::list(store).await?;
    let names = |runs: Vec<&RunId>| runs.into_iter().map(RunId::as_str).collect::<Vec<_>>().join(", ");
    let open: Vec<&RunId> = runs
        .iter()
        .filter(|(_, report)| report.as_ref().map_or(true, |report| !runs::is_over(report)))
        .map(|(run, _)| run)
        .collect();
    match (open.as_slice(), runs.as_slice()) {
        ([run], _) => Ok((*run).clone()),
        ([], [(run, _)]) => Ok(run.clone()),
        ([], []) => {
            let what = "there is no run in this store";
            Err(Error::NoRun { what, help: "name another with --store" })
        }
        ([], _) => Err(Error::Ambiguous {
            what: "every run has ended".to_owned(),
            runs: names(runs.iter().map(|(run, _)| run).collect()),
        }),
        (open, _) => Err(Error::Ambiguous {
            what: "more than one run is not over".to_owned(),
            runs: names(open.to_vec()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_inside_a_checkout_before_it_exists() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(".git")).unwrap();
        let below = root.path().join("a");
        std::fs::create_dir(&below).unwrap();
        assert_eq!(checkout(&below).as_deref(), Some(root.path()));
        assert!(within(&below.join("not/yet"), root.path()));
        let other = tempfile::tempdir().unwrap();
        assert!(!within(&other.path().join("not/yet"), root.path()));
    }
}
