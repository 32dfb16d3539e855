//! Conditions: one file each. A condition holds, fails, or cannot be read; the last two are never the same.

pub(crate) mod conversion;
pub(crate) mod count;
mod drained;
mod field;
mod nodes_ready;
mod release;
mod rollout;
pub(crate) mod stored;

use switchback_executor::ports::{Call, Classify as _};
use switchback_schemas::{journal::Verdict, plan::Condition};

use crate::{api::Reader, classify::CallError};

/// Whether a condition is asked here.
pub(crate) fn is_ours(condition: &Condition) -> bool {
    match condition {
        Condition::Field { .. }
        | Condition::Count { .. }
        | Condition::Rollout { .. }
        | Condition::Release { .. }
        | Condition::Drained { .. }
        | Condition::ConversionReady { .. }
        | Condition::StoredAs { .. }
        | Condition::NodesReady { .. } => true,
        Condition::All { .. }
        | Condition::Any { .. }
        | Condition::Http { .. }
        | Condition::Prometheus { .. }
        | Condition::Cloud { .. }
        | Condition::Insights { .. }
        | Condition::FreeAddresses { .. }
        | Condition::Command(_) => false,
    }
}

/// Asks a condition. It only reads.
pub(crate) async fn check(api: &Reader, call: &Call, condition: &Condition) -> Verdict {
    let verdict: Result<Verdict, CallError> = match condition {
        Condition::Field { object, pointer, is } => field::check(api, object, pointer, is).await,
        Condition::Count { find, each, at_least, at_most } => {
            count::check(api, find, each, *at_least, *at_most).await
        }
        Condition::Rollout { object } => rollout::check(api, object).await,
        Condition::Release { release, chart_version, revision, values } => {
            let wanted = release::Wanted {
                chart_version: chart_version.as_ref(),
                revision: revision.as_ref(),
                values: values.as_ref(),
            };
            release::check(api, release, &wanted).await
        }
        Condition::Drained { node } => drained::check(api, node).await,
        Condition::ConversionReady { crd } => conversion::check(api, crd).await,
        Condition::StoredAs { crd, version } => stored::check(api, crd, version).await,
        Condition::NodesReady { pool, at_least } => nodes_ready::check(api, call, pool, *at_least).await,
        Condition::All { .. }
        | Condition::Any { .. }
        | Condition::Http { .. }
        | Condition::Prometheus { .. }
        | Condition::Cloud { .. }
        | Condition::Insights { .. }
        | Condition::FreeAddresses { .. }
        | Condition::Command(_) => Ok(Verdict::unknown("this condition is not one of the Kubernetes driver")),
    };
    verdict.unwrap_or_else(|error| error.verdict())
}

/// Holds or fails, with the same evidence.
fn verdict(holds: bool, line: &str) -> Verdict {
    let line = switchback_executor::untrusted::text::line(line);
    if holds { Verdict::holds(line) } else { Verdict::fails(line) }
}
