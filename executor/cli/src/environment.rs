//! The one place that reads the environment.

use std::{collections::BTreeMap, ffi::OsString, io::IsTerminal, path::PathBuf};

use switchback_face::terminal::Surroundings;

/// What the environment says.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    /// What it says of the two streams.
    pub(crate) around: Surroundings,
    /// `CI`, set to anything but `false` or `0`: the machine is gone after the job.
    pub(crate) ci: bool,
    /// `PATH`.
    #[cfg(feature = "twin")]
    pub(crate) path: Option<OsString>,
    /// `SWITCHBACK_STORE`: where runs are kept.
    pub(crate) store: Option<PathBuf>,
    /// Where a user's programs keep their state: `XDG_STATE_HOME`, else `~/.local/state`.
    pub(crate) state: Option<PathBuf>,
    /// Where a user's programs keep what can be fetched again: `XDG_CACHE_HOME`, else `~/.cache`.
    pub(crate) cache: Option<PathBuf>,
    /// `KUBECONFIG`, its first file; else `~/.kube/config`.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// `USER` or `LOGNAME`.
    pub(crate) user: Option<String>,
    /// `HOSTNAME`.
    pub(crate) host: Option<String>,
    /// `SWITCHBACK_LOG`: what to log to standard error, such as `debug`.
    pub(crate) log: Option<String>,
    /// What programs get: where they are, whose they are, and their credentials.
    pub(crate) for_programs: BTreeMap<String, String>,
}

/// Variables that programs get by name.
const PROGRAM_VARIABLES: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "KUBECONFIG",
    "DOCKER_CONFIG",
];

/// Variables that programs get by the beginning of their names: credentials of clouds and registries.
const PROGRAM_PREFIXES: [&str; 5] = ["AWS_", "HELM_", "XDG_", "GOOGLE_", "AZURE_"];

impl Environment {
    /// Reads it.
    pub(crate) fn read() -> Self {
        let home = text("HOME").map(PathBuf::from);
        let below = |parts: &str| home.as_ref().map(|home| home.join(parts));
        let directory = |name: &str, parts: &str| {
            text(name).map(PathBuf::from).filter(|path| path.is_absolute()).or_else(|| below(parts))
        };
        let kubeconfig = text("KUBECONFIG").and_then(|paths| std::env::split_paths(&paths).next());
        let (stdout, stderr) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        Self {
            around: Surroundings::of(text, stdout, stderr),
            ci: text("CI").is_some_and(|ci| !matches!(ci.as_str(), "false" | "0")),
            #[cfg(feature = "twin")]
            path: std::env::var_os("PATH"),
            store: text("SWITCHBACK_STORE").map(PathBuf::from),
            state: directory("XDG_STATE_HOME", ".local/state"),
            cache: directory("XDG_CACHE_HOME", ".cache"),
            kubeconfig: kubeconfig.or_else(|| below(".kube/config")),
            user: text("USER").or_else(|| text("LOGNAME")),
            host: text("HOSTNAME"),
            log: text("SWITCHBACK_LOG"),
            for_programs: for_programs(),
        }
    }
}

/// A variable of the environment; one that is empty is not set.
#[expect(clippy::disallowed_methods, reason = "this is the module that reads the environment")]
pub(crate) fn text(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn for_programs() -> BTreeMap<String, String> {
    let passes = |name: &str| {
        let upper = name.to_ascii_uppercase();
        PROGRAM_VARIABLES.contains(&upper.as_str())
            || PROGRAM_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    let pair =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(pair).filter(|(name, _)| passes(name)).collect()
}
