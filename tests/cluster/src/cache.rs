//! Where the built programs are kept, outside the checkout.

use std::{fmt::Write as _, path::PathBuf};

use sha2::{Digest, Sha256};

use crate::{Error, host, modules::Module};

/// Flags of every `go build`. They are part of the cache key, so keep what cannot change the
/// output (`-p`) out of them.
pub(crate) const BUILD_FLAGS: &[&str] = &["-trimpath", "-buildvcs=false", "-mod=readonly"];

/// The root for everything this package keeps: `SWITCHBACK_CACHE`, else the user's cache directory.
pub(crate) fn root() -> Result<PathBuf, Error> {
    let base =
        choose(host::path_var("SWITCHBACK_CACHE"), host::path_var("XDG_CACHE_HOME"), host::path_var("HOME"));
    Ok(base.ok_or(Error::NoCache)?.join("cluster"))
}

fn choose(own: Option<PathBuf>, xdg: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    own.or_else(|| xdg.or_else(|| home.map(|home| home.join(".cache"))).map(|cache| cache.join("switchback")))
}

/// The folder name of a module's programs. One key per module: a newer Helm does not cost a build
/// of Kubernetes. The Go version is left out on purpose, so that a filled cache serves a machine
/// that has no Go.
pub(crate) fn key(module: &Module) -> Result<String, Error> {
    let ldflags = module.ldflags()?;
    let mut hash = Sha256::new();
    let parts = [module.go_mod, module.go_sum, &ldflags, std::env::consts::OS, std::env::consts::ARCH];
    let folders = module.folders.iter().flat_map(|folder| [folder.from, folder.to]);
    for part in parts.into_iter().chain(BUILD_FLAGS.iter().copied()).chain(folders) {
        // The length keeps two parts from sharing a boundary.
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut key = format!("{}-", module.name);
    for byte in hash.finalize().iter().take(8) {
        // Writing to a String cannot fail.
        let _ = write!(key, "{byte:02x}");
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::MODULES;

    #[test]
    fn the_nearest_variable_wins() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(choose(path("/own"), path("/xdg"), path("/home/a")), path("/own"));
        assert_eq!(choose(None, path("/xdg"), path("/home/a")), path("/xdg/switchback"));
        assert_eq!(choose(None, None, path("/home/a")), path("/home/a/.cache/switchback"));
        assert_eq!(choose(None, None, None), None);
    }

    #[test]
    fn a_key_is_stable_and_names_its_module() {
        for module in MODULES {
            let first = key(module).unwrap();
            assert_eq!(first, key(module).unwrap());
            let hex = first.strip_prefix(&format!("{}-", module.name)).unwrap();
            assert_eq!(hex.len(), 16);
        }
    }

    #[test]
    fn a_key_follows_go_sum_go_mod_and_flags() {
        let at = |go_mod, go_sum| {
            let helm = *MODULES.iter().find(|module| module.name == "helm4").unwrap();
            key(&Module { go_mod, go_sum, ..helm }).unwrap()
        };
        let base = at("require helm.sh/helm/v4 v4.0.0", "a");
        assert_ne!(base, at("require helm.sh/helm/v4 v4.0.0", "b"));
        assert_ne!(base, at("require helm.sh/helm/v4 v4.0.1", "a"));
    }
}
