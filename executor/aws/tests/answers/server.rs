//! A server that answers as it is told, and remembers what it was asked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use switchback_aws::{Aws, AwsDriver, AwsSettings, StaticCredentials};
use switchback_executor::{
    env::{Clock, RuntimeClock},
    ports::{BoundEffect, Call, Cloud as _},
};
use switchback_schemas::{
    journal::{At, Outcome, WaitsFor},
    plan::{Arn, AwsResource, Effect, Roles},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What is answered to one request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// JSON of a REST API.
    Json(u16, Value),
    /// JSON of an error, with its type in the header that names it.
    Fault(u16, &'static str, &'static str),
    /// XML of a query API.
    Xml(u16, String),
    /// A page of something in between.
    Page(u16),
    /// The connection closes.
    Lost,
    /// Nothing, ever.
    Silence,
}

/// A request that was asked.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `GET /clusters/mlops`, or for a query API `DescribeSubnets`.
    pub(crate) what: String,
    /// Headers and body as they came.
    pub(crate) head: String,
    pub(crate) body: String,
}

type Script = Arc<Mutex<(Vec<(String, Answer)>, Vec<Asked>)>>;

/// A server with a script: for each request the first answer left whose name fits is given, and used up.
pub(crate) struct Server {
    pub(crate) endpoint: String,
    script: Script,
}

impl Server {
    pub(crate) async fn start(script: &[(&str, Answer)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answers = script.iter().map(|(what, answer)| ((*what).to_owned(), answer.clone())).collect();
        let script: Script = Arc::new(Mutex::new((answers, Vec::new())));
        let shared = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&shared)));
            }
        });
        Self { endpoint, script }
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.script.lock().unwrap().1.clone()
    }

    /// Names of what was asked so far.
    pub(crate) fn names(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.what).collect()
    }

    /// AWS through this server, with keys and a short patience.
    pub(crate) async fn aws(&self) -> Aws {
        self.aws_within(Duration::from_secs(30)).await
    }

    pub(crate) async fn aws_within(&self, deadline: Duration) -> Aws {
        let credentials = StaticCredentials {
            access_key: "AKIDBASE".into(),
            secret_key: "secret".into(),
            session_token: None,
        };
        Aws::open(AwsSettings {
            endpoint: Some(self.endpoint.clone()),
            credentials: Some(credentials),
            backoff: Duration::from_millis(1),
            deadline,
            ..AwsSettings::default()
        })
        .await
    }

    pub(crate) async fn driver(&self) -> AwsDriver {
        driver(self.aws().await, Roles::default())
    }

    /// Calls an effect once.
    pub(crate) async fn apply(&self, call: &Call, effect: &BoundEffect) -> Outcome {
        apply(&self.driver().await, call, effect).await
    }
}

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-central-1";

/// A driver with one cluster, `mlops`, and one database, `flow`.
pub(crate) fn driver(aws: Aws, roles: Roles) -> AwsDriver {
    let cluster = AwsResource { arn: Arn::eks_cluster(REGION, ACCOUNT, "mlops"), roles: roles.clone() };
    let database = AwsResource { arn: Arn::rds_instance(REGION, ACCOUNT, "flow"), roles };
    let targets = BTreeMap::from([("mlops".parse().unwrap(), cluster), ("db".parse().unwrap(), database)]);
    let clock: Arc<dyn Clock> = Arc::new(RuntimeClock::starting_at("2026-11-20T10:00:00Z".parse().unwrap()));
    AwsDriver::new(aws, targets, clock)
}

async fn serve(mut socket: TcpStream, script: Script) {
    let Some((head, body)) = read(&mut socket).await else { return };
    let mut line = head.lines().next().unwrap_or_default().split(' ');
    let (method, path) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
    let action = body.split('&').find_map(|part| part.strip_prefix("Action="));
    let what = match action {
        Some(action) => action.to_owned(),
        None => format!("{method} {}", path.split('?').next().unwrap_or_default()),
    };
    let answer = {
        let mut script = script.lock().unwrap();
        script.1.push(Asked { what: what.clone(), head, body });
        match script.0.iter().position(|(wanted, _)| *wanted == what) {
            Some(at) => script.0.remove(at).1,
            None => Answer::Fault(500, "ServerException", "the script has no answer left"),
        }
    };
    let (status, kind, fault, body) = match answer {
        Answer::Json(status, body) => (status, "application/json", "", body.to_string()),
        Answer::Fault(status, code, message) => {
            (status, "application/json", code, json!({"message": message}).to_string())
        }
        Answer::Xml(status, body) => (status, "text/xml", "", body),
        Answer::Page(status) => {
            (status, "text/html", "", "<!doctype html><title>no such page</title>".to_owned())
        }
        Answer::Lost => return,
        Answer::Silence => return std::future::pending().await,
    };
    let fault = if fault.is_empty() { String::new() } else { format!("x-amzn-errortype: {fault}\r\n") };
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\n{fault}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
}

/// Head and body of one request.
async fn read(socket: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let mut part = vec![0; 16 << 10];
    loop {
        let n = socket.read(&mut part).await.ok()?;
        if n == 0 {
            return None;
        }
        bytes.extend_from_slice(&part[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}

/// A call of a run, forward.
pub(crate) fn call() -> Call {
    Call::first(
        "run-1".parse().unwrap(),
        At::forward(&"test/step".parse().unwrap()),
        "mlops".parse().unwrap(),
        "0123456789abcdef0123456789abcdef".into(),
    )
}

/// The call that follows one that was blocked by an operation.
pub(crate) fn after(operation: &str) -> Call {
    Call { attempt: 2, operation: Some(operation.to_owned()), ..call() }
}

/// The id of the operation that an outcome waits for.
#[track_caller]
pub(crate) fn operation(outcome: &Outcome) -> String {
    let Outcome::Blocked { waits_for } = outcome else { panic!("{outcome:?}") };
    let [WaitsFor::Operation { id, .. }] = waits_for.as_slice() else { panic!("{outcome:?}") };
    id.clone()
}

/// A cluster as EKS describes it.
pub(crate) fn cluster(version: &str, status: &str) -> Answer {
    Answer::Json(
        200,
        json!({"cluster": {"name": "mlops", "arn": format!("arn:aws:eks:{REGION}:{ACCOUNT}:cluster/mlops"),
            "version": version, "status": status, "platformVersion": "eks.9", "endpoint": "https://x.example",
            "resourcesVpcConfig": {"subnetIds": ["subnet-1", "subnet-2"]}}}),
    )
}

/// An update of a cluster's version as EKS describes it.
pub(crate) fn update(id: &str, version: &str, status: &str) -> Answer {
    Answer::Json(
        200,
        json!({"update": {"id": id, "status": status, "type": "VersionUpdate", "createdAt": 1_795_687_200.0,
            "params": [{"type": "Version", "value": version}, {"type": "PlatformVersion", "value": "eks.1"}],
            "errors": []}}),
    )
}

/// The effect that most tests call.
pub(crate) fn to_133() -> BoundEffect {
    effect(json!({"eks": {"updateCluster": {"target": "mlops", "from": "1.32", "to": "1.33"}}}))
}

/// An effect from JSON.
pub(crate) fn effect(value: Value) -> BoundEffect {
    match serde_json::from_value::<Effect<Value, Value>>(value).unwrap() {
        Effect::Eks(effect) => Effect::Eks(effect),
        Effect::Rds(effect) => Effect::Rds(effect),
        other => panic!("{other:?} is no effect on AWS"),
    }
}

/// Calls an effect once.
pub(crate) async fn apply(driver: &AwsDriver, call: &Call, effect: &BoundEffect) -> Outcome {
    match effect {
        Effect::Eks(effect) => driver.eks(call, effect).await,
        Effect::Rds(effect) => driver.rds(call, effect).await,
        other => panic!("{other:?} is no effect on AWS"),
    }
}
