//! The platform that a command speaks to: client, drivers, programs, charts and clock, for a real cluster and for a twin.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use switchback_aws::{Aws, AwsDriver, AwsSettings, StaticCredentials};
use switchback_executor::{
    env::{Clock, SystemClock},
    ports::{Around, Cloud, Kube},
    runtime::{Drivers, PlatformClaims},
};
use switchback_face::documents;
use switchback_kube::{KubeDriver, LeaseClaim};
use switchback_programs::{
    Charts, CommandDriver, HelmDriver, HelmTarget, HyperWeb, NotifyDriver, OsPrograms, ProbeDriver, Programs,
    VerifiedCharts, Web,
};
use switchback_schemas::{journal::Identified, plan::Plan};
use tempfile::TempPath;

use crate::{
    args::{PlatformArgs, TimeArgs},
    eks,
    environment::{self, Environment},
    error::Error,
    host::Host,
    services::ClusterWeb,
    store::Opened,
    twin::{Control, InFlight, Mark, TwinClock, marked},
};

/// A platform, by its kubeconfig.
pub(crate) struct Platform {
    /// The kubeconfig.
    kubeconfig: PathBuf,
    /// What is used in its place, with our own program where it calls one of AWS's.
    copy: Option<TempPath>,
    context: Option<String>,
    helm: Option<PathBuf>,
    twin: Option<(Mark, InFlight)>,
    /// Domain time.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Platform {
    /// Reads the kubeconfig; nothing is sent to the cluster yet.
    pub(crate) fn open(args: &PlatformArgs, environment: &Environment) -> Result<Self, Error> {
        let kubeconfig = args.kubeconfig.clone().or_else(|| environment.kubeconfig.clone());
        Self::of(kubeconfig.ok_or(Error::NoKubeconfig)?, args)
    }

    /// The same where there may be none: a named kubeconfig has to be there, the user's own need not.
    pub(crate) fn find(args: &PlatformArgs, environment: &Environment) -> Result<Option<Self>, Error> {
        let own = environment.kubeconfig.clone().filter(|path| path.is_file());
        args.kubeconfig.clone().or(own).map(|path| Self::of(path, args)).transpose()
    }

    fn of(kubeconfig: PathBuf, args: &PlatformArgs) -> Result<Self, Error> {
        let twin = marked(&kubeconfig, args.context.as_deref()).map_err(Error::Kubeconfig)?;
        let twin = twin.map(|mark| (mark, InFlight::default()));
        let clock: Arc<dyn Clock> = match &twin {
            Some((mark, calls)) => {
                Arc::new(TwinClock::new(Control::new(&mark.endpoint)?, calls.clone(), mark.follows)?)
            }
            None => Arc::new(SystemClock),
        };
        let helm = args.helm.clone().or_else(|| twin.as_ref().map(|(mark, _)| mark.helm.clone()));
        let copy = eks::copy(&kubeconfig, &documents::text(&kubeconfig).map_err(Error::Kubeconfig)?)?;
        Ok(Self { kubeconfig, copy, context: args.context.clone(), helm, twin, clock })
    }

    /// The kubeconfig that is used.
    fn used(&self) -> &Path {
        self.copy.as_deref().unwrap_or(&self.kubeconfig)
    }

    /// AWS: a twin's own, else with the credentials that AWS's tools would find.
    pub(crate) async fn aws(&self) -> Aws {
        let twin = self.twin.as_ref().map(|(mark, _)| mark.endpoint.clone());
        // A twin takes every key.
        let credentials = twin.as_ref().map(|_| StaticCredentials {
            access_key: "TWIN".to_owned(),
            secret_key: "twin".to_owned(),
            session_token: None,
        });
        Aws::open(AwsSettings { endpoint: twin, credentials, ..AwsSettings::default() }).await
    }

    /// A client.
    pub(crate) async fn client(&self) -> Result<kube::Client, Error> {
        Ok(switchback_kube::client(self.used(), self.context.as_deref()).await?)
    }

    /// Whose credentials these are, as the API server says.
    pub(crate) async fn caller(&self) -> Result<Identified, Error> {
        let said = switchback_kube::caller(self.client().await?).await;
        let what = "the API server does not say whose credentials these are";
        said.map(Identified::Kubernetes).map_err(Error::platform(what))
    }

    /// The helm that is called, and the cluster that it is told.
    pub(crate) fn helm(&self) -> HelmTarget {
        HelmTarget {
            program: self.helm.as_ref().map(|path| path.to_string_lossy().into_owned()),
            kubeconfig: Some(self.used().to_owned()),
            context: self.context.clone(),
        }
    }

    /// Charts on disk, pulled into the user's cache.
    pub(crate) fn charts(&self, programs: Arc<dyn Programs>, cache: &Path) -> VerifiedCharts {
        VerifiedCharts::new(programs, self.helm(), cache.to_owned())
    }

    /// The drivers of a plan. `programs` is a directory of their own for the programs that they call.
    pub(crate) async fn drivers(
        &self,
        plan: &Plan,
        programs: PathBuf,
        environment: &Environment,
    ) -> Result<Drivers, Error> {
        let client = self.client().await?;
        let kube: Arc<dyn Kube> = Arc::new(KubeDriver::over(client.clone()));
        let programs = os_programs(programs, environment);
        let charts: Arc<dyn Charts> = Arc::new(self.charts(Arc::clone(&programs), &chart_cache(environment)));
        let helm = HelmDriver::new(Arc::clone(&programs), charts, Arc::clone(&kube), self.helm());
        let outside: Arc<dyn Web> = Arc::new(HyperWeb::new()?);
        let web = Arc::new(ClusterWeb::new(Arc::clone(&outside), client));
        let lookup: switchback_programs::Lookup = Arc::new(environment::text);
        let targets = plan.platform.targets.iter();
        let targets: BTreeMap<_, _> =
            targets.filter_map(|(name, target)| Some((name.clone(), target.aws()?.clone()))).collect();
        let cloud: Option<Arc<dyn Cloud>> = match targets.is_empty() {
            true => None,
            false => Some(Arc::new(AwsDriver::new(self.aws().await, targets, Arc::clone(&self.clock)))),
        };
        Ok(Drivers {
            kube: Some(kube),
            helm: Some(Arc::new(helm)),
            cloud,
            commands: Some(Arc::new(CommandDriver::new(programs, Arc::clone(&lookup)))),
            channels: Some(Arc::new(NotifyDriver::new(outside, Arc::clone(&lookup)))),
            probes: Some(Arc::new(ProbeDriver::new(web, lookup))),
            // Calls to a twin are counted, because its clock stands still while there are any.
            around: self.twin.as_ref().map(|(_, calls)| -> Arc<dyn Around> { Arc::new(calls.clone()) }),
        })
    }

    /// Where the platform keeps the claim on it.
    pub(crate) async fn claims(&self, host: &Host, opened: &Opened) -> Result<PlatformClaims, Error> {
        let port = Arc::new(LeaseClaim::over(self.client().await?));
        let machine = host.environment.host.as_deref().unwrap_or("localhost");
        Ok(PlatformClaims::new(port, format!("{machine}:{}", opened.dir.display())))
    }
}

/// The time by which dates are judged: a twin's, or here.
pub(crate) fn now(args: &TimeArgs, environment: &Environment) -> Result<Timestamp, Error> {
    if args.kubeconfig.is_none() {
        return Ok(SystemClock.now());
    }
    let platform = PlatformArgs { kubeconfig: args.kubeconfig.clone(), ..PlatformArgs::default() };
    Ok(Platform::open(&platform, environment)?.clock.now())
}

/// Programs of the operating system, with what they may know of the environment.
pub(crate) fn os_programs(dir: PathBuf, environment: &Environment) -> Arc<dyn Programs> {
    Arc::new(OsPrograms::new(dir, environment.for_programs.clone()))
}

/// Where charts that were pulled are kept.
pub(crate) fn chart_cache(environment: &Environment) -> PathBuf {
    let cache = environment.cache.clone().unwrap_or_else(std::env::temp_dir);
    cache.join("switchback").join("charts")
}
