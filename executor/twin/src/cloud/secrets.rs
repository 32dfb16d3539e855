//! Secrets Manager: one operation.

use serde_json::json;

use super::protocol::{Answered, AwsError, Done, Request};
use crate::world::World;

/// Answers an operation of Secrets Manager.
pub(super) fn answer(world: &World, request: &Request<'_>) -> Answered {
    if request.operation != "GetSecretValue" {
        return Err(AwsError::not_simulated(&request.what()));
    }
    let body = request.json()?;
    let id = body.get("SecretId").and_then(serde_json::Value::as_str).unwrap_or_default();
    let value = world.cloud().secrets.get(id).ok_or_else(|| {
        AwsError::new(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    })?;
    Ok(Done::json(json!({
        "ARN": format!("arn:aws:secretsmanager:{}:{}:secret:{id}", world.cloud().region, world.cloud().account),
        "Name": id, "SecretString": value, "VersionId": "twin-1", "VersionStages": ["AWSCURRENT"],
    })))
}
