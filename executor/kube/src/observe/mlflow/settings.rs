//! How a container gets its settings: where its variables come from, and what its command line names.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::inventory::servers::{Settings, VariableFrom};

use super::address::kept;
use crate::fields::text;

/// Shells whose `-c` takes a line of words.
const SHELLS: [&str; 5] = ["sh", "bash", "ash", "dash", "zsh"];

pub(super) fn read(container: &Value) -> Settings {
    let sources = |kind: &str| -> Vec<String> {
        let sources = container.get("envFrom").and_then(Value::as_array).into_iter().flatten();
        // With a prefix the variables have other names than the keys.
        let plain = sources.filter(|source| text(source, "/prefix").is_empty());
        let names = plain.map(|source| text(source, &format!("/{kind}/name")).to_owned());
        names.filter(|name| !name.is_empty()).collect()
    };
    let field = |name: &str| container.get(name).cloned().unwrap_or_default();
    Settings {
        env: environment(container),
        env_from_secrets: sources("secretRef"),
        env_from_config_maps: sources("configMapRef"),
        options: options(&words(container)),
        mounts: container.get("volumeMounts").and_then(Value::as_array).cloned().unwrap_or_default(),
        security_context: field("securityContext"),
        resources: field("resources"),
    }
}

fn environment(container: &Value) -> BTreeMap<String, VariableFrom> {
    let variables = container.get("env").and_then(Value::as_array).into_iter().flatten();
    variables.map(|variable| (text(variable, "/name").to_owned(), from(variable))).collect()
}

/// Where a variable comes from.
pub(super) fn from(variable: &Value) -> VariableFrom {
    let named = |kind: &str| {
        let source = variable.pointer(&format!("/valueFrom/{kind}"))?;
        Some((text(source, "/name").to_owned(), text(source, "/key").to_owned()))
    };
    if let Some((name, key)) = named("secretKeyRef") {
        return VariableFrom::Secret { name, key };
    }
    if let Some((name, key)) = named("configMapKeyRef") {
        return VariableFrom::ConfigMap { name, key };
    }
    if variable.get("valueFrom").is_some() {
        return VariableFrom::Other {};
    }
    VariableFrom::Text(kept(text(variable, "/name"), text(variable, "/value")))
}

/// The words of a container's command line; of a shell's, those of its line.
pub(super) fn words(container: &Value) -> Vec<String> {
    let list = |field: &str| container.get(field).and_then(Value::as_array).into_iter().flatten();
    let words: Vec<&str> = list("command").chain(list("args")).filter_map(Value::as_str).collect();
    match words.as_slice() {
        [shell, .., line]
            if SHELLS.contains(&shell.rsplit('/').next().unwrap_or_default())
                && words.iter().any(|word| word.starts_with('-') && word.ends_with('c')) =>
        {
            line.split_whitespace().map(str::to_owned).collect()
        }
        words => words.iter().map(|word| (*word).to_owned()).collect(),
    }
}

/// Options by name, each with what is kept of its value.
fn options(words: &[String]) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix("--").filter(|option| !option.is_empty()) else { continue };
        // Without a `=` the value is the next word, unless that is an option itself.
        let next = words.peek().filter(|next| !next.starts_with('-'));
        let apart = (option, next.map(|next| next.as_str()).unwrap_or_default());
        let (name, value) = option.split_once('=').unwrap_or(apart);
        options.insert(name.to_owned(), kept(name, value));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variables_say_where_they_come_from_and_never_what_they_are() {
        let settings = read(&json!({
            "env": [
                {"name": "URI", "valueFrom": {"secretKeyRef": {"name": "db", "key": "uri"}}},
                {"name": "MODE", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "mode"}}},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "TOKEN", "value": "hunter2"},
            ],
            "envFrom": [{"secretRef": {"name": "all"}}, {"prefix": "X_", "secretRef": {"name": "other"}},
                {"configMapRef": {"name": "map"}}],
        }));
        assert_eq!(settings.env["URI"], VariableFrom::Secret { name: "db".into(), key: "uri".into() });
        assert_eq!(settings.env["MODE"], VariableFrom::ConfigMap { name: "m".into(), key: "mode".into() });
        assert_eq!(settings.env["IP"], VariableFrom::Other {});
        assert_eq!(settings.env["TOKEN"], VariableFrom::Text(String::new()));
        assert_eq!(
            (settings.env_from_secrets, settings.env_from_config_maps),
            (vec!["all".into()], vec!["map".into()])
        );
    }

    #[test]
    fn options_are_found_in_words_and_in_the_line_of_a_shell() {
        let plain = json!({"command": ["mlflow", "server"],
            "args": ["--backend-store-uri=$(URI)", "--host", "0.0.0.0", "--serve-artifacts", "--workers", "4"]});
        let line = "exec mlflow server --backend-store-uri \"${URI}\" --host 0.0.0.0 --serve-artifacts";
        let shell = json!({"command": ["/bin/sh", "-ec"], "args": [line]});
        for container in [plain, shell] {
            let options = read(&container).options;
            assert_eq!(options["backend-store-uri"], "$(URI)");
            assert_eq!(options["host"], "", "a value that is no address is not kept");
            assert_eq!(options["serve-artifacts"], "");
        }
    }
}
