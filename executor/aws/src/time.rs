//! Time as AWS wants it, by the executor's clock: signatures and expiry of credentials are real time.

use std::time::SystemTime;

use jiff::Timestamp;
use switchback_executor::env::{Clock as _, SystemClock};

/// What time it is, for signatures.
pub(crate) fn now() -> SystemTime {
    SystemTime::from(SystemClock.now())
}

/// An instant of an answer.
pub(crate) fn instant(of: Option<&aws_smithy_types::DateTime>) -> Option<Timestamp> {
    let of = of?;
    Timestamp::new(of.secs(), i32::try_from(of.subsec_nanos()).ok()?).ok()
}
