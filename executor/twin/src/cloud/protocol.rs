//! What a call to AWS looks like: which service and operation it asks for, and how that service writes its answers.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::call::{Call, Raw};

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Paths and JSON.
    RestJson,
    /// A form and XML.
    Query,
    /// A form and the XML of EC2.
    Ec2,
    /// A target header and JSON.
    Json11,
}

/// A call to AWS.
#[derive(Debug, Clone)]
pub(crate) struct Request<'a> {
    /// As it came in.
    pub call: &'a Call,
    /// Such as `eks`.
    pub service: String,
    /// The region of its credential scope.
    pub region: String,
    /// The access key.
    pub key: String,
    /// The security token.
    pub token: String,
    /// Such as `UpdateClusterVersion`; empty where the twin does not know the operation.
    pub operation: String,
    /// Parts of the path that the operation is about (rest-json).
    pub names: Vec<String>,
    /// Fields of the form (query).
    pub form: Vec<(String, String)>,
}

impl Request<'_> {
    /// How it wants its answer.
    pub(crate) fn protocol(&self) -> Protocol {
        match self.service.as_str() {
            "eks" => Protocol::RestJson,
            "ec2" => Protocol::Ec2,
            "secretsmanager" => Protocol::Json11,
            _ => Protocol::Query,
        }
    }

    /// `SERVICE:Operation`, or what there is of it.
    pub(crate) fn what(&self) -> String {
        let operation = if self.operation.is_empty() {
            format!("{} {}", self.call.method, shape(&self.call.path))
        } else {
            self.operation.clone()
        };
        format!("{}:{operation}", self.service)
    }

    /// A part of the path.
    pub(crate) fn name(&self, at: usize) -> &str {
        self.names.get(at).map(String::as_str).unwrap_or_default()
    }

    /// A field of the form.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// A list of the form: `NAME.1`, `NAME.member.1`, `NAME.ITEM.1`, ….
    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        let mut found: Vec<(u32, &str)> = self
            .form
            .iter()
            .filter_map(|(n, v)| {
                let rest = n.strip_prefix(name)?.strip_prefix('.')?;
                let last = rest.rsplit('.').next()?;
                Some((last.parse().ok()?, v.as_str()))
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, v)| v).collect()
    }

    /// A field that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, AwsError> {
        self.field(name).ok_or_else(|| {
            let code = if self.service == "ec2" { "MissingParameter" } else { "ValidationError" };
            AwsError::new(400, code, format!("The request must contain the parameter {name}."))
        })
    }

    /// A yes or no of the form.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.field(name).map(|v| v.eq_ignore_ascii_case("true"))
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value, AwsError> {
        if self.call.body.is_empty() {
            return Ok(json!({}));
        }
        serde_json::from_slice(&self.call.body)
            .map_err(|e| AwsError::new(400, "SerializationException", e.to_string()))
    }

    /// What was sent with it, for the log of effects.
    pub(crate) fn sent(&self) -> Option<Value> {
        if self.form.is_empty() {
            return serde_json::from_slice(&self.call.body).ok();
        }
        Some(self.form.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect())
    }
}

/// A path without what stands at the place of names.
fn shape(path: &str) -> String {
    path.split('/').enumerate().fold(String::new(), |mut out, (n, part)| {
        if n > 0 {
            out.push('/');
        }
        out.push_str(if n > 0 && n.is_multiple_of(2) { "{}" } else { part });
        out
    })
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct AwsError {
    /// HTTP status.
    pub status: u16,
    /// Error type, such as `ResourceInUseException`.
    pub code: String,
    /// The text for people.
    pub message: String,
    /// Other fields of it (JSON protocols).
    pub fields: Map<String, Value>,
    /// Seconds for `Retry-After`.
    pub retry_after: Option<u32>,
}

impl AwsError {
    /// A refusal.
    pub(crate) fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), fields: Map::new(), retry_after: None }
    }

    /// With another field.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// What the twin does not play.
    pub(crate) fn not_simulated(what: &str) -> Self {
        Self::new(
            501,
            "NotImplemented",
            format!(
                "not simulated: {what}; the twin's cloud plays the operations that executor/twin/README.md lists"
            ),
        )
    }

    /// What a status that somebody injected is called by a service.
    pub(crate) fn injected(service: &str, status: u16) -> Self {
        let rest = service == "eks" || service == "secretsmanager";
        let (status, code) = match (status, service) {
            (429, _) if rest => (429, "ThrottlingException"),
            (429, "ec2") => (503, "RequestLimitExceeded"),
            (429, _) => (400, "Throttling"),
            (503, "eks") => (503, "ServiceUnavailableException"),
            (503, "ec2") => (503, "Unavailable"),
            (503, _) => (503, "ServiceUnavailable"),
            (401 | 403, _) if rest => (403, "AccessDeniedException"),
            (401 | 403, "ec2") => (403, "UnauthorizedOperation"),
            (401 | 403, _) => (403, "AccessDenied"),
            (s @ 500.., "eks") => (s, "ServerException"),
            (s @ 500.., _) => (s, "InternalFailure"),
            (s, _) if rest => (s, "ClientException"),
            (s, _) => (s, "ValidationError"),
        };
        let message = if code.contains("hrottling") || code == "RequestLimitExceeded" {
            "Rate exceeded".to_owned()
        } else {
            format!("injected fault: {status}")
        };
        Self::new(status, code, message)
    }
}

/// What an operation answers.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    /// JSON, or the XML inside of the result.
    pub body: Body,
    /// What it did, for the log of effects: the name of the resource. Nothing for reads and repeated calls.
    pub effect: Option<String>,
}

/// An answer's content.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// JSON.
    Json(Value),
    /// XML inside of the result.
    Xml(String),
}

impl Done {
    /// An answer without an effect.
    pub(crate) fn json(body: Value) -> Self {
        Self { body: Body::Json(body), effect: None }
    }

    /// XML without an effect.
    pub(crate) fn xml(body: String) -> Self {
        Self { body: Body::Xml(body), effect: None }
    }

    /// With an effect on something.
    #[must_use]
    pub(crate) fn on(mut self, what: impl Into<String>) -> Self {
        self.effect = Some(what.into());
        self
    }
}

/// What an operation comes back with.
pub(crate) type Answered = Result<Done, AwsError>;

/// Writes an answer as the service would.
pub(crate) fn render(request: &Request<'_>, answered: &Answered, id: &str) -> Raw {
    let mut headers = vec![("x-amzn-requestid", id.to_owned())];
    let protocol = request.protocol();
    let (code, body) = match answered {
        Ok(done) => (200, content(request, &done.body, id)),
        Err(error) => {
            if let Some(seconds) = error.retry_after {
                headers.push(("retry-after", seconds.to_string()));
            }
            if matches!(protocol, Protocol::RestJson | Protocol::Json11) {
                headers.push(("x-amzn-errortype", error.code.clone()));
            }
            (error.status, refusal(protocol, error, id))
        }
    };
    let content_type = match protocol {
        Protocol::RestJson => "application/json",
        Protocol::Json11 => "application/x-amz-json-1.1",
        Protocol::Query | Protocol::Ec2 => "text/xml",
    };
    Raw { code, content_type, headers, body }
}

fn namespace(service: &str) -> &'static str {
    match service {
        "rds" => "http://rds.amazonaws.com/doc/2014-10-31/",
        "autoscaling" => "http://autoscaling.amazonaws.com/doc/2011-01-01/",
        "ec2" => "http://ec2.amazonaws.com/doc/2016-11-15/",
        _ => "https://sts.amazonaws.com/doc/2011-06-15/",
    }
}

fn content(request: &Request<'_>, body: &Body, id: &str) -> String {
    let (operation, space) = (&request.operation, namespace(&request.service));
    match (body, request.protocol()) {
        (Body::Json(value), _) => value.to_string(),
        (Body::Xml(inner), Protocol::Ec2) => format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{operation}Response xmlns=\"{space}\"><requestId>{id}</requestId>{inner}</{operation}Response>"
        ),
        (Body::Xml(inner), _) => format!(
            "<{operation}Response xmlns=\"{space}\"><{operation}Result>{inner}</{operation}Result><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>"
        ),
    }
}

fn refusal(protocol: Protocol, error: &AwsError, id: &str) -> String {
    let (code, message) = (escape(&error.code), escape(&error.message));
    match protocol {
        Protocol::RestJson => {
            let mut body = error.fields.clone();
            body.insert("message".into(), error.message.clone().into());
            Value::Object(body).to_string()
        }
        Protocol::Json11 => json!({"__type": error.code, "Message": error.message}).to_string(),
        Protocol::Query => {
            let kind = if error.status < 500 { "Sender" } else { "Receiver" };
            format!(
                "<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
            )
        }
        Protocol::Ec2 => format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>{id}</RequestID></Response>"
        ),
    }
}

/// Text as XML holds it.
pub(crate) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
        out
    })
}

/// XML that is being written.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// An element with text.
    #[must_use]
    pub(crate) fn text(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        let _ = write!(self.0, "<{name}>{}</{name}>", escape(&value.to_string()));
        self
    }

    /// An element with text, where there is any.
    #[must_use]
    pub(crate) fn some(self, name: &str, value: &str) -> Self {
        if value.is_empty() { self } else { self.text(name, value) }
    }

    /// An element with others inside.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "what is inside was written for it")]
    pub(crate) fn inside(mut self, name: &str, inner: Self) -> Self {
        let _ = write!(self.0, "<{name}>{}</{name}>", inner.0);
        self
    }

    /// A list of elements.
    #[must_use]
    pub(crate) fn each<T>(
        self,
        name: &str,
        item: &str,
        all: impl IntoIterator<Item = T>,
        write: impl Fn(T) -> Self,
    ) -> Self {
        let inner = all.into_iter().fold(Self::default(), |out, one| out.inside(item, write(one)));
        self.inside(name, inner)
    }

    /// A list of texts.
    #[must_use]
    pub(crate) fn texts<'a>(self, name: &str, item: &str, all: impl IntoIterator<Item = &'a str>) -> Self {
        let inner = all.into_iter().fold(Self::default(), |out, one| out.text(item, one));
        self.inside(name, inner)
    }

    /// What was written.
    pub(crate) fn done(self) -> String {
        self.0
    }
}
