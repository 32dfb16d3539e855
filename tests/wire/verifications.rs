//! Verifications by what a person types: each kind holds, or takes back what it does not hold for; judged by the image that is there
//! afterwards.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use switchback_schemas::codes;

use crate::support::{
    bins::program,
    manifests::{borrowed, changed, web_only},
    scene::{APPLY, Out, Scene},
};

/// A server on loopback that plays Prometheus and something that is asked with a token.
struct Server {
    url: String,
    /// How often Prometheus was asked.
    queries: Arc<AtomicUsize>,
    /// What was posted.
    posted: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `values`: what the query says, from the first time to the last, which stays.
    fn start(values: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (queries, posted) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        let (asked, kept) = (Arc::clone(&queries), Arc::clone(&posted));
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &values, &asked, &kept);
            }
        });
        Self { url, queries, posted }
    }
}

fn answer(stream: TcpStream, values: &[String], queries: &AtomicUsize, posted: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let (mut head, mut length, mut token) = (String::new(), 0, false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        token |= line.trim() == "authorization: Bearer canary-7";
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let answer = if head.starts_with("GET /api/v1/query?query=errors") {
        let number = queries.fetch_add(1, Ordering::SeqCst);
        let value = values.get(number).or(values.last()).expect("a value");
        json!({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, value]}]}})
    } else {
        posted.lock().expect("no panic").push(String::from_utf8_lossy(&body).into_owned());
        json!({"answer": {"whole": token && head.starts_with("POST /ask")}})
    };
    let answer = answer.to_string();
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
    let mut stream = stream;
    // A client that has gone away hears nothing.
    drop(stream.write_all(format!("{head}{answer}").as_bytes()));
}

/// The example's Deployment, verified by one more check.
fn scene(check: &str, world: impl FnOnce(String) -> String) -> Scene {
    let extra = format!(
        "---\napiVersion: switchback.dev/v1alpha1\nkind: Verification\nmetadata: {{name: extra}}\nspec:\n  check:\n    {check}\n  within: 2m\n"
    );
    let manifests = changed(web_only(), "verifications.yaml", |text| format!("{text}{extra}"));
    let manifests = changed(manifests, "web.yaml", |text| text.replace("verify: [", "verify: [extra, "));
    Scene::on_twin(&borrowed(&manifests), world)
}

fn image(scene: &Scene) -> String {
    let named = |it: &Value| it["metadata"]["name"] == "web";
    let web = scene.objects("Deployment").into_iter().find(named).expect("the Deployment");
    web["spec"]["template"]["spec"]["containers"][0]["image"].as_str().expect("an image").to_owned()
}

#[track_caller]
fn stays_up(scene: &Scene) -> Out {
    let out = scene.apply().exits(0);
    assert_eq!(image(scene), "example.invalid/web:2");
    out
}

#[track_caller]
fn is_taken_back(scene: &Scene, because: &str) {
    scene.apply().exits(5);
    assert_eq!(image(scene), "example.invalid/web:1");
    let report = scene.switchback("report --store store").exits(0);
    assert!(report.stdout.contains(because), "{because}:\n{}", report.stdout);
}

/// What it was is asked before anything changes, and once.
#[test]
fn a_query_that_gets_worse_than_it_was_takes_the_hop_back() {
    for (values, worse) in [(&["100", "109"][..], false), (&["100", "111"][..], true)] {
        let server = Server::start(values);
        let url = &server.url;
        let check = format!(
            "prometheus: {{url: '{url}', query: errors, compare: at-most, baseline: {{tolerancePercent: 10}}, missing: fail}}"
        );
        let scene = scene(&check, |world| world);
        let plan = scene.plan();
        let dry_run = scene.switchback("show plan.json").exits(0).stdout;
        assert!(dry_run.contains("capture what is compared afterwards: extra"), "{dry_run}");
        assert!(plan.steps.iter().any(|step| step.id.as_str().ends_with("/baseline")));
        // The capture is the first that is asked: nothing else asked before the run.
        assert_eq!(server.queries.load(Ordering::SeqCst), 0);
        match worse {
            false => drop(stays_up(&scene)),
            true => is_taken_back(&scene, "errors is 111, wanted at most 110 (it was 100, tolerance 10 %)"),
        }
        let by_hand = scene.switchback("show plan.json --by-hand").exits(0).stdout;
        assert!(by_hand.contains("at most what it was before the hop, tolerance 10 %"), "{by_hand}");
        assert!(by_hand.contains("--data-urlencode 'query=errors' | jq --raw-output"), "{by_hand}");
    }
}

#[test]
fn a_request_with_a_token_and_a_body_is_judged_by_fields_of_its_answer() {
    let server = Server::start(&["0"]);
    let url = &server.url;
    let check = |field: &str| {
        format!(
            "http: {{url: '{url}/ask', headers: {{Authorization: {{fromEnv: ASK_TOKEN}}}}, body: {{question: ready}}, status: 200, json: [{{pointer: {field}, is: {{equals: true}}}}]}}"
        )
    };
    let scene_of = |field: &str| {
        let scene = scene(&check(field), |world| world);
        scene.plan();
        scene
    };
    let token: BTreeMap<&str, &str> = [("ASK_TOKEN", "Bearer canary-7")].into();

    let scene = scene_of("/answer/whole");
    // What is missing on this machine is found before the run.
    let out = scene.on_store("preflight plan.json");
    assert!(out.stdout.contains("the variable ASK_TOKEN is not set"), "{}\n{}", out.stdout, out.stderr);
    assert_ne!(out.code, Some(0));
    scene.switchback_in(APPLY, &token).exits(0);
    assert_eq!(image(&scene), "example.invalid/web:2");
    assert!(server.posted.lock().expect("no panic").iter().all(|body| body == r#"{"question":"ready"}"#));
    let mut grep = program("grep");
    let found = grep.args(["-r", "canary-7", "."]).current_dir(scene.path(".")).output().expect("grep runs");
    assert!(!found.status.success(), "a file holds the token: {}", String::from_utf8_lossy(&found.stdout));

    let scene = scene_of("/answer/other");
    scene.switchback_in(APPLY, &token).exits(5);
    assert_eq!(image(&scene), "example.invalid/web:1");
}

#[test]
fn lines_that_must_not_be_logged_take_the_hop_back() {
    let check =
        "logs: {namespace: apps, matchLabels: {app: web}, pattern: '(?i)cuda error', since: 10m, atMost: 0}";
    let logging = |line: &str| {
        let line = line.to_owned();
        move |world: String| {
            let logs = format!(
                "metadata: {{labels: {{app: web}}, annotations: {{twin.switchback.dev/log: '{line}'}}}}"
            );
            let changed = world.replace("metadata: {labels: {app: web}}", &logs);
            assert_ne!(changed, world);
            changed
        }
    };
    let quiet = scene(check, logging("listening"));
    quiet.plan();
    stays_up(&quiet);
    let loud = scene(check, logging("listening, CUDA error: out of memory"));
    loud.plan();
    is_taken_back(&loud, "pod apps/web-");
}

#[test]
fn conditions_of_any_object_and_devices_of_a_pool_are_verified() {
    let condition = |r#type: &str| {
        format!(
            "condition: {{apiVersion: apps/v1, kind: Deployment, object: {{namespace: apps, name: web}}, type: {type}}}"
        )
    };
    let available = scene(&condition("Available"), |world| world);
    available.plan();
    stays_up(&available);
    let unheard = scene(&condition("Unheard"), |world| world);
    unheard.plan();
    is_taken_back(&unheard, "Unheard");

    let devices = |each: u32| format!("devices: {{pool: gpu, resource: nvidia.com/gpu, each: {each}}}");
    let enough = scene(&devices(8), |world| world);
    enough.plan();
    stays_up(&enough);
    let few = scene(&devices(9), |world| world);
    let plan = few.plan();
    assert!(plan.notices.iter().any(|notice| notice.code == codes::PLAN_VERIFICATION), "{:?}", plan.notices);
    is_taken_back(&few, "to be at least 9");
}
