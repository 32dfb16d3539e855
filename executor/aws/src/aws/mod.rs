//! How AWS is spoken to: credentials, roles, sessions by region and role, deadlines, and the signed client for what has no SDK
//! here.

mod credentials;
mod query;
mod session;
mod transport;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use switchback_schemas::plan::{Arn, AwsResource};
use tokio::sync::Mutex;

pub(crate) use credentials::Kept;
pub(crate) use query::Service;
pub(crate) use session::{Session, SharedSession};
use transport::Transport;

/// How long one request may take.
pub(crate) const IO_DEADLINE: Duration = Duration::from_secs(30);

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// Requests that an observer sends for one answer, at most.
const PATIENT_ATTEMPTS: u32 = 6;

/// Access keys that are given rather than found: for a twin, or a test.
#[derive(Clone)]
pub struct StaticCredentials {
    /// The access key.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
    /// The session token, if there is one.
    pub session_token: Option<String>,
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticCredentials").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// What is known before AWS is spoken to.
#[derive(Clone, Debug)]
pub struct AwsSettings {
    /// Where all services answer; else `AWS_ENDPOINT_URL` or the profile say it, or each has its own address.
    pub endpoint: Option<String>,
    /// Credentials; else they are found as the AWS tools find them: environment, profile, web identity, process, container,
    /// instance.
    pub credentials: Option<StaticCredentials>,
    /// The profile; else `AWS_PROFILE` or `default`.
    pub profile: Option<String>,
    /// The name under which roles are taken on, which `CloudTrail` shows. 2 to 64 letters, digits and `=,.@-_`.
    pub session: String,
    /// How long an observer waits at first when it is throttled; twice as long each time after.
    pub backoff: Duration,
    /// How long one request may take, in real time.
    pub deadline: Duration,
}

impl Default for AwsSettings {
    fn default() -> Self {
        Self {
            endpoint: None,
            credentials: None,
            profile: None,
            session: "switchback".to_owned(),
            backoff: Duration::from_secs(1),
            deadline: IO_DEADLINE,
        }
    }
}

/// What a call is for, which decides the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// To look, and try again when that is refused for the moment.
    Observe,
    /// To look once: whoever asks decides when to ask again.
    Check,
    /// To go forward.
    Apply,
    /// To roll back.
    Rollback,
}

impl Purpose {
    /// The role for it; `None` for the credentials at hand.
    pub(crate) fn role(self, of: &AwsResource) -> Option<&Arn> {
        let roles = &of.roles;
        match self {
            Self::Observe | Self::Check => roles.observe.as_ref(),
            Self::Apply => roles.apply.as_ref(),
            Self::Rollback => roles.rollback.as_ref().or(roles.apply.as_ref()),
        }
    }
}

/// AWS as these credentials see it: all accounts and regions to which targets and roles lead.
#[derive(Clone, Debug)]
pub struct Aws(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: SdkConfig,
    base: Kept,
    transport: Transport,
    settings: AwsSettings,
    sessions: Mutex<BTreeMap<Key, Arc<Session>>>,
}

/// What sessions differ by: region, role, and whether they are patient.
type Key = (String, Option<String>, bool);

impl Aws {
    /// Reads the configuration. Nothing is sent; whether there are credentials shows with the first call.
    pub async fn open(settings: AwsSettings) -> Self {
        let transport = Transport::new();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(settings.deadline)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            // Every session has its target's region. One is named here so that nobody is asked for it.
            .region(Region::from_static("us-east-1"))
            .http_client(transport.client())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::disabled());
        if let Some(endpoint) = &settings.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(StaticCredentials { access_key, secret_key, session_token }) = &settings.credentials {
            let given = Credentials::new(access_key, secret_key, session_token.clone(), None, "given");
            loader = loader.credentials_provider(SharedCredentialsProvider::new(given));
        }
        let config = loader.load().await;
        let base = Kept::over(config.credentials_provider());
        Self(Arc::new(Inner { config, base, transport, settings, sessions: Mutex::default() }))
    }

    /// How many requests were sent so far, those for credentials included.
    pub fn requests(&self) -> u64 {
        self.0.transport.sent()
    }

    /// Clients for a resource's account and region, with the role for a purpose.
    pub(crate) async fn session(&self, of: &AwsResource, purpose: Purpose) -> Arc<Session> {
        self.session_in(of.arn.region(), purpose.role(of), purpose == Purpose::Observe).await
    }

    /// Clients for a region, with a role.
    pub(crate) async fn session_in(&self, region: &str, role: Option<&Arn>, patient: bool) -> Arc<Session> {
        let key = (region.to_owned(), role.map(ToString::to_string), patient);
        let mut sessions = self.0.sessions.lock().await;
        if let Some(session) = sessions.get(&key) {
            return Arc::clone(session);
        }
        let session = Arc::new(Session::open(&self.0, region, role, patient).await);
        sessions.insert(key, Arc::clone(&session));
        session
    }
}
