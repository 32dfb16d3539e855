//! What is logged of a run: every attempt under its step and its run, and nothing of what an effect writes.

use std::io::Write;

use super::*;

/// Lines that a subscriber wrote.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_logged_with_its_run_and_step_and_without_what_it_writes() {
    let lines = Lines::default();
    let writer = lines.clone();
    let logs = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    let guard = tracing::subscriber::set_default(logs);
    let (world, disk) = (Arc::new(World::default()), SimDisk::new());
    let (run, end) = apply(&runtime(&world, &disk), &three()).await.unwrap();
    drop(guard);
    assert_eq!(end, ended(End::Complete));

    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
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
    assert_eq!(applied, BTreeSet::from(["a", "b", "c"].map(str::to_owned)));
}
