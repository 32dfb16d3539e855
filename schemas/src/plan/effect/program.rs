//! Programs and messages.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Seconds, name::Label};

/// A program with an argument vector; never a shell line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Command {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment beyond `PATH` and `HOME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
    /// How long it may run.
    pub timeout: Seconds,
}

/// The value of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum EnvValue {
    /// A value that is no secret.
    Text(String),
    /// The name of a variable of the executor's own environment; its value never leaves the process.
    FromEnv(String),
}

impl EnvValue {
    /// The variable of the executor's environment that it is read from.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Text(_) => None,
            Self::FromEnv(variable) => Some(variable),
        }
    }

    /// The value; the variable, where it is not set.
    pub fn read(&self, lookup: impl FnOnce(&str) -> Option<String>) -> Result<String, &str> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::FromEnv(variable) => lookup(variable).ok_or(variable),
        }
    }
}

/// Tells a channel what the run does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notify {
    /// The channel of the Platform.
    pub channel: Label,
    /// The variable of the executor's environment that holds the channel's address.
    pub url_from_env: String,
    /// The text.
    pub text: String,
}
