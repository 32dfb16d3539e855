//! A small signed client for query APIs: form in, XML out (`SigV4` by `aws-sigv4`).

use std::{fmt::Write as _, time::Duration};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::body::SdkBody;
use http_body_util::{BodyExt as _, Limited};
use switchback_executor::untrusted::text::{self, url_part};

use crate::{classify::CallError, time, xml::Element};

/// Bytes of an answer that are read at most.
const LARGEST: usize = 8 << 20;

/// How long a presigned URL can be used, as the AWS tools sign them for EKS.
const PRESIGNED: Duration = Duration::from_mins(1);

/// The service whose presigned URL is a token of EKS.
const STS: &str = "sts";

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// A service with a query API that is spoken to without an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// As it stands in a signature and in its address.
    pub(crate) name: &'static str,
    /// The API's version.
    pub(crate) version: &'static str,
}

impl Service {
    /// EC2.
    pub(crate) const EC2: Self = Self { name: "ec2", version: "2016-11-15" };
    /// EC2 Auto Scaling.
    pub(crate) const AUTOSCALING: Self = Self { name: "autoscaling", version: "2011-01-01" };
}

#[derive(Debug)]
pub(super) struct Query {
    pub(super) connector: SharedHttpConnector,
    pub(super) endpoint: Option<String>,
    pub(super) region: String,
    pub(super) deadline: Duration,
    pub(super) attempts: u32,
    pub(super) backoff: Duration,
}

impl Query {
    /// Sends a call, again while that may help and the client is a patient one.
    pub(super) async fn ask(
        &self,
        credentials: &Credentials,
        service: Service,
        action: &str,
        parameters: &[(String, String)],
    ) -> Result<Element, CallError> {
        let mut form = format!("Action={}&Version={}", url_part(action), url_part(service.version));
        for (name, value) in parameters {
            let _ = write!(form, "&{}={}", url_part(name), url_part(value));
        }
        let mut wait = self.backoff;
        for _ in 1..self.attempts {
            match self.once(credentials, service, &form).await {
                Err(error) if error.may_pass() => tokio::time::sleep(wait).await,
                ended => return ended,
            }
            wait = wait.saturating_mul(2);
        }
        self.once(credentials, service, &form).await
    }

    async fn once(
        &self,
        credentials: &Credentials,
        service: Service,
        form: &str,
    ) -> Result<Element, CallError> {
        let request = self.signed(credentials, service, form)?;
        let sent = async {
            let response = self.connector.call(request).await;
            let response = response.map_err(|error| CallError::from_connector(&error, error.is_timeout()))?;
            read(response).await
        };
        let ended = tokio::time::timeout(self.deadline, sent).await;
        ended.unwrap_or_else(|_| {
            Err(CallError::Deadline { what: format!("no answer within {} s", self.deadline.as_secs()) })
        })
    }

    fn signed(
        &self,
        credentials: &Credentials,
        service: Service,
        form: &str,
    ) -> Result<HttpRequest, CallError> {
        let url = self.url(service.name);
        let mut request = http::Request::builder()
            .method("POST")
            .uri(&url)
            .header("content-type", FORM)
            .body(SdkBody::from(form))
            .map_err(|error| unsigned(&error))?;
        let identity = credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(service.name)
            .time(time::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsigned(&error))?
            .into();
        let headers = std::iter::once(("content-type", FORM));
        let signable = SignableRequest::new("POST", &url, headers, SignableBody::Bytes(form.as_bytes()))
            .map_err(|error| unsigned(&error))?;
        let (instructions, _) = sign(signable, &parameters).map_err(|error| unsigned(&error))?.into_parts();
        for (name, value) in instructions.headers() {
            let name: http::HeaderName = name.parse().map_err(|error| unsigned(&error))?;
            let value = value.parse::<http::HeaderValue>().map_err(|error| unsigned(&error))?;
            request.headers_mut().insert(name, value);
        }
        HttpRequest::try_from(request).map_err(|error| unsigned(&error))
    }

    /// The URL by which EKS learns who calls: `GetCallerIdentity` with the cluster's name in a signed header (facts: README).
    pub(super) fn presign_caller(
        &self,
        credentials: &Credentials,
        cluster: &str,
    ) -> Result<String, CallError> {
        let url = format!("{}?Action=GetCallerIdentity&Version=2011-06-15", self.url(STS));
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(PRESIGNED);
        let identity = credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(STS)
            .time(time::now())
            .settings(settings)
            .build()
            .map_err(|error| unsigned(&error))?
            .into();
        let headers = std::iter::once(("x-k8s-aws-id", cluster));
        let signable = SignableRequest::new("GET", &url, headers, SignableBody::Bytes(b""))
            .map_err(|error| unsigned(&error))?;
        let (instructions, _) = sign(signable, &parameters).map_err(|error| unsigned(&error))?.into_parts();
        let mut signed = url;
        for (name, value) in instructions.params() {
            let _ = write!(signed, "&{}={}", url_part(name), url_part(value));
        }
        Ok(signed)
    }

    fn url(&self, service: &str) -> String {
        if let Some(endpoint) = &self.endpoint {
            return format!("{}/", endpoint.trim_end_matches('/'));
        }
        let suffix = if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{}.{}.{suffix}/", service, self.region)
    }
}

fn unsigned(error: &(dyn std::error::Error + 'static)) -> CallError {
    CallError::malformed(format!("a request that cannot be signed: {}", text::chain(error)))
}

async fn read(response: HttpResponse) -> Result<Element, CallError> {
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    let body = body.map_err(|error| CallError::Lost { what: error.to_string() })?.to_bytes();
    let answer = Element::read(&body);
    if (200..300).contains(&status) {
        return answer.map_err(|what| CallError::Garbled { what });
    }
    let error = answer.ok().and_then(|answer| answer.find("Error").cloned()).unwrap_or_default();
    match error.text_at(&["Code"]) {
        "" => Err(CallError::refused(status, "", "it holds no error in XML")),
        code => Err(CallError::refused(status, code, error.text_at(&["Message"]))),
    }
}
