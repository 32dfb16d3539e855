//! Events of an executor at work.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout},
};

use serde_json::Value;

/// The events of an executor, as it says them.
pub(crate) struct Events(std::io::Lines<BufReader<ChildStdout>>);

impl Events {
    pub(crate) fn of(child: &mut Child) -> Self {
        Self(BufReader::new(child.stdout.take().expect("a pipe")).lines())
    }

    /// Reads until an event fits; whether one did before the end.
    pub(crate) fn until(&mut self, mut fits: impl FnMut(&Value) -> bool) -> bool {
        for line in self.0.by_ref() {
            let Ok(line) = line else { return false };
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            if fits(&event) {
                return true;
            }
        }
        false
    }
}

/// The kind of a record, if an event is one.
pub(crate) fn record<'a>(event: &'a Value, kind: &str) -> Option<&'a Value> {
    let record = event.get("record")?.get("event")?;
    (record["kind"] == kind).then_some(record)
}
