//! Clients for one region with one role.

use std::{pin::Pin, sync::Arc, time::Duration};

use aws_config::{Region, retry::RetryConfig, sts::AssumeRoleProvider};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_eks::config::IdentityCache;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use switchback_executor::untrusted::text;
use switchback_schemas::plan::Arn;

use super::{
    Inner, Kept, PATIENT_ATTEMPTS,
    query::{Query, Service},
};
use crate::{classify::CallError, xml::Element};

/// Clients for one region with one role.
#[derive(Debug)]
pub(crate) struct Session {
    /// EKS.
    pub(crate) eks: aws_sdk_eks::Client,
    /// RDS.
    pub(crate) rds: aws_sdk_rds::Client,
    sts: aws_sdk_sts::Client,
    query: Query,
    kept: Kept,
    base: Kept,
    role: Option<Arn>,
    deadline: Duration,
}

/// A call under way.
type Heard<'a, T> = Pin<Box<dyn Future<Output = Result<T, CallError>> + Send + 'a>>;

/// Whose credentials these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The account.
    pub(crate) account: String,
    /// The user or the role's session.
    pub(crate) arn: String,
}

impl Session {
    pub(super) async fn open(aws: &Inner, region: &str, role: Option<&Arn>, patient: bool) -> Self {
        let named = Region::new(region.to_owned());
        let retry = match patient {
            true => RetryConfig::standard()
                .with_max_attempts(PATIENT_ATTEMPTS)
                .with_initial_backoff(aws.settings.backoff),
            false => RetryConfig::disabled(),
        };
        let kept = match role {
            None => aws.base.clone(),
            Some(role) => {
                let config = aws.config.to_builder().region(named.clone()).build();
                let taken = AssumeRoleProvider::builder(role.as_str())
                    .session_name(&aws.settings.session)
                    .configure(&config)
                    .region(named.clone())
                    .build_from_provider(aws.base.clone())
                    .await;
                Kept::over(Some(SharedCredentialsProvider::new(taken)))
            }
        };
        let config = aws
            .config
            .to_builder()
            .region(named)
            .credentials_provider(SharedCredentialsProvider::new(kept.clone()))
            .identity_cache(IdentityCache::no_cache())
            .retry_config(retry)
            .build();
        let query = Query {
            connector: aws.transport.connector(),
            endpoint: aws.config.endpoint_url().map(str::to_owned),
            region: region.to_owned(),
            deadline: aws.settings.deadline,
            attempts: if patient { PATIENT_ATTEMPTS } else { 1 },
            backoff: aws.settings.backoff,
        };
        Self {
            eks: aws_sdk_eks::Client::new(&config),
            rds: aws_sdk_rds::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            query,
            kept,
            base: aws.base.clone(),
            role: role.cloned(),
            deadline: aws.settings.deadline,
        }
    }

    /// Makes sure of the credentials first, so that a call whose credentials are missing is known not to have been sent.
    async fn credentials(&self) -> Result<aws_credential_types::Credentials, CallError> {
        let asked = tokio::time::timeout(self.deadline, self.kept.get()).await;
        let Ok(asked) = asked else {
            return Err(CallError::NoCredentials { what: "they did not come in time".to_owned() });
        };
        match asked {
            Ok(credentials) => Ok(credentials),
            Err(error) => {
                // A role that is not given to us any more may be given to other credentials.
                self.forget().await;
                let why = text::chain(&error);
                let what = match &self.role {
                    Some(role) => format!("the role {role} cannot be taken on: {why}"),
                    None => why,
                };
                Err(CallError::NoCredentials { what })
            }
        }
    }

    async fn forget(&self) {
        self.kept.forget().await;
        self.base.forget().await;
    }

    /// Sends a call of the SDK. Its future is large, so it lives on the heap.
    pub(crate) fn call<'a, T, E, F>(&'a self, sent: F) -> Heard<'a, T>
    where
        T: Send + 'a,
        E: ProvideErrorMetadata + std::error::Error + Send + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    {
        Box::pin(async move {
            self.credentials().await?;
            let ended = sent.await.map_err(|error| CallError::from_sdk(&error));
            self.heard(ended).await
        })
    }

    /// Sends a signed call of a query API.
    pub(crate) async fn query(
        &self,
        service: Service,
        action: &str,
        parameters: &[(String, String)],
    ) -> Result<Element, CallError> {
        let credentials = self.credentials().await?;
        let ended = self.query.ask(&credentials, service, action, parameters).await;
        self.heard(ended).await
    }

    async fn heard<T>(&self, ended: Result<T, CallError>) -> Result<T, CallError> {
        if ended.as_ref().is_err_and(CallError::is_expired) {
            self.forget().await;
        }
        ended
    }

    /// Whose credentials these are. Everybody may ask (`sts:GetCallerIdentity` cannot be denied).
    pub(crate) async fn caller(&self) -> Result<Caller, CallError> {
        let answer = self.call(self.sts.get_caller_identity().send()).await?;
        match answer.account {
            Some(account) => Ok(Caller { account, arn: answer.arn.unwrap_or_default() }),
            None => Err(CallError::Garbled { what: "GetCallerIdentity names no account".to_owned() }),
        }
    }

    /// A presigned URL of `GetCallerIdentity`, by which EKS knows a caller.
    pub(crate) async fn presigned_caller(&self, cluster: &str) -> Result<String, CallError> {
        let credentials = self.credentials().await?;
        self.query.presign_caller(&credentials, cluster)
    }
}

/// A session, shared by all calls that need the same.
pub(crate) type SharedSession = Arc<Session>;
