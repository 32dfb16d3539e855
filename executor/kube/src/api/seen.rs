//! Looks: the one place where an answer becomes evidence.
//!
//! A yes is not believed before it is looked at: it has to be of the kind, the name and, where one is known, the UID that were asked
//! for. What is not, and a 404 that names no object, says nothing of the object, so whether it is there is unknown. That is never
//! the same as gone. Only this module makes a [`Seen`].

use std::ops::Deref;

use serde_json::Value;

use super::{
    Reader, Resource,
    classify::{CallError, Status},
    object_path,
    odd::Odd,
};
use crate::fields::text;

/// An object that is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sought<'a> {
    /// How its kind is served.
    pub(crate) resource: &'a Resource,
    /// Its namespace.
    pub(crate) namespace: Option<&'a str>,
    /// Its name.
    pub(crate) name: &'a str,
}

/// An object that was looked at: of the kind and the name that were asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen(Value);

impl Deref for Seen {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Seen {
    /// Its UID.
    pub(crate) fn uid(&self) -> &str {
        text(&self.0, "/metadata/uid")
    }

    /// The object itself.
    pub(crate) fn into_object(self) -> Value {
        self.0
    }
}

impl<'a> Sought<'a> {
    /// One of a namespace.
    pub(crate) fn new(resource: &'a Resource, namespace: Option<&'a str>, name: &'a str) -> Self {
        Self { resource, namespace, name }
    }

    /// Its path.
    pub(crate) fn path(&self) -> Result<String, CallError> {
        object_path(self.resource, self.namespace, Some(self.name), None)
    }

    /// Takes an answer for the object only if it is the object.
    pub(super) fn seen(&self, answer: Value) -> Result<Seen, CallError> {
        let (kind, api_version) = (&self.resource.kind, self.resource.api_version());
        let namespace = self.namespace.filter(|_| self.resource.namespaced);
        let wanted = [
            ("/kind", kind.as_str()),
            ("/apiVersion", &api_version),
            ("/metadata/name", self.name),
            ("/metadata/namespace", namespace.unwrap_or_default()),
        ];
        if let Some((field, wanted)) =
            wanted.into_iter().find(|(field, wanted)| text(&answer, field) != *wanted)
        {
            let found = text(&answer, field);
            let field = field.trim_start_matches('/').replace('/', ".");
            return Err(odd(&format!(
                "asked for {kind} {}, and {field} of the answer is {found:?}, not {wanted:?}",
                self.name
            )));
        }
        if text(&answer, "/metadata/uid").is_empty() {
            return Err(odd(&format!("{kind} {} has no UID", self.name)));
        }
        Ok(Seen(answer))
    }

    /// Whether an error says that this object is not there. A 404 of a server that does not know the kind names no object, and one
    /// of something in between is no Status.
    pub(crate) fn is_gone(&self, error: &CallError) -> bool {
        matches!(error, CallError::Refused(status) if is_absent(status, self.name))
    }
}

fn is_absent(status: &Status, name: &str) -> bool {
    status.code == 404 && status.reason == "NotFound" && status.about == name
}

/// What an answer that is no evidence comes to.
pub(super) fn odd(why: &str) -> CallError {
    CallError::Odd(Odd::new(why))
}

/// Another object than the one that was meant.
pub(crate) fn another(what: &str, found: &Seen) -> CallError {
    odd(&format!("{what} is another object now, of UID {}", found.uid()))
}

/// Takes the answer to a write for the object that was sent only if it is that object.
pub(super) fn written(sent: &Value, answer: Value) -> Result<Value, CallError> {
    // The API server may give a name of its own to what was sent with none.
    let mut fields = ["/kind", "/metadata/name"].into_iter().filter(|field| !text(sent, field).is_empty());
    if fields.all(|field| text(&answer, field) == text(sent, field)) {
        return Ok(answer);
    }
    let of = |object: &Value| [text(object, "/kind"), text(object, "/metadata/name")].join(" ");
    Err(odd(&format!("{} was sent, and the answer is of {}", of(sent), of(&answer))))
}

/// Whether an answer without an object accepts what was requested.
pub(super) fn accepted(answer: &Value) -> Result<(), CallError> {
    match (text(answer, "/kind"), text(answer, "/status")) {
        ("Status", "Success") => Ok(()),
        (kind, status) => Err(odd(&format!("a yes whose body is of kind {kind:?} and status {status:?}"))),
    }
}

/// Takes a page for a list of a kind only if it is one.
pub(super) fn listed(resource: &Resource, metadata_only: bool, page: Value) -> Result<Value, CallError> {
    let (kind, wanted) = (text(&page, "/kind"), format!("{}List", resource.kind));
    let whole = page.get("items").is_some();
    let is_list = match metadata_only {
        true => matches!(kind, "PartialObjectMetadataList") || kind == wanted,
        // A custom kind may name its list as it likes.
        false => kind == wanted || (kind.ends_with("List") && of_kind(resource, &page)),
    };
    if is_list && whole {
        return Ok(page);
    }
    Err(odd(&format!("asked for a list of {}, and the answer is of kind {kind:?}", resource.plural)))
}

fn of_kind(resource: &Resource, page: &Value) -> bool {
    let items = page.get("items").and_then(Value::as_array);
    text(page, "/apiVersion") == resource.api_version()
        && items.into_iter().flatten().all(|item| text(item, "/kind") == resource.kind)
}

impl Reader {
    /// Looks for an object. `None` only where the API server itself says that no object of this name is there.
    pub(crate) async fn look(&self, sought: Sought<'_>) -> Result<Option<Seen>, CallError> {
        match self.get(&sought.path()?).await {
            Ok(answer) => sought.seen(answer).map(Some),
            Err(error) if sought.is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nodes() -> Resource {
        Resource {
            group: String::new(),
            version: "v1".into(),
            kind: "Node".into(),
            plural: "nodes".into(),
            namespaced: false,
        }
    }

    #[test]
    fn b1_an_answer_is_the_object_that_was_asked_for_or_no_evidence() {
        let nodes = nodes();
        let sought = Sought::new(&nodes, None, "n");
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "uid": "1"}});
        assert_eq!(sought.seen(node.clone()).unwrap().uid(), "1");
        for (pointer, other) in
            [("/kind", "Status"), ("/metadata/name", "m"), ("/metadata/uid", ""), ("/apiVersion", "v2")]
        {
            let mut answer = node.clone();
            *answer.pointer_mut(pointer).unwrap() = json!(other);
            assert!(matches!(sought.seen(answer), Err(CallError::Odd(_))), "{pointer}");
        }
        let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 404});
        assert!(matches!(sought.seen(status), Err(CallError::Odd(_))));
    }

    #[test]
    fn b3_only_a_404_that_names_the_object_says_that_it_is_gone() {
        let nodes = nodes();
        let sought = Sought::new(&nodes, None, "n");
        let refused = |body: Value| {
            CallError::Refused(Status::read(http::StatusCode::NOT_FOUND, body.to_string().as_bytes()))
        };
        let not_found = |details: Value| refused(json!({"reason": "NotFound", "details": details}));
        assert!(sought.is_gone(&not_found(json!({"name": "n", "kind": "nodes"}))));
        assert!(!sought.is_gone(&not_found(json!({}))), "a server that has not seen the kind");
        assert!(!sought.is_gone(&not_found(json!({"name": "m", "kind": "nodes"}))));
        assert!(!sought.is_gone(&refused(json!("404 page not found"))));
    }

    #[test]
    fn b3_a_list_is_one_of_its_kind() {
        let nodes = nodes();
        let list = |kind: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {}, "items": []});
        assert!(listed(&nodes, false, list("NodeList")).is_ok());
        assert!(listed(&nodes, true, list("PartialObjectMetadataList")).is_ok());
        assert!(
            listed(&nodes, false, json!({"apiVersion": "v1", "kind": "Status", "status": "Success"}))
                .is_err()
        );
        let mut pods = list("PodList");
        pods["items"] = json!([{"kind": "Pod"}]);
        assert!(listed(&nodes, false, pods).is_err());
        // Their author called them so.
        let mut custom = list("NodeCollectionList");
        custom["items"] = json!([{"kind": "Node"}]);
        assert!(listed(&nodes, false, custom).is_ok());
    }
}
