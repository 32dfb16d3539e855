//! Telling the plan's channels where a run came to rest. What cannot be told is a remark: it never changes a run.

use std::sync::Arc;

use switchback_executor::{
    ports::{Call, Fleet},
    runtime::Drivers,
};
use switchback_schemas::{
    RunId, Seconds, StepId,
    journal::{At, Outcome},
    plan::{Effect, Notify, Plan},
};

/// Tells every channel; the answers of those that could not be told.
pub(super) async fn channels(drivers: &Drivers, plan: &Plan, run: &RunId, text: &str) -> Vec<String> {
    let mut failed = Vec::new();
    for channel in &plan.channels {
        let step = StepId::sanitized(&format!("notify/{}", channel.name));
        let call = Call {
            run: run.clone(),
            at: At::forward(&step),
            // A channel is no target; the platform stands for what it is told about.
            target: plan.platform.name.clone(),
            token: String::new(),
            attempt: 1,
            fleet: Arc::new(Fleet::default()),
            artifact: None,
            operation: None,
            back: false,
            waited: Seconds(0),
        };
        let effect = Effect::Notify(Notify {
            channel: channel.name.clone(),
            url_from_env: channel.url_from_env.clone(),
            text: format!("{}: {text}", plan.platform.name),
        });
        match drivers.apply(&call, &effect).await {
            Outcome::Done { .. } => {}
            Outcome::NotDone { evidence, .. } | Outcome::InDoubt { evidence, .. } => {
                failed.push(evidence.0.join("; "));
            }
            Outcome::Blocked { .. } => failed.push(format!("channel {}: it waits", channel.name)),
        }
    }
    failed
}
