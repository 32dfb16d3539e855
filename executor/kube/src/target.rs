//! Targets: from what a plan names to an object of the cluster.

use serde_json::Value;
use switchback_executor::untrusted::text;
use switchback_schemas::{
    journal::{Class, Evidence, Outcome},
    name::ObjectRef,
    plan::BoundObject,
};

use crate::{
    api::{Kinds, Reader, Resource, object_path},
    classify::CallError,
    fields,
};

/// A target that a call can be made to.
pub(crate) struct Found {
    /// How its kind is served.
    pub(crate) resource: Resource,
    /// The object that was named.
    pub(crate) named: ObjectRef,
    /// The object as it is; `None` when it is not there, or when another object has taken its name.
    pub(crate) object: Option<Value>,
}

impl Found {
    /// The object's path.
    pub(crate) fn path(&self, subresource: Option<&str>) -> Result<String, CallError> {
        object_path(&self.resource, self.named.namespace.as_deref(), Some(&self.named.name), subresource)
    }
}

/// Reads a target.
pub(crate) async fn find(
    reader: &Reader,
    kinds: &Kinds<'_>,
    target: &BoundObject,
) -> Result<Found, CallError> {
    let BoundObject { object: named, uid } = target;
    let resource = kinds.of(named).await?;
    let path = object_path(&resource, named.namespace.as_deref(), Some(&named.name), None)?;
    let object = reader.find(&path).await?;
    let object =
        object.filter(|object| uid.as_deref().is_none_or(|uid| fields::text(object, "/metadata/uid") == uid));
    Ok(Found { resource, named: named.clone(), object })
}

/// An effect that happened, with one line of evidence.
pub(crate) fn done(line: impl AsRef<str>) -> Outcome {
    Outcome::Done { evidence: Evidence::line(text::line(line.as_ref())) }
}

/// An effect that did not happen and would be refused again.
pub(crate) fn refused(line: impl AsRef<str>) -> Outcome {
    not_done(Class::Refused, line)
}

/// An effect that did not happen.
pub(crate) fn not_done(class: Class, line: impl AsRef<str>) -> Outcome {
    Outcome::NotDone { class, evidence: Evidence::line(text::line(line.as_ref())) }
}
