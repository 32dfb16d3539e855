//! Telling the plan's channels where a run came to rest. What cannot be told is a remark: it never changes a run.

use switchback_executor::{ports::Call, runtime::Drivers};
use switchback_schemas::{
    RunId, StepId,
    journal::{At, Outcome},
    plan::{Effect, Notify, Plan},
};

/// Tells every channel; the answers of those that could not be told.
pub(super) async fn channels(drivers: &Drivers, plan: &Plan, run: &RunId, text: &str) -> Vec<String> {
    let mut failed = Vec::new();
    for channel in &plan.channels {
        let step = StepId::sanitized(&format!("notify/{}", channel.name));
        // A channel is no target; the platform stands for what it is told about.
        let target = plan.platform.name.clone();
        let call = Call::first(run.clone(), At::forward(&step), target, String::new());
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
