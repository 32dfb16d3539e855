//! What the tests share.

pub(crate) mod effects;
pub(crate) mod example;
pub(crate) mod oracle;
pub(crate) mod planning;
pub(crate) mod platform;
#[path = "../../wire/support/projection.rs"]
pub(crate) mod projection;
pub(crate) mod run;
#[path = "../../../planner/tests/solver/states.rs"]
#[expect(dead_code, reason = "orders of hops are drawn from plans here")]
pub(crate) mod states;
pub(crate) mod time;
pub(crate) mod watch;

/// Runs something to its end on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}
