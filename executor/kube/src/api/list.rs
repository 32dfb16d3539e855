//! Lists, page by page.

use std::collections::BTreeMap;

use serde_json::Value;

use super::classify::CallError;
use super::{JSON, METADATA, Reader, Resource, object_path, query_path, seen::listed};

/// Objects that one page holds at most.
const PAGE: &str = "500";

/// Times that a list is begun anew because its pages became too old.
const ANEW: u32 = 3;

/// Which objects of a kind are listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    /// In one namespace, or everywhere.
    pub(crate) namespace: Option<String>,
    /// A label selector.
    pub(crate) labels: Option<String>,
    /// A field selector.
    pub(crate) fields: Option<String>,
    /// Whether their metadata is enough.
    pub(crate) metadata_only: bool,
}

impl Query {
    /// Everywhere, whatever its labels.
    pub(crate) fn all() -> Self {
        Self::default()
    }

    /// Everywhere, and of each only its metadata.
    pub(crate) fn metadata() -> Self {
        Self { metadata_only: true, ..Self::default() }
    }

    /// With all of these labels.
    pub(crate) fn labelled(labels: &BTreeMap<String, String>) -> Self {
        let selector: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Self { labels: (!selector.is_empty()).then(|| selector.join(",")), ..Self::default() }
    }
}

impl Reader {
    /// All objects that match, with `apiVersion` and `kind` filled in.
    pub(crate) async fn list(&self, resource: &Resource, query: &Query) -> Result<Vec<Value>, CallError> {
        let mut anew = 0;
        loop {
            match self.list_once(resource, query).await {
                Err(error) if error.is_expired() && anew < ANEW => anew += 1,
                other => return other,
            }
        }
    }

    /// How many objects of a kind there are.
    pub(crate) async fn count(&self, resource: &Resource) -> Result<u64, CallError> {
        let path = query_path(&object_path(resource, None, None, None)?, &[("limit", "1")]);
        let page = listed(resource, false, self.get(&path).await?)?;
        let here = page.get("items").and_then(Value::as_array).map_or(0, Vec::len);
        let more = page.pointer("/metadata/remainingItemCount").and_then(Value::as_u64);
        let is_last =
            page.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default().is_empty();
        match more {
            Some(more) => Ok(more.saturating_add(u64::try_from(here).unwrap_or(u64::MAX))),
            None if is_last => Ok(u64::try_from(here).unwrap_or(u64::MAX)),
            None => Ok(u64::try_from(self.list(resource, &Query::all()).await?.len()).unwrap_or(u64::MAX)),
        }
    }

    async fn list_once(&self, resource: &Resource, query: &Query) -> Result<Vec<Value>, CallError> {
        let mut items = Vec::new();
        let mut next = String::new();
        loop {
            let (page, after) = self.page(resource, query, &next).await?;
            items.extend(page);
            if after.is_empty() {
                return Ok(items);
            }
            next = after;
        }
    }

    /// One page, and the token of the next one; empty after the last.
    pub(crate) async fn page(
        &self,
        resource: &Resource,
        query: &Query,
        next: &str,
    ) -> Result<(Vec<Value>, String), CallError> {
        let path = object_path(resource, query.namespace.as_deref(), None, None)?;
        let mut parameters = vec![("limit", PAGE)];
        let selectors = [("labelSelector", &query.labels), ("fieldSelector", &query.fields)];
        parameters.extend(selectors.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))));
        if !next.is_empty() {
            parameters.push(("continue", next));
        }
        let accept = if query.metadata_only { METADATA } else { JSON };
        let page = self.get_as(&query_path(&path, &parameters), accept).await?;
        let mut page = listed(resource, query.metadata_only, page)?;
        let after = page.pointer("/metadata/continue").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut items = match page.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            // An empty list of metadata has them null.
            Some(Value::Null) => Vec::new(),
            _ => {
                let what = format!("a list of {} without items", resource.plural);
                return Err(CallError::Garbled { what });
            }
        };
        for fields in items.iter_mut().filter_map(Value::as_object_mut) {
            // Items come bare, or as the kind of their metadata.
            if query.metadata_only || !fields.contains_key("kind") {
                fields.insert("apiVersion".into(), resource.api_version().into());
                fields.insert("kind".into(), resource.kind.clone().into());
            }
        }
        Ok((items, after))
    }
}
