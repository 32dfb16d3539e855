//! What is logged of a run: every attempt under its step and its run, and nothing of what an effect writes.

use std::{cell::RefCell, io::Write, sync::Once};

use tracing_subscriber::{
    filter::dynamic_filter_fn, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::*;

thread_local! {
    /// What this thread logs, once it is listened to.
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Writes to the lines of the thread.
struct Here;

impl Write for Here {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.with_borrow_mut(|lines| lines.get_or_insert_default().extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Listens to this thread from now on. One subscriber serves the whole process: what `tracing` remembers of a place in the code is
/// shared by all threads, so one that came and went with a test would miss what other tests had looked at meanwhile.
fn listen() {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        let here = dynamic_filter_fn(|what, _| {
            *what.level() <= tracing::Level::DEBUG && LINES.with_borrow(Option::is_some)
        });
        tracing_subscriber::registry().with(here).with(fmt::layer().json().with_writer(|| Here)).init();
    });
    LINES.set(Some(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_logged_with_its_run_and_step_and_without_what_it_writes() {
    listen();
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let (run, end) = apply(&runtime(&world, &disk), &three()).await.unwrap();
    assert_eq!(end, ended(End::Complete));

    let text = String::from_utf8(LINES.take().unwrap()).unwrap();
    // The argv of the plan's commands, and what was captured.
    for secret in ["do a", "\"do\"", "ConfigMap", "argv"] {
        assert!(!text.contains(secret), "{secret} is logged:\n{text}");
    }
    let mut applied = BTreeSet::new();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let spans: Vec<&serde_json::Value> = line["spans"].as_array().unwrap().iter().collect();
        let names: Vec<&str> = spans.iter().map(|span| span["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["run", "step", "attempt"], "{line}");
        assert_eq!(spans[0]["run"], run.as_str(), "{line}");
        assert!(spans[2]["attempt"].as_u64().is_some_and(|attempt| attempt >= 1), "{line}");
        if line["fields"]["outcome"] == "done" {
            applied.insert(spans[1]["step"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(applied, BTreeSet::from(["a", "b", "c"].map(|part| plans::id(part).to_string())));
}
