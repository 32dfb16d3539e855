//! What to do about what an earlier run of the operation began.

use switchback_schemas::RunId;

/// How a hop that a run began comes to an end there; `last` is the run that has the platform.
pub fn ways(last: &RunId, run: &RunId) -> String {
    let there = format!(
        "finish it in that run (`switchback apply` of its plan, `switchback retry --run {run} --step STEP` where it failed) or \
         take it back (`switchback rollback --run {run}`)"
    );
    if last == run {
        return there;
    }
    format!("roll run {last} back to its start (`switchback rollback --run {last} --to start`), then {there}")
}
