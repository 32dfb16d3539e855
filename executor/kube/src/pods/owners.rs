//! Whose a pod is: its controllers up to the topmost one that can be seen.

use std::collections::BTreeMap;

use serde_json::Value;
use switchback_schemas::name::{ObjectName, ObjectRef};

use crate::{
    api::{Kinds, Reader, Sought, another},
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

impl Owner {
    /// An object as an owner of its dependants.
    pub(crate) fn itself(object: &Value) -> Self {
        Self { object: fields::reference(object), uid: fields::text(object, "/metadata/uid").to_owned() }
    }
}

/// The controllers of a pod, nearest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// As far as they are known.
    pub(crate) owners: Vec<Owner>,
    /// Why it is not known who is above the last.
    pub(crate) unread: Option<String>,
}

impl Chain {
    /// The topmost one that is known.
    pub(crate) fn top(&self) -> Option<&Owner> {
        self.owners.last()
    }

    /// Their kinds.
    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.owners.iter().map(|owner| owner.object.kind.as_str()).collect()
    }
}

/// Who is above an owner.
#[derive(Debug, Clone)]
enum Above {
    /// Nobody.
    Nobody,
    /// Its controller.
    Owner(Owner),
    /// That could not be read.
    Unread(String),
}

impl From<Option<Owner>> for Above {
    fn from(owner: Option<Owner>) -> Self {
        owner.map_or(Self::Nobody, Self::Owner)
    }
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
    /// Who is above an owner, by its UID.
    above: BTreeMap<String, Above>,
}

impl<'api> Owners<'api> {
    pub(crate) fn new(reader: &'api Reader, kinds: &'api Kinds<'api>) -> Self {
        Self { reader, kinds, above: BTreeMap::new() }
    }

    /// Remembers objects that were listed anyway, so that they need not be read one by one.
    pub(crate) fn know(&mut self, objects: &[Value]) {
        for object in objects {
            self.above.insert(fields::text(object, "/metadata/uid").to_owned(), owner(object).into());
        }
    }

    /// The controllers of a pod.
    ///
    /// An owner that is gone ends the chain. One that may not be read, or of a kind that is not served, leaves it unread: nobody
    /// knows whose the pod is then. Any other trouble is an error: it may be over the next time.
    pub(crate) async fn chain(&mut self, pod: &Value) -> Result<Chain, CallError> {
        match self.chain_so_far(pod).await {
            (chain, None) => Ok(chain),
            (chain, Some(error)) if error.is_forbidden() => Ok(chain),
            (chain, Some(error)) => {
                if let Some(last) = chain.top() {
                    self.above.remove(&last.uid);
                }
                Err(error)
            }
        }
    }

    /// The controllers of a pod as far as they can be seen, and the trouble that kept it from going on. The same trouble is told
    /// only once.
    pub(crate) async fn chain_so_far(&mut self, pod: &Value) -> (Chain, Option<CallError>) {
        let mut chain = Chain { owners: owner(pod).into_iter().collect(), unread: None };
        let mut trouble = None;
        while let Some(last) = chain.top()
            && chain.owners.len() < HIGHEST
        {
            let above = if let Some(above) = self.above.get(&last.uid) {
                above.clone()
            } else {
                let above = self.look_up(last).await.unwrap_or_else(|error| {
                    let above = Above::Unread(format!("{} cannot be read: {error}", last.object));
                    trouble = Some(error);
                    above
                });
                self.above.insert(last.uid.clone(), above.clone());
                above
            };
            match above {
                Above::Owner(above) if chain.owners.iter().all(|owner| owner.uid != above.uid) => {
                    chain.owners.push(above);
                }
                Above::Unread(why) => {
                    chain.unread = Some(why);
                    break;
                }
                Above::Owner(_) | Above::Nobody => break,
            }
        }
        (chain, trouble)
    }

    async fn look_up(&self, of: &Owner) -> Result<Above, CallError> {
        let Some(resource) = self.kinds.find(&of.object.api_version, &of.object.kind).await? else {
            let why = format!("the API server serves no {} of {}", of.object.kind, of.object.api_version);
            return Ok(Above::Unread(format!("{} cannot be read: {why}", of.object)));
        };
        let namespace = of.object.namespace.as_deref();
        match self.reader.look(Sought::new(&resource, namespace, &of.object.name)).await? {
            Some(seen) if seen.uid() != of.uid => Err(another(&of.object.to_string(), &seen)),
            seen => Ok(seen.as_deref().and_then(owner).into()),
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
