//! Queries to a real Prometheus: what it answers is what probes take it for. `setup` beside this file says where it is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the suite starts a server, and waits for it in real time")]

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use switchback_executor::ports::{Capturing, Probes};
use switchback_programs::{HyperWeb, ProbeDriver};
use switchback_schemas::{
    Seconds,
    journal::{Class, Verdict},
    plan::{Compare, Level, Missing, PromQuery, WebCondition},
};

/// A Prometheus that watches itself, and ends with the test.
struct Server {
    process: Child,
    url: String,
    _dir: tempfile::TempDir,
}

impl Server {
    async fn start(program: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Nobody takes it between here and its start but by accident; then the start fails and says so.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = dir.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n  - job_name: itself\n    static_configs:\n      - targets: ['127.0.0.1:{port}']\n"
        );
        std::fs::write(&config, text).unwrap();
        let process = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, url: format!("http://127.0.0.1:{port}"), _dir: dir };
        let until = Instant::now() + Duration::from_mins(1);
        // Three scrapes, so that a window holds more than one sample.
        while !server.holds("count_over_time(up[1m])", 0, Compare::AtLeast, "3").await {
            assert!(Instant::now() < until, "Prometheus has no samples of itself after a minute");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        server
    }

    fn query(&self, query: &str, over: u64) -> PromQuery {
        PromQuery { url: self.url.clone(), query: query.to_owned(), over: Seconds(over) }
    }

    async fn check(&self, query: &str, over: u64, is: Level<Value>, missing: Missing) -> Verdict {
        let condition = WebCondition::Prometheus { query: self.query(query, over), is, missing };
        probes().check(&condition).await
    }

    async fn holds(&self, query: &str, over: u64, compare: Compare, value: &str) -> bool {
        let is = Level::Threshold { compare, value: value.to_owned() };
        self.check(query, over, is, Missing::Unknown).await.is_holding()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn probes() -> ProbeDriver {
    ProbeDriver::new(Arc::new(HyperWeb::new().unwrap()), Arc::new(|_| None))
}

fn line(verdict: &Verdict) -> String {
    verdict.evidence().0.join("\n")
}

#[tokio::test]
#[ignore = "needs a Prometheus: executor/programs/tests/prometheus/setup"]
async fn what_a_real_server_answers_is_understood() {
    let program = std::env::var_os("SWITCHBACK_PROMETHEUS").expect("SWITCHBACK_PROMETHEUS is not set");
    let server = Server::start(Path::new(&program)).await;
    let above = |value: &str| Level::Threshold { compare: Compare::Above, value: value.to_owned() };

    // A vector, a scalar, a window.
    assert!(server.holds("up", 0, Compare::AtLeast, "1").await);
    assert!(!server.holds("up", 0, Compare::Above, "1").await);
    assert!(server.holds("scalar(up)", 0, Compare::AtLeast, "1").await);
    assert!(server.holds("up", 60, Compare::AtLeast, "1").await);
    let window = server.check("timestamp(up)", 60, above("9999999999"), Missing::Unknown).await;
    assert!(line(&window).contains("over 1 min, wanted above 9999999999"), "{window:?}");
    // Every series counts.
    let many = "sum by (handler) (prometheus_http_requests_total)";
    let series = server.check(many, 0, above("-1"), Missing::Fail).await;
    let said = line(&series);
    let values = said.split_once(" is ").and_then(|(_, rest)| rest.split_once(", wanted"));
    assert!(series.is_holding() && values.is_some_and(|(values, _)| values.contains(", ")), "{said}");

    // No data, and what is not a number.
    for nothing in ["absent_metric", "vector(0) / vector(0)"] {
        let seen = server.check(nothing, 0, above("0"), Missing::Unknown).await;
        assert!(matches!(seen, Verdict::Unknown { .. }), "{seen:?}");
        assert!(matches!(server.check(nothing, 0, above("0"), Missing::Fail).await, Verdict::Fails { .. }));
        assert!(server.check(nothing, 0, above("0"), Missing::Pass).await.is_holding());
    }

    // What it does not take is unknown, in its own words.
    for (query, over, said) in [("up{", 0, "parse error"), ("scalar(up)", 60, "subquery is only allowed")] {
        let seen = server.check(query, over, above("0"), Missing::Pass).await;
        assert!(matches!(seen, Verdict::Unknown { .. }) && line(&seen).contains(said), "{seen:?}");
    }

    // A baseline is one value.
    let Ok(Capturing::Scalar(before)) = probes().capture(&server.query("count(up)", 0)).await else {
        panic!("nothing was captured");
    };
    assert_eq!(before, json!("1"));
    let than = |compare| Level::Baseline { compare, value: before.clone(), tolerance_percent: 10 };
    assert!(server.check("count(up)", 0, than(Compare::AtMost), Missing::Fail).await.is_holding());
    assert!(server.check("count(up) * 1.05", 0, than(Compare::AtMost), Missing::Fail).await.is_holding());
    let worse = server.check("count(up) * 2", 0, than(Compare::AtMost), Missing::Fail).await;
    assert_eq!(line(&worse), "count(up) * 2 is 2, wanted at most 1.1 (it was 1, tolerance 10 %)");
    let class = |query: &'static str| async {
        let query = server.query(query, 0);
        probes().capture(&query).await.map_err(|failure| failure.class)
    };
    assert_eq!(class("absent_metric").await.unwrap_err(), Class::Unreachable, "there may be some later");
    assert_eq!(class("prometheus_http_requests_total").await.unwrap_err(), Class::Refused);
}
