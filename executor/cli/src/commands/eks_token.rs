//! `eks-token`: credentials for an EKS cluster, as a kubeconfig's `exec` asks for them. What `aws eks get-token` prints, without the
//! AWS CLI.

use serde_json::json;
use switchback_aws::{Aws, AwsSettings, ClusterToken};
use switchback_face::Exit;
use switchback_schemas::plan::Arn;

use crate::{environment, error::Error, host::Host};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cluster
    #[arg(long, value_name = "NAME")]
    cluster_name: String,
    /// Its region; without it that of `AWS_REGION` or `AWS_DEFAULT_REGION`
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// A role to take on
    #[arg(long, value_name = "ARN")]
    role_arn: Option<Arn>,
    /// A profile of AWS's configuration files
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

pub(crate) async fn run(args: &Args, host: &mut Host) -> Result<Exit, Error> {
    let of_environment =
        || environment::text("AWS_REGION").or_else(|| environment::text("AWS_DEFAULT_REGION"));
    let region = args.region.clone().or_else(of_environment);
    let region = region.ok_or_else(|| {
        let what = "the region of the cluster is not known";
        Error::Missing { what, help: "name it with --region, or set AWS_REGION" }
    })?;
    let aws = Aws::open(AwsSettings { profile: args.profile.clone(), ..AwsSettings::default() }).await;
    let source = ClusterToken::new(aws, &args.cluster_name, region, args.role_arn.clone());
    let token = source.token().await.map_err(Error::platform("there is no token for the cluster"))?;
    let credential = json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "spec": {},
        "status": {"expirationTimestamp": token.expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), "token": token.secret},
    });
    host.answer(&format!("{credential}\n"))?;
    Ok(Exit::Success)
}
