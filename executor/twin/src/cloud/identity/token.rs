//! Bearer tokens of EKS: a presigned call of STS, as text. Source: the format of aws-iam-authenticator,
//! `k8s-aws-v1.` and the URL in base64url without padding; the header `x-k8s-aws-id`, which holds the cluster's name, is signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Caller, of_key, signature};
use crate::call::{self, Call};
use crate::kube::neighbours::Unauthorized;
use crate::world::World;

/// The name of the user whose a token is, which is the ARN; nothing where it is no token of EKS.
pub(in crate::cloud) fn user(world: &World, token: &str) -> Option<Result<String, Unauthorized>> {
    let encoded = token.strip_prefix("k8s-aws-v1.")?;
    Some(read(world, encoded).map(|caller| caller.arn).ok_or(Unauthorized))
}

fn read(world: &World, encoded: &str) -> Option<Caller> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let url = String::from_utf8(bytes).ok()?;
    let (scheme, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let (path, query) = path.split_once('?')?;
    if !matches!(scheme, "https" | "http") || !path.is_empty() {
        return None;
    }
    let cloud = world.cloud();
    let face = cloud.face()?;
    let call = Call {
        method: "GET".into(),
        path: "/".into(),
        raw_path: "/".into(),
        query: call::query(query),
        headers: vec![("host".into(), host.to_owned()), ("x-k8s-aws-id".into(), face.to_owned())],
        ..Call::default()
    };
    let signed = call.param("X-Amz-SignedHeaders")?.split(';').any(|h| h == "x-k8s-aws-id");
    if call.param("Action") != Some("GetCallerIdentity") || !signed {
        return None;
    }
    let key = call.param("X-Amz-Credential")?.split('/').next()?.to_owned();
    let caller = of_key(cloud, &key, world.now()).ok()?;
    if let Some(known) = cloud.access_keys.get(&key) {
        let carries = call.param("X-Amz-Security-Token");
        if known.session_token.as_deref() != carries && known.session_token.is_some() {
            return None;
        }
        if known.secret.as_ref().is_some_and(|s| !signature::holds(&call, s)) {
            return None;
        }
    }
    let cluster = cloud.eks.clusters.get(face)?;
    let entered = if cluster.access.is_empty() {
        caller.account == cluster.account
    } else {
        cluster.access.iter().any(|a| a == caller.principal())
    };
    entered.then_some(caller)
}
