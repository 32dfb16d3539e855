//! The API server can call the conversion webhook of a CRD.

use serde_json::Value;
use switchback_schemas::journal::Verdict;

use super::{stored::find_crd, verdict};
use crate::{api::Reader, classify::CallError, fields::text, services};

pub(super) async fn check(api: &Reader, crd: &str) -> Result<Verdict, CallError> {
    let Some(object) = find_crd(api, crd).await? else {
        return Ok(verdict(false, &format!("CRD {crd} does not exist")));
    };
    let Some(config) = webhook(&object) else {
        return Ok(verdict(true, &format!("CRD {crd} has no conversion webhook")));
    };
    let Some(service) = services::named(config) else {
        return Ok(verdict(true, &format!("CRD {crd} is converted at an address outside of the cluster")));
    };
    if text(config, "/caBundle").is_empty() {
        return Ok(verdict(false, &format!("the conversion webhook of CRD {crd} has no CA bundle yet")));
    }
    let port = services::port(config);
    let ready = services::ready_endpoints(api, &service, port).await?;
    let line = format!("{} endpoints of Service {service} can convert CRD {crd} on port {port}", ready.len());
    Ok(verdict(!ready.is_empty(), &line))
}

/// Where a CRD's conversion webhook is; `None` when it has none.
pub(crate) fn webhook(crd: &Value) -> Option<&Value> {
    if text(crd, "/spec/conversion/strategy") != "Webhook" {
        return None;
    }
    crd.pointer("/spec/conversion/webhook/clientConfig")
}
