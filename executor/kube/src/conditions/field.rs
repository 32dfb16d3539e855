//! A field of an object passes a test.

use serde_json::Value;
use switchback_schemas::{
    journal::Verdict,
    plan::{BoundObject, Test},
};

use super::verdict;
use crate::{
    api::{Kinds, Reader},
    classify::CallError,
    fields, target,
};

pub(super) async fn check(
    api: &Reader,
    object: &BoundObject,
    pointer: &str,
    test: &Test<Value>,
) -> Result<Verdict, CallError> {
    let kinds = Kinds::new(api);
    let found = target::find(api, &kinds, object).await?;
    let seen = found.object()?;
    let value = seen.and_then(|object| object.pointer(pointer));
    let holds = fields::passes(test, value);
    let place =
        if pointer.is_empty() { found.named.to_string() } else { format!("{} {pointer}", found.named) };
    let shown = match (seen, value) {
        (None, _) => "it does not exist".to_owned(),
        (Some(_), Some(value)) if pointer.is_empty() => {
            format!("it exists (resourceVersion {})", fields::text(value, "/metadata/resourceVersion"))
        }
        (Some(object), _) if is_secret(object) => "a value of a Secret".to_owned(),
        (Some(_), value) => fields::shown(value.unwrap_or(&Value::Null)),
    };
    Ok(verdict(
        holds,
        &if holds {
            format!("{place}: {shown}")
        } else {
            format!("{place}: expected {}, found {shown}", fields::asked(test))
        },
    ))
}

fn is_secret(object: &Value) -> bool {
    fields::text(object, "/kind") == "Secret"
}
