//! What finishes a plan, or rolls it back, without Switchback: the commands of kubectl, helm and the AWS CLI for each step, as a
//! script that a person reads and runs block by block.
//!
//! What a step captures is read into a variable of the shell; what steps captured that are not in the script is asked for before
//! its first command. Each command does what the driver does; what the driver looks at before and after is said as a comment.

mod aws;
mod captures;
mod helm;
mod kube;
mod script;
mod word;

pub use script::{Part, Script};

use serde_json::Value;
use switchback_schemas::plan::{BoundObject, Effect, EnvValue, Plan};

use word::words;

/// The commands of one effect, in order. None where there is nothing to do.
pub(crate) fn commands(plan: &Plan, effect: &Effect<Value, BoundObject>) -> Vec<String> {
    match effect {
        Effect::Kube(effect) => kube::commands(effect),
        Effect::Helm(effect) => helm::commands(effect),
        Effect::Eks(effect) => aws::eks(plan, effect),
        Effect::Rds(effect) => aws::rds(plan, effect),
        Effect::Command(command) => {
            let env = command.env.iter().filter_map(|(name, value)| match value {
                EnvValue::Text(text) => Some(format!("{name}={}", word::quoted(text))),
                // It is in the environment of who runs the script, under its own name or not at all.
                EnvValue::FromEnv(from) if from == name => None,
                EnvValue::FromEnv(from) => Some(format!("{name}=\"${from}\"")),
            });
            let argv = words(command.argv.iter().map(String::as_str));
            vec![env.chain([argv]).collect::<Vec<_>>().join(" ")]
        }
        Effect::Notify(_) | Effect::Wait(_) => Vec::new(),
    }
}
