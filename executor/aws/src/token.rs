//! How EKS knows a caller: a presigned `GetCallerIdentity`, as `aws eks get-token` and `aws-iam-authenticator` make it, so that
//! neither has to be installed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use switchback_executor::{
    env::{Clock as _, SystemClock},
    ports::{Classify as _, Failure},
};
use switchback_schemas::plan::{Arn, AwsResource};
use tokio::sync::Mutex;

use crate::aws::{Aws, Purpose};

/// What a token begins with.
const PREFIX: &str = "k8s-aws-v1.";

/// EKS takes a token for 15 minutes after it was signed; a new one is made well before.
const LASTS: SignedDuration = SignedDuration::from_mins(14);
const EARLY: SignedDuration = SignedDuration::from_mins(4);

/// A bearer token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The token itself: a secret.
    pub secret: String,
    /// When it should not be used any more.
    pub expires: Timestamp,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A source of tokens for one cluster. It keeps one and makes another a few minutes before that ends.
#[derive(Debug)]
pub struct ClusterToken {
    aws: Aws,
    region: String,
    cluster: String,
    role: Option<Arn>,
    held: Mutex<Option<Token>>,
}

impl ClusterToken {
    /// For a cluster by its name and region, with a role or with the credentials at hand.
    pub fn new(aws: Aws, cluster: impl Into<String>, region: impl Into<String>, role: Option<Arn>) -> Self {
        Self { aws, region: region.into(), cluster: cluster.into(), role, held: Mutex::default() }
    }

    /// To look at a target.
    pub fn to_observe(aws: Aws, resource: &AwsResource) -> Self {
        Self::of(aws, resource, Purpose::Check)
    }

    /// To go forward on a target.
    pub fn to_apply(aws: Aws, resource: &AwsResource) -> Self {
        Self::of(aws, resource, Purpose::Apply)
    }

    /// To roll back on a target.
    pub fn to_go_back(aws: Aws, resource: &AwsResource) -> Self {
        Self::of(aws, resource, Purpose::Rollback)
    }

    fn of(aws: Aws, resource: &AwsResource, purpose: Purpose) -> Self {
        let role = purpose.role(resource).cloned();
        Self::new(aws, resource.arn.name(), resource.arn.region(), role)
    }

    /// A token that lasts for some minutes. Nothing is sent to EKS or STS for it, but a role may have to be taken on first.
    pub async fn token(&self) -> Result<Token, Failure> {
        let now = SystemClock.now();
        let mut held = self.held.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.expires.duration_since(now) > EARLY) {
            return Ok(token.clone());
        }
        let session = self.aws.session_in(&self.region, self.role.as_ref(), false).await;
        let url = session.presigned_caller(&self.cluster).await.map_err(|error| error.failure())?;
        let expires = now.checked_add(LASTS).unwrap_or(Timestamp::MAX);
        let token = Token { secret: format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(url)), expires };
        *held = Some(token.clone());
        Ok(token)
    }

    /// EKS refused it, so the next one is made anew.
    pub async fn forget(&self) {
        *self.held.lock().await = None;
    }
}

/// A program that a kubeconfig calls for credentials.
#[derive(Clone, Copy, Debug)]
pub struct ExecCall<'a> {
    /// The program.
    pub command: &'a str,
    /// Its arguments.
    pub args: &'a [String],
    /// What the kubeconfig adds to its environment.
    pub env: &'a [(String, String)],
}

/// What a kubeconfig that calls AWS's own programs says of its cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecCluster {
    /// The cluster's name.
    pub cluster: String,
    /// Its region; absent where the environment or the profile say it.
    pub region: Option<String>,
    /// The role to take on.
    pub role: Option<String>,
    /// The profile of AWS's configuration files.
    pub profile: Option<String>,
}

impl ExecCall<'_> {
    /// What it says, if it is `aws eks get-token` or `aws-iam-authenticator token` with nothing that is not understood.
    pub fn cluster(&self) -> Option<ExecCluster> {
        let program = self.command.rsplit(['/', '\\']).next().unwrap_or(self.command);
        let program = program.strip_suffix(".exe").unwrap_or(program);
        let mut found = ExecCluster::default();
        for (name, value) in self.env {
            match name.as_str() {
                "AWS_PROFILE" => found.profile = Some(value.clone()),
                "AWS_REGION" | "AWS_DEFAULT_REGION" => found.region = Some(value.clone()),
                "AWS_STS_REGIONAL_ENDPOINTS" => {}
                // Keys, endpoints, other files: whoever wrote them wants that program.
                _ => return None,
            }
        }
        let mut words = Vec::new();
        let mut args = self.args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            if !arg.starts_with('-') {
                words.push(arg);
                continue;
            }
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) => (name, value),
                None => (arg, args.next()?),
            };
            let value = value.to_owned();
            match (program, name) {
                ("aws", "--cluster-name") | ("aws-iam-authenticator", "--cluster-id" | "-i") => {
                    found.cluster = value;
                }
                (_, "--region") => found.region = Some(value),
                ("aws", "--role-arn" | "--role") | ("aws-iam-authenticator", "--role" | "-r") => {
                    found.role = Some(value);
                }
                ("aws", "--profile") => found.profile = Some(value),
                ("aws", "--output") => {}
                _ => return None,
            }
        }
        let asked = match program {
            "aws" => words == ["eks", "get-token"],
            "aws-iam-authenticator" => words == ["token"],
            _ => false,
        };
        (asked && !found.cluster.is_empty()).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{AwsSettings, StaticCredentials};

    async fn aws() -> Aws {
        let credentials = StaticCredentials {
            access_key: "AKIDEXAMPLE".into(),
            secret_key: "secret-of-the-test".into(),
            session_token: Some("session/token+".into()),
        };
        Aws::open(AwsSettings { credentials: Some(credentials), ..AwsSettings::default() }).await
    }

    #[tokio::test]
    async fn a_token_is_a_presigned_url_with_the_clusters_name_signed() {
        let source = ClusterToken::new(aws().await, "mlops", "eu-central-1", None);
        let token = source.token().await.unwrap();
        let url = token.secret.strip_prefix(PREFIX).unwrap();
        let url = String::from_utf8(URL_SAFE_NO_PAD.decode(url).unwrap()).unwrap();
        assert!(
            url.starts_with(
                "https://sts.eu-central-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-"
            ),
            "{url}"
        );
        for part in [
            "X-Amz-Expires=60",
            "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Signature=",
            "X-Amz-Security-Token=session%2Ftoken%2B",
            "%2Feu-central-1%2Fsts%2Faws4_request",
        ] {
            assert!(url.contains(part), "{part} in {url}");
        }
        assert!(!url.contains("secret-of-the-test"));
        assert!(!format!("{token:?}").contains(PREFIX));
        assert_eq!(source.token().await.unwrap().secret, token.secret, "one is kept");
        assert_eq!(source.aws.requests(), 0, "nothing is sent");
    }

    fn read(command: &str, args: &[&str], env: &[(&str, &str)]) -> Option<ExecCluster> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let env: Vec<(String, String)> =
            env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ExecCall { command, args: &args, env: &env }.cluster()
    }

    #[test]
    fn what_the_aws_tools_are_called_with_is_understood() {
        let as_updated = read(
            "aws",
            &["--region", "eu-central-1", "eks", "get-token", "--cluster-name", "mlops", "--output", "json"],
            &[("AWS_PROFILE", "ml")],
        );
        assert_eq!(
            as_updated,
            Some(ExecCluster {
                cluster: "mlops".into(),
                region: Some("eu-central-1".into()),
                role: None,
                profile: Some("ml".into())
            })
        );
        let role = "arn:aws:iam::111122223333:role/admin";
        let as_eksctl = read("/usr/bin/aws-iam-authenticator", &["token", "-i", "mlops", "-r", role], &[]);
        assert_eq!(as_eksctl.and_then(|found| found.role).as_deref(), Some(role));
        assert!(read("aws", &["eks", "get-token", "--cluster-name=mlops", "--role-arn=x"], &[]).is_some());
    }

    #[test]
    fn what_is_not_understood_is_left_to_the_program() {
        assert_eq!(read("kubelogin", &["get-token", "--cluster-name", "mlops"], &[]), None);
        assert_eq!(read("aws", &["eks", "get-token"], &[]), None, "no cluster");
        assert_eq!(read("aws", &["eks", "get-token", "--cluster-name"], &[]), None, "no value");
        assert_eq!(
            read("aws", &["eks", "get-token", "--cluster-name", "m", "--endpoint-url", "x"], &[]),
            None
        );
        let keys = [("AWS_ACCESS_KEY_ID", "AKID")];
        assert_eq!(read("aws", &["eks", "get-token", "--cluster-name", "m"], &keys), None);
    }
}
