//! Who calls: access keys, temporary credentials of roles, and what roles allow.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Cloud;
use super::protocol::{AwsError, Request};
use crate::fault;
use crate::world::World;

mod signature;
pub(super) mod token;

/// Somebody's access key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct AccessKey {
    /// Who it is: the ARN of a user or of an assumed role. Its account is theirs.
    pub arn: String,
    /// Its secret; requests of it are then refused unless their signature is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The token that must come with it, of temporary credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_token: Option<String>,
    /// When it stops working.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Of a running world: the role that it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Role {
    /// Operations that it allows, such as `eks:*`.
    pub allow: Vec<String>,
    /// Operations that it denies although they are allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// Accounts that may assume it; every one where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusts: Vec<String>,
}

impl Default for Role {
    fn default() -> Self {
        Self { allow: vec!["*".into()], deny: Vec::new(), trusts: Vec::new() }
    }
}

/// Somebody who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Account.
    pub account: String,
    /// ARN of the user, or of the assumed role.
    pub arn: String,
    /// The unique id that STS tells.
    pub id: String,
    /// ARN of the role that was assumed.
    pub role: Option<String>,
}

impl Caller {
    /// The ARN under which an access entry of a cluster knows the caller: the role, not its session.
    pub(crate) fn principal(&self) -> &str {
        self.role.as_deref().unwrap_or(&self.arn)
    }
}

/// A part of an ARN, counted from 0.
fn part(arn: &str, at: usize) -> &str {
    arn.splitn(6, ':').nth(at).unwrap_or_default()
}

/// Whose an access key is.
pub(crate) fn of_key(cloud: &Cloud, key: &str, now: Timestamp) -> Result<Caller, Bad> {
    let Some(found) = cloud.access_keys.get(key) else {
        // Keys of temporary credentials are only those that STS handed out.
        if key.starts_with("ASIA") || key.is_empty() {
            return Err(Bad::Unknown);
        }
        let arn = format!("arn:aws:iam::{}:user/twin", cloud.account);
        return Ok(Caller { account: cloud.account.clone(), arn, id: "AIDATWIN".into(), role: None });
    };
    if found.expires.is_some_and(|at| at <= now) {
        return Err(Bad::Expired);
    }
    let session = found.arn.rsplit('/').next().unwrap_or_default();
    let id = if found.role.is_some() { format!("AROATWIN:{session}") } else { format!("AIDA{key}") };
    Ok(Caller {
        account: part(&found.arn, 4).to_owned(),
        arn: found.arn.clone(),
        id,
        role: found.role.clone(),
    })
}

/// What is wrong with credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    /// Nobody knows the key.
    Unknown,
    /// It no longer works.
    Expired,
    /// The signature is not that of its secret.
    Signature,
}

impl Bad {
    /// As a service says it.
    pub(crate) fn error(self, service: &str) -> AwsError {
        let rest = service == "eks" || service == "secretsmanager";
        let (status, code, message) = match (self, service) {
            (Self::Expired, _) if rest => {
                (403, "ExpiredTokenException", "The security token included in the request is expired")
            }
            (Self::Expired, "ec2") => (400, "RequestExpired", "Request has expired."),
            (Self::Expired, _) => {
                (403, "ExpiredToken", "The security token included in the request is expired")
            }
            (Self::Unknown, _) if rest => {
                (403, "UnrecognizedClientException", "The security token included in the request is invalid.")
            }
            (Self::Unknown, "ec2") => {
                (401, "AuthFailure", "AWS was not able to validate the provided access credentials")
            }
            (Self::Unknown, _) => {
                (403, "InvalidClientTokenId", "The security token included in the request is invalid.")
            }
            (Self::Signature, _) if rest => (403, "InvalidSignatureException", SIGNATURE),
            (Self::Signature, "ec2") => {
                (401, "AuthFailure", "AWS was not able to validate the provided access credentials")
            }
            (Self::Signature, _) => (403, "SignatureDoesNotMatch", SIGNATURE),
        };
        AwsError::new(status, code, message)
    }
}

const SIGNATURE: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.";

/// Who sent a request. Where the twin knows the secret, the signature has to be right.
pub(crate) fn caller(world: &World, request: &Request<'_>) -> Result<Caller, AwsError> {
    let cloud = world.cloud();
    let caller = of_key(cloud, &request.key, world.now()).map_err(|bad| bad.error(&request.service))?;
    if let Some(key) = cloud.access_keys.get(&request.key) {
        if key.session_token.as_ref().is_some_and(|t| *t != request.token) {
            return Err(Bad::Unknown.error(&request.service));
        }
        check_signature(request, key)?;
    }
    Ok(caller)
}

fn check_signature(request: &Request<'_>, key: &AccessKey) -> Result<(), AwsError> {
    let Some(secret) = &key.secret else { return Ok(()) };
    if signature::holds(request.call, secret) { Ok(()) } else { Err(Bad::Signature.error(&request.service)) }
}

/// Whether the caller's role lets it do this.
pub(crate) fn permit(cloud: &Cloud, caller: &Caller, request: &Request<'_>) -> Result<(), AwsError> {
    let action = request.what();
    let Some(role) = caller.role.as_ref().and_then(|arn| cloud.roles.get(arn)) else { return Ok(()) };
    let named = |all: &[String]| all.iter().any(|p| fault::matches(p, &action));
    // Nobody can be kept from asking who he is.
    if action == "sts:GetCallerIdentity" || (named(&role.allow) && !named(&role.deny)) {
        return Ok(());
    }
    let (status, code) = match request.service.as_str() {
        "eks" | "secretsmanager" => (403, "AccessDeniedException"),
        "ec2" => (403, "UnauthorizedOperation"),
        _ => (403, "AccessDenied"),
    };
    Err(AwsError::new(
        status,
        code,
        format!(
            "User: {} is not authorized to perform: {action} because no identity-based policy allows the {action} action",
            caller.arn
        ),
    ))
}
