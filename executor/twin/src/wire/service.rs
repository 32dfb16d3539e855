//! The in-process service: what `kube::Client::new` takes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response, header};
use http_body_util::BodyExt as _;
use hyper::body::Body;

use super::body::TwinBody;
use crate::call::{self, Call};
use crate::error::TwinError;
use crate::kube::api::Answer;
use crate::kube::error::ApiError;
use crate::twin::Twin;

/// The Kubernetes face as a service.
#[derive(Debug, Clone)]
pub struct KubeService(pub(crate) Twin);

impl Twin {
    /// The Kubernetes face as a service, for `kube::Client::new`.
    pub fn kube(&self) -> KubeService {
        KubeService(self.clone())
    }
}

impl<B> tower::Service<Request<B>> for KubeService
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: std::fmt::Display,
{
    type Response = Response<TwinBody>;
    type Error = TwinError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let twin = self.0.clone();
        Box::pin(async move {
            let call = read(request).await?;
            respond(&twin, &call).await
        })
    }
}

/// Reads a request to its end.
pub(crate) async fn read<B>(request: Request<B>) -> Result<Call, TwinError>
where
    B: Body,
    B::Error: std::fmt::Display,
{
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|e| TwinError::Body(e.to_string()))?.to_bytes().to_vec();
    let text = |name: header::HeaderName| {
        parts.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
    };
    let content_type = text(header::CONTENT_TYPE);
    let authorization = text(header::AUTHORIZATION);
    Ok(Call {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        raw_path: parts.uri.path().to_owned(),
        headers: headers(&parts.headers),
        query: call::query(parts.uri.query().unwrap_or_default()),
        content_type: content_type.split(';').next().unwrap_or_default().trim().to_owned(),
        token: authorization.strip_prefix("Bearer ").map(str::to_owned),
        agent: text(header::USER_AGENT).split('/').next().unwrap_or_default().to_owned(),
        body,
    })
}

/// Headers whose values are text; several of one name as one.
fn headers(all: &http::HeaderMap) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for (name, value) in all {
        let Ok(value) = value.to_str() else { continue };
        match out.iter_mut().find(|(n, _)| n == name.as_str()) {
            Some((_, text)) => {
                text.push(',');
                text.push_str(value);
            }
            None => out.push((name.as_str().to_owned(), value.to_owned())),
        }
    }
    out
}

/// Answers a call.
pub(crate) async fn respond(twin: &Twin, call: &Call) -> Result<Response<TwinBody>, TwinError> {
    let outcome = twin.call(call);
    if let Some(at) = outcome.not_before {
        let mut moved = twin.movements();
        while twin.now() < at {
            if moved.changed().await.is_err() {
                break;
            }
        }
    }
    Ok(match outcome.result? {
        Ok(Answer::Json { code, body, warnings }) => {
            let mut response = json(code, body.to_string());
            for warning in warnings {
                let text = format!("299 - \"{}\"", warning.replace('"', "\\\""));
                if let Ok(value) = HeaderValue::from_str(&text) {
                    response.headers_mut().append(header::WARNING, value);
                }
            }
            response
        }
        Ok(Answer::Watch(spec)) => {
            let mut response = Response::new(TwinBody::watch(twin.clone(), spec));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Ok(Answer::Raw(raw)) => {
            let mut response = json(raw.code, raw.body);
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(raw.content_type));
            for (name, value) in raw.headers {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    headers.insert(name, value);
                }
            }
            response
        }
        Err(error) => refusal(&error),
    })
}

/// A JSON answer.
pub(crate) fn json(code: u16, body: String) -> Response<TwinBody> {
    let mut response = Response::new(TwinBody::whole(body));
    *response.status_mut() =
        http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn refusal(error: &ApiError) -> Response<TwinBody> {
    let mut response = if error.plain {
        let mut plain = json(error.code, format!("{}\n", error.message));
        plain
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        plain
    } else {
        json(error.code, error.to_status().to_string())
    };
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
