//! The verbs and flags that are played.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Stop;
use crate::program::ProgramCall;

/// A parsed call.
#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) verb: String,
    pub(super) rest: Vec<String>,
    flags: BTreeMap<String, String>,
    /// Values of all `-f`, merged.
    pub(super) values: Value,
    /// The call's files, by name.
    pub(super) files: BTreeMap<String, String>,
}

/// Verb, flags with a value, flags without.
const TABLE: &[(&str, &[&str], &[&str])] = &[
    ("version", &["template", "namespace"], &["short"]),
    (
        "install",
        &["namespace", "version", "values", "timeout", "dry-run"],
        &["create-namespace", "skip-crds", "take-ownership"],
    ),
    (
        "upgrade",
        &["namespace", "version", "values", "timeout", "history-max", "dry-run", "description"],
        &[
            "install",
            "create-namespace",
            "reset-values",
            "reuse-values",
            "reset-then-reuse-values",
            "skip-crds",
            "take-ownership",
            "cleanup-on-fail",
            "no-hooks",
        ],
    ),
    ("rollback", &["namespace", "timeout", "history-max"], &["cleanup-on-fail"]),
    ("uninstall", &["namespace", "timeout"], &[]),
    ("history", &["namespace", "output", "max"], &[]),
    ("status", &["namespace", "output", "revision"], &[]),
    ("get", &["namespace", "output", "revision"], &["all"]),
    (
        "template",
        &["namespace", "version", "values", "kube-version", "api-versions"],
        &["include-crds", "no-hooks", "skip-crds", "is-upgrade"],
    ),
    ("show", &["version", "namespace"], &[]),
];

/// Flags of every verb that say which cluster is meant. There is one here.
const CLUSTER: [&str; 2] = ["kubeconfig", "kube-context"];

fn long(flag: &str) -> &str {
    match flag {
        "n" => "namespace",
        "f" => "values",
        "o" => "output",
        "i" => "install",
        "a" => "all",
        other => other,
    }
}

impl Args {
    pub(super) fn flag(&self, name: &str) -> Option<&str> {
        self.flags.get(name).map(String::as_str)
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.flags.contains_key(name)
    }

    pub(super) fn namespace(&self) -> &str {
        self.flag("namespace").unwrap_or("default")
    }

    pub(super) fn release(&self) -> &str {
        self.rest.first().map(String::as_str).unwrap_or_default()
    }

    /// `--timeout`, 300 s where there is none.
    pub(super) fn timeout(&self) -> jiff::SignedDuration {
        let text = self.flag("timeout").unwrap_or("5m0s");
        text.parse().unwrap_or(jiff::SignedDuration::from_secs(300))
    }
}

pub(super) fn parse(call: &ProgramCall) -> Result<Args, Stop> {
    let mut args = Args { files: call.files.clone(), ..Args::default() };
    args.values = Value::Object(serde_json::Map::new());
    let refused = |what: &str| Stop::NotSimulated(format!("{} ({what})", call.argv.join(" ")));
    let mut words = call.argv.iter().skip(1);
    args.verb = words.next().cloned().unwrap_or_default();
    let Some((_, valued, plain)) = TABLE.iter().find(|(verb, ..)| *verb == args.verb) else {
        return Err(refused("verb"));
    };
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
            args.rest.push(word.clone());
            continue;
        };
        let (name, given) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v.to_owned())));
        let name = long(name);
        if plain.contains(&name) && given.is_none() {
            args.flags.insert(name.to_owned(), String::new());
            continue;
        }
        if !valued.contains(&name) && !CLUSTER.contains(&name) {
            return Err(refused(word));
        }
        let value = given.or_else(|| words.next().cloned()).ok_or_else(|| refused(word))?;
        if name == "values" {
            let content = call
                .files
                .get(&value)
                .ok_or_else(|| Stop::error(format!("open {value}: no such file or directory")))?;
            let more: Value = serde_yaml::from_str(content)
                .map_err(|e| Stop::error(format!("failed to parse {value}: {e}")))?;
            super::chart::merge_values(&mut args.values, &more);
        }
        args.flags.insert(name.to_owned(), value);
    }
    if args.is("output") && args.flag("output") != Some("json") {
        return Err(refused("output other than json"));
    }
    if args.is("dry-run") && args.flag("dry-run") != Some("server") {
        return Err(refused("dry-run other than server"));
    }
    Ok(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_table_is_refused() {
        for argv in [
            vec!["helm", "plugin", "list"],
            vec!["helm", "upgrade", "a", "b", "--wait"],
            vec!["helm", "history", "a", "-o", "yaml"],
        ] {
            assert!(matches!(parse(&ProgramCall::new(argv)), Err(Stop::NotSimulated(_))));
        }
        let args =
            parse(&ProgramCall::new(["helm", "upgrade", "a", "c", "-n=x", "--timeout", "30s"])).unwrap();
        assert_eq!(
            (args.namespace(), args.release(), args.timeout()),
            ("x", "a", jiff::SignedDuration::from_secs(30))
        );
    }
}
