//! Whose a pod is: its controllers up to the topmost one that can be seen.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::name::{ObjectName, ObjectRef};

use crate::{
    api::{Kinds, Reader, object_path},
    classify::CallError,
    fields,
};

/// Controllers that are looked up above a pod at most; real chains have two or three.
const HIGHEST: usize = 8;

/// An owner, as its dependants reference it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Owner {
    /// The object.
    pub(crate) object: ObjectRef,
    /// Its UID.
    pub(crate) uid: String,
}

/// The owner reference of an object's controller.
pub(crate) fn controller(object: &Value) -> Option<&Value> {
    let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array)?;
    owners.iter().find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))
}

fn owner(object: &Value) -> Option<Owner> {
    let reference = controller(object)?;
    let text = |field| fields::text(reference, field);
    let namespace = fields::text(object, "/metadata/namespace");
    let name = match namespace {
        "" => ObjectName::cluster(text("/name")),
        namespace => ObjectName::namespaced(namespace, text("/name")),
    };
    let object = ObjectRef::new(text("/apiVersion"), text("/kind"), &name);
    Some(Owner { object, uid: text("/uid").to_owned() })
}

/// Follows owner references upwards. Lives as long as one call, so that each owner is read once.
pub(crate) struct Owners<'api> {
    reader: &'api Reader,
    kinds: &'api Kinds<'api>,
    /// The controller of an owner, by UID; `None` when it has none, or cannot be seen.
    above: BTreeMap<String, Option<Owner>>,
}

impl<'api> Owners<'api> {
    pub(crate) fn new(reader: &'api Reader, kinds: &'api Kinds<'api>) -> Self {
        Self { reader, kinds, above: BTreeMap::new() }
    }

    /// Remembers objects that were listed anyway, so that they need not be read one by one.
    pub(crate) fn know(&mut self, objects: &[Value]) {
        for object in objects {
            self.above.insert(fields::text(object, "/metadata/uid").to_owned(), owner(object));
        }
    }

    /// The controllers of a pod, nearest first.
    ///
    /// An owner that is gone, of a kind that is not served, or that may not be read ends the chain. Any other trouble is
    /// an error: a class that protects the topmost owner must not be missed because the API server was away.
    pub(crate) async fn chain(&mut self, pod: &Value) -> Result<Vec<Owner>, CallError> {
        match self.chain_so_far(pod).await {
            (chain, None) => Ok(chain),
            (chain, Some(error)) => {
                // It may be there the next time.
                if let Some(last) = chain.last() {
                    self.above.remove(&last.uid);
                }
                Err(error)
            }
        }
    }

    /// The controllers of a pod as far as they can be seen, and why no further. The same trouble is told only once.
    pub(crate) async fn chain_so_far(&mut self, pod: &Value) -> (Vec<Owner>, Option<CallError>) {
        let mut chain: Vec<Owner> = owner(pod).into_iter().collect();
        let mut trouble = None;
        while let Some(last) = chain.last()
            && chain.len() < HIGHEST
        {
            let above = if let Some(above) = self.above.get(&last.uid) {
                above.clone()
            } else {
                let above = self.look_up(last).await.unwrap_or_else(|error| {
                    trouble = Some(error);
                    None
                });
                self.above.insert(last.uid.clone(), above.clone());
                above
            };
            match above {
                Some(above) if chain.iter().all(|owner| owner.uid != above.uid) => chain.push(above),
                _ => break,
            }
        }
        (chain, trouble)
    }

    async fn look_up(&self, of: &Owner) -> Result<Option<Owner>, CallError> {
        let looked = async {
            let Some(resource) = self.kinds.find(&of.object.api_version, &of.object.kind).await? else {
                return Ok(None);
            };
            let namespace = of.object.namespace.as_deref();
            let path = object_path(&resource, namespace, Some(&of.object.name), None)?;
            self.reader.find(&path).await
        };
        match looked.await {
            Ok(object) => Ok(object.as_ref().and_then(owner)),
            Err(error) if error.is_forbidden() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_controller_is_the_owner() {
        let pod = json!({"metadata": {"namespace": "a", "ownerReferences": [
            {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "1"},
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "2", "controller": true},
        ]}});
        let owner = owner(&pod).unwrap();
        assert_eq!((owner.object.to_string().as_str(), owner.uid.as_str()), ("ReplicaSet a/web-1", "2"));
        assert_eq!(super::owner(&json!({"metadata": {}})), None);
    }
}
