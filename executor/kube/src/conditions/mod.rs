//! Conditions: one file each. A condition holds, fails, or cannot be read; the last two are never the same.

mod allowed;
pub(crate) mod conversion;
pub(crate) mod count;
pub(crate) mod daemon_pods;
pub(crate) mod devices_free;
mod drained;
mod field;
mod kernel_module;
mod logs;
mod nodes_ready;
mod of_class;
mod offers;
mod release;
mod rollout;
pub(crate) mod stored;

use serde_json::Value;
use switchback_executor::ports::{Call, Classify as _};
use switchback_schemas::{
    journal::Verdict,
    plan::{BoundObject, KubeCondition},
};

use crate::{api::Reader, classify::CallError};

/// Asks a condition. It only reads.
pub(crate) async fn check(
    api: &Reader,
    call: &Call,
    condition: &KubeCondition<Value, BoundObject>,
) -> Verdict {
    let verdict: Result<Verdict, CallError> = match condition {
        KubeCondition::Field { object, pointer, is } => field::check(api, object, pointer, is).await,
        KubeCondition::Count { find, each, at_least, at_most } => {
            count::check(api, find, each, *at_least, *at_most).await
        }
        KubeCondition::CountOfClass { find, classes, each, at_most } => {
            of_class::check(api, call, find, classes, (each, *at_most)).await
        }
        KubeCondition::Allowed { reviews } => allowed::check(api, reviews).await,
        KubeCondition::Rollout { object } => rollout::check(api, object).await,
        KubeCondition::NoRelease { release } => release::none(api, release).await,
        KubeCondition::Release { release, chart, chart_version, revision, values } => {
            let wanted = release::Wanted {
                chart: chart.as_deref(),
                chart_version: chart_version.as_ref(),
                revision: revision.as_ref(),
                values: values.as_ref(),
            };
            release::check(api, release, &wanted).await
        }
        KubeCondition::Drained { node } => drained::check(api, node).await,
        KubeCondition::ConversionReady { crd } => conversion::check(api, crd).await,
        KubeCondition::StoredAs { crd, version } => stored::check(api, crd, version).await,
        KubeCondition::Logs { pods, pattern, at_least, at_most } => {
            let wanted = logs::Wanted { pattern, at_least: *at_least, at_most: *at_most };
            logs::check(api, pods, &wanted).await
        }
        KubeCondition::DaemonPods { node, pods } => daemon_pods::check(api, node, pods).await,
        KubeCondition::DevicesFree { node, holders } => devices_free::check(api, node, holders).await,
        KubeCondition::KernelModule { node, module } => kernel_module::check(api, node, module).await,
        KubeCondition::Offers { node, offers } => offers::check(api, node, offers).await,
        KubeCondition::NodesReady { pool, at_least } => nodes_ready::check(api, call, pool, *at_least).await,
    };
    verdict.unwrap_or_else(|error| error.verdict())
}

/// How many are wanted, in words.
fn bounds(at_least: Option<u64>, at_most: Option<u64>) -> String {
    let bounds = [at_least.map(|n| format!("at least {n}")), at_most.map(|n| format!("at most {n}"))];
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    if bounds.is_empty() { "all of them".to_owned() } else { bounds.join(" and ") }
}

/// Holds or fails, with the same evidence.
fn verdict(holds: bool, line: &str) -> Verdict {
    let line = switchback_executor::untrusted::text::line(line);
    if holds { Verdict::holds(line) } else { Verdict::fails(line) }
}
