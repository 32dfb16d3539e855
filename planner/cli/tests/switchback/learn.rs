//! What runs took, learned from their reports and from the journals of a store.

use std::fs;

use switchback_face::Exit;
use switchback_model::journal::Head;
use switchback_schemas::{
    Digest,
    format::Document,
    journal::{At, Class, Event, Evidence, Outcome, Verdict},
};
use tempfile::TempDir;

use crate::{ends, run, switchback};

#[test]
fn what_steps_took_is_learned_and_expected_of_the_next_plan() {
    let directory = TempDir::new().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let step = |step: &str, ended: &str, worked: u64| {
        format!(
            r#"{{"at": {{"step": "karpenter/karpenter@1.7.6/{step}", "way": "forward"}}, "title": "", "status": "done",
                "started": "2026-11-01T10:00:00Z", "ended": "{ended}", "worked": {worked}, "attempts": 1}}"#
        )
    };
    let report = format!(
        r#"{{"format": "switchback.report/2.0", "run": "r-1", "platform": "karpenter-small",
            "plan": "sha256:{}", "started": "2026-11-01T10:00:00Z", "last": "2026-11-01T11:00:00Z",
            "state": {{"kind": "ended", "end": "complete"}}, "savepoint": "start", "steps": [{}, {}]}}"#,
        "0".repeat(64),
        step("crds", "2026-11-01T10:02:00Z", 120),
        // It was parked for half an hour in between.
        step("controller", "2026-11-01T10:37:00Z", 420),
    );
    fs::write(path("report.json"), report).expect("written");
    let (output, out, _) = run(switchback(&["learn", &path("report.json"), "-o", &path("estimates.json")]));
    ends(&output, Exit::Success);
    assert!(out.contains("karpenter/karpenter/controller"), "{out}");
    assert!(out.contains("7 min"), "{out}");

    let example = "plans/karpenter-small";
    let [manifests, inventory, lock] =
        ["manifests", "inventory.json", "lock.json"].map(|name| format!("{example}/{name}"));
    let mut line = vec!["plan", &manifests, "--inventory", &inventory, "--lock", &lock];
    let (output, before, err) = run(switchback(&line));
    ends(&output, Exit::Success);
    let takes_seven_minutes = |dry_run: &str| {
        let mut lines =
            dry_run.lines().skip_while(|line| !line.ends_with("karpenter/karpenter@1.8.8/controller"));
        let takes = lines.find(|line| line.trim_start().starts_with("about "));
        takes.expect("every step says how long it takes").trim_start().starts_with("about 7 min")
    };
    assert!(!takes_seven_minutes(&before), "{before}");
    let estimates = path("estimates.json");
    line.extend(["--estimates", &estimates]);
    let (output, after, _) = run(switchback(&line));
    ends(&output, Exit::Success);
    assert!(takes_seven_minutes(&after), "{after}\n{err}");
    let review = |text: &str| text.split("review ").nth(1).map(|rest| rest[..12].to_owned());
    assert_eq!(review(&before), review(&after), "approvals do not bind to estimates");

    // The report of an older release has another shape; its format is what is said of it.
    fs::write(path("old.json"), r#"[{"format": "switchback.report/1.0", "openBrackets": []}]"#)
        .expect("written");
    let (output, _, err) = run(switchback(&["learn", &path("old.json")]));
    ends(&output, Exit::Failed);
    assert!(
        err.contains("this report is in format 1.x") && err.contains("with the release that wrote it"),
        "{err}"
    );

    // Something else is not taken for estimates.
    let wrong = ["plan", &manifests, "--inventory", &inventory, "--lock", &lock, "--estimates", &lock];
    let (output, _, err) = run(switchback(&wrong));
    assert!(!output.status.success(), "{output:?}");
    assert!(err.contains("this is a switchback lock"), "{err}");
}

#[test]
fn a_store_is_learned_from_like_the_report_of_its_run() {
    let directory = TempDir::new().expect("a directory");
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let at = |second| jiff::Timestamp::from_second(second).expect("an instant");
    let place = At::forward(&"karpenter/karpenter@1.7.6/controller".parse().expect("a step"));
    let nothing = || Evidence(Vec::new());
    let called = || Event::Intent { at: place.clone(), attempt: 1, token: String::new() };
    let failed = Outcome::NotDone { class: Class::Unreachable, evidence: nothing() };
    let ended = |outcome| Event::Ended { at: place.clone(), attempt: 1, outcome };
    let header = Event::Header {
        format: Document::Journal.current(),
        run: "r-1".parse().expect("a run"),
        operation: "r-1".parse().expect("a run"),
        platform: "karpenter-small".parse().expect("a name"),
        plan: Digest::of(""),
        review: Digest::of(""),
    };
    let events = [
        (0, header),
        (0, Event::Epoch { holder: String::new(), by: None }),
        (0, called()),
        (500, ended(failed)),
        (900, called()),
        (910, ended(Outcome::Blocked { waits_for: Vec::new() })),
        (910, Event::Parked { waits_for: Vec::new(), wake_at: None }),
        (9_000, Event::Epoch { holder: String::new(), by: None }),
        (9_000, called()),
        (9_020, ended(Outcome::Done { evidence: nothing() })),
        (9_025, Event::Verified { at: place.clone(), verdict: Verdict::Holds { evidence: nothing() } }),
    ];
    let mut head = Head::default();
    let lines = events.map(|(second, event)| head.line(1, at(second), event).expect("a line").bytes).concat();
    let report = format!(
        r#"{{"format": "switchback.report/2.0", "run": "r-1", "platform": "karpenter-small", "plan": "{}",
            "started": "1970-01-01T00:00:00Z", "last": "1970-01-01T02:30:25Z", "state": {{"kind": "running"}}, "savepoint": "start",
            "steps": [{{"at": {{"step": "karpenter/karpenter@1.7.6/controller", "way": "forward"}}, "title": "", "status": "done",
                "started": "1970-01-01T00:00:00Z", "ended": "1970-01-01T02:30:25Z", "worked": 35, "attempts": 3}}]}}"#,
        Digest::of("")
    );
    fs::create_dir_all(path("store/runs/r-1")).expect("made");
    fs::create_dir_all(path("store/runs/never-begun")).expect("made");
    fs::write(path("store/runs/r-1/journal"), &lines).expect("written");
    fs::write(path("report.json"), report).expect("written");
    let learned = |runs: &[&str]| {
        let runs: Vec<String> = runs.iter().map(|run| path(run)).collect();
        let line: Vec<&str> =
            ["learn", "--format", "json"].into_iter().chain(runs.iter().map(String::as_str)).collect();
        run(switchback(&line))
    };
    let (output, told, _) = learned(&["report.json"]);
    ends(&output, Exit::Success);
    assert!(told.contains("\"expected\": 35"), "{told}");
    assert!(told.contains("\"seen\": 1"), "{told}");
    for runs in
        [&["store"] as &[_], &["store/runs/r-1"], &["store/runs/r-1/journal"], &["store", "report.json"]]
    {
        let (output, found, err) = learned(runs);
        ends(&output, Exit::Success);
        assert_eq!(found, told, "{runs:?}: {err}");
    }
    // A record that is still being written is left out; damage is not passed over.
    fs::write(path("store/runs/r-1/journal"), &lines[..lines.len() - 5]).expect("written");
    let (output, found, _) = learned(&["store"]);
    ends(&output, Exit::Success);
    assert!(!found.contains("controller"), "it is not verified yet: {found}");
    fs::write(path("store/runs/r-1/journal"), &lines[100..]).expect("written");
    let (output, _, err) = learned(&["store"]);
    ends(&output, Exit::Failed);
    assert!(err.contains("damaged at byte 0"), "{err}");
}
