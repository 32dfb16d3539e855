//! A world with a twin, the real drivers on it, and a store on a disk in memory.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use switchback_aws::{Aws, AwsDriver, AwsSettings, StaticCredentials};
use switchback_executor::{
    machine::Settings,
    ports::{Cloud, Kube},
    runtime::{Drivers, Runtime},
    store::{LocalStore, sim::SimDisk},
};
use switchback_kube::KubeDriver;
use switchback_programs::{
    Arg, Exit, HelmDriver, HelmTarget, Invocation, NamedCharts, ProbeDriver, Programs, RunError, Settled,
    Web, WebAnswer, WebError, WebRequest,
};
use switchback_schemas::{Seconds, plan::Plan};
use switchback_twin::{Clocking, Handle, ProgramCall, Twin, World, serve};

use super::time::{Random, Time, Timed};

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the checkout")
}

/// A twin that is spoken to from this process. Its AWS listens on loopback, because the SDK speaks to sockets.
pub(crate) struct Platform {
    pub(crate) twin: Twin,
    pub(crate) time: Time,
    pub(crate) disk: SimDisk,
    served: Handle,
    /// Requests that its clients have made to the API server.
    pub(crate) requests: Arc<AtomicU64>,
}

/// How a run is carried on.
#[derive(Clone, Default)]
pub(crate) struct Manner {
    /// Where random whiles before effects are drawn, and seconds that one takes at most.
    pub(crate) late: Option<(Arc<Mutex<Random>>, u64)>,
    /// How many commands are under way at once, if not as many as usual.
    pub(crate) parallel: Option<usize>,
}

impl Platform {
    /// A twin of this world, with a store that has this disk.
    pub(crate) async fn of(world: World, disk: SimDisk) -> Self {
        let twin = Twin::new(world);
        let served = serve(&twin, ([127, 0, 0, 1], 0).into(), Clocking::Manual).await.expect("it listens");
        Self { time: Time::of(&twin), twin, disk, served, requests: Arc::default() }
    }

    pub(crate) fn store(&self) -> LocalStore {
        LocalStore::on("/store", Arc::new(self.disk.clone()))
    }

    pub(crate) fn client(&self) -> kube::Client {
        let requests = Arc::clone(&self.requests);
        let counted = tower::util::MapRequest::new(self.twin.kube(), move |request| {
            requests.fetch_add(1, Ordering::Relaxed);
            request
        });
        kube::Client::new(counted, "default")
    }

    pub(crate) async fn aws(&self) -> Aws {
        let credentials =
            StaticCredentials { access_key: "TWIN".into(), secret_key: "twin".into(), session_token: None };
        Aws::open(AwsSettings {
            endpoint: Some(format!("http://{}", self.served.addr)),
            credentials: Some(credentials),
            ..AwsSettings::default()
        })
        .await
    }

    /// Everything that a run of this plan is carried on with.
    pub(crate) async fn runtime(&self, plan: &Plan, manner: &Manner) -> Runtime {
        let kube: Arc<dyn Kube> = Arc::new(KubeDriver::over(self.client()));
        let helm = HelmDriver::new(
            Arc::new(Table(self.twin.clone())),
            Arc::new(NamedCharts),
            Arc::clone(&kube),
            HelmTarget::default(),
        );
        let probe = ProbeDriver::new(Arc::new(Services(self.client())), Arc::new(|_| None));
        let targets = plan.platform.targets.iter();
        let targets: BTreeMap<_, _> =
            targets.filter_map(|(name, target)| Some((name.clone(), target.aws()?.clone()))).collect();
        let cloud: Option<Arc<dyn Cloud>> = match targets.is_empty() {
            true => None,
            false => Some(Arc::new(AwsDriver::new(self.aws().await, targets, Arc::new(self.time.clone())))),
        };
        let drivers = Drivers {
            kube: Some(kube),
            helm: Some(Arc::new(helm)),
            cloud,
            probes: Some(Arc::new(probe)),
            around: Some(Arc::new(Timed { time: self.time.clone(), late: manner.late.clone() })),
            ..Drivers::default()
        };
        let usual = Settings::default();
        Runtime {
            store: Arc::new(self.store()),
            drivers,
            clock: Arc::new(self.time.clone()),
            settings: Settings {
                // Operations of minutes are asked about less often than by a person who waits for them.
                poll: Seconds(60),
                parallel: manner.parallel.unwrap_or(usual.parallel),
                ..usual
            },
            holder: "rehearsal".to_owned(),
            grace: Seconds::minutes(5),
            max_runtime: None,
            claims: None,
            trust: None,
            applier: None,
        }
    }
}

/// The twin's table of programs.
pub(crate) struct Table(pub(crate) Twin);

#[async_trait]
impl Programs for Table {
    async fn run(&self, call: &Invocation) -> Result<Exit, RunError> {
        let words = call.argv.iter().map(|arg| match arg {
            Arg::Text(text) | Arg::File(text) => text.clone(),
        });
        let mut asked = ProgramCall::new(words);
        for (name, content) in &call.files {
            asked = asked.file(name, String::from_utf8_lossy(content));
        }
        let ended = self.0.run_program(&asked);
        Ok(Exit {
            code: Some(ended.exit).filter(|code| *code != 137),
            stdout: ended.stdout.into_bytes(),
            stderr: ended.stderr.into_bytes(),
        })
    }

    async fn settle(&self, _slot: &str, _within: Duration) -> Result<Settled, RunError> {
        Ok(Settled::Free)
    }
}

/// Services of the cluster, through its API server.
struct Services(kube::Client);

#[async_trait]
impl Web for Services {
    async fn send(&self, request: &WebRequest) -> Result<WebAnswer, WebError> {
        let lost = |error: &dyn std::fmt::Display| WebError::Lost(error.to_string());
        let rest =
            request.url.strip_prefix("http://").ok_or_else(|| WebError::Address(request.url.clone()))?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (name, port) = host.split_once(':').unwrap_or((host, "80"));
        let name = name.strip_suffix(".svc").and_then(|name| name.split_once('.'));
        let (name, namespace) = name.ok_or_else(|| WebError::Address(request.url.clone()))?;
        let path = format!("/api/v1/namespaces/{namespace}/services/{name}:{port}/proxy/{path}");
        let mut asked = request.build(&path, |json| kube::client::Body::from(json.to_vec()))?;
        asked.headers_mut().insert(http::header::HOST, host.parse().map_err(|error| lost(&error))?);
        let answer = self.0.send(asked).await.map_err(|error| lost(&error))?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map_err(|error| lost(&error))?.to_bytes().to_vec();
        Ok(WebAnswer { status, body })
    }
}
