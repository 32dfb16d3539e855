//! Domain time against a twin: the twin's own clock, which waiting moves.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};
use switchback_executor::env::Clock;

use super::{Control, ControlError, InFlight};

const PATH: &str = "/_twin/clock";

/// Real time that is given to calls that are about to begin, before the clock is thought to be idle.
const BEGIN: Duration = Duration::from_millis(2);

/// Real time after which the clock moves although a call is under way: it may be waiting for the clock.
const STUCK: Duration = Duration::from_secs(5);

/// How often a clock that follows real time is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A twin's clock.
pub(crate) struct TwinClock {
    control: Control,
    calls: InFlight,
    follows: bool,
    /// What is answered while the twin does not answer.
    last: Mutex<Timestamp>,
}

impl TwinClock {
    /// Reads it for the first time.
    pub(crate) fn new(control: Control, calls: InFlight, follows: bool) -> Result<Self, ControlError> {
        let now = read(&control.get(PATH)?)?;
        Ok(Self { control, calls, follows, last: Mutex::new(now) })
    }

    fn keep(&self, answer: Result<Value, ControlError>) -> Timestamp {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(now) = answer.and_then(|answer| read(&answer)) {
            *last = now.max(*last);
        }
        *last
    }

    /// Moves the clock, off the threads that tasks run on. A twin that is gone is found out by the next call to it; until
    /// then real time passes, so that nobody spins.
    async fn advance(&self, to: Timestamp) {
        let (control, body) = (self.control.clone(), json!({"to": to.to_string()}));
        let answer = tokio::task::spawn_blocking(move || control.post(PATH, &body)).await;
        match answer {
            Ok(answer @ Ok(_)) => drop(self.keep(answer)),
            Ok(Err(_)) | Err(_) => tokio::time::sleep(STUCK).await,
        }
    }
}

fn read(answer: &Value) -> Result<Timestamp, ControlError> {
    let now = answer.get("now").and_then(Value::as_str).and_then(|now| now.parse().ok());
    now.ok_or_else(|| ControlError::Refused { what: PATH.to_owned(), said: answer.to_string() })
}

#[async_trait]
impl Clock for TwinClock {
    fn now(&self) -> Timestamp {
        self.keep(self.control.get(PATH))
    }

    async fn sleep_until(&self, when: Timestamp) {
        while self.now() < when {
            if self.follows {
                tokio::time::sleep(LOOK).await;
                continue;
            }
            tokio::time::sleep(BEGIN).await;
            self.calls.idle(STUCK).await;
            self.advance(when).await;
        }
    }
}
