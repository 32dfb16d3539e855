//! `kube.patch`: compare-and-set of some fields of one object, as a JSON patch that tests the object's resourceVersion.

use serde_json::{Value, json};
use switchback_executor::ports::Classify as _;
use switchback_schemas::{
    journal::{Class, Evidence, Outcome},
    plan::{BoundObject, KubePatch, SetField},
};

use super::ANEW;
use crate::{
    api::{Kinds, MANAGER, PatchKind, Writer, query_path},
    classify::CallError,
    fields,
    target::{self, done, not_done, refused},
};

pub(super) async fn run(api: &Writer, effect: &KubePatch<Value, BoundObject>) -> Result<Outcome, CallError> {
    let kinds = Kinds::new(&api.read);
    let mut last = None;
    for _ in 0..ANEW {
        let found = target::find(&api.read, &kinds, &effect.object).await?;
        let Some(object) = found.object()? else {
            return Ok(refused(format!("{} does not exist", found.named)));
        };
        let operations = match decide(effect, object) {
            Ok(Decided::Write(operations)) => operations,
            Ok(Decided::Already) => return Ok(done(format!("{} has these values already", found.named))),
            Ok(Decided::Differs(why)) => {
                return Ok(not_done(Class::Conflict, format!("{}: {why}", found.named)));
            }
            Err(error) => return Ok(refused(format!("{}: {error}", found.named))),
        };
        let path = found.path(effect.subresource.as_deref())?;
        let path = query_path(&path, &[("fieldManager", MANAGER), ("fieldValidation", "Strict")]);
        match api.patch((found.sought(), &path), PatchKind::Json, &operations).await {
            Ok(kept) => return Ok(compared(effect, &kept, &found.named.to_string())),
            Err(error) if error.is_conflict() => last = Some(error),
            Err(error) => return Ok(error.of_write()),
        }
    }
    Ok(last.map_or_else(
        || not_done(Class::Conflict, "the object changes all the time"),
        |error| error.of_write(),
    ))
}

/// A pointer that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be set: something on the way to it is neither an object nor an item of a list")]
struct Nowhere(String);

/// What is to be done to an object.
#[derive(Debug, PartialEq)]
enum Decided {
    /// Send this.
    Write(Value),
    /// Nothing is left to do.
    Already,
    /// A test fails: this is why.
    Differs(String),
}

fn decide(effect: &KubePatch<Value, BoundObject>, object: &Value) -> Result<Decided, Nowhere> {
    let mut wanted = object.clone();
    let mut operations = Vec::new();
    for field in &effect.set {
        set(&mut wanted, field, &mut operations)?;
    }
    if operations.is_empty() {
        return Ok(Decided::Already);
    }
    if let Some(why) = fields::first_failure(&effect.only_if, object) {
        return Ok(Decided::Differs(why));
    }
    let version = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    operations.insert(0, json!({"op": "test", "path": "/metadata/resourceVersion", "value": version}));
    Ok(Decided::Write(Value::Array(operations)))
}

/// Adds the operations that give a field its value, and does them to `wanted`.
fn set(wanted: &mut Value, field: &SetField<Value>, operations: &mut Vec<Value>) -> Result<(), Nowhere> {
    let value = &field.to;
    let pointer = field.pointer.as_str();
    let present = wanted.pointer(pointer).filter(|present| !present.is_null());
    if value.is_null() {
        if present.is_some() {
            operations.push(json!({"op": "remove", "path": pointer}));
            remove(wanted, pointer);
        }
        return Ok(());
    }
    if present == Some(value) {
        return Ok(());
    }
    let nowhere = || Nowhere(pointer.to_owned());
    // An `add` inside of a list would push the rest on, so what is there is replaced.
    let op = if wanted.pointer(pointer).is_some() { "replace" } else { "add" };
    let mut at = 0;
    while let Some(next) = pointer.get(at + 1..).and_then(|rest| rest.find('/')).map(|i| at + 1 + i) {
        let parent = pointer.get(..next).ok_or_else(nowhere)?;
        if wanted.pointer(parent).is_none_or(Value::is_null) {
            operations.push(json!({"op": "add", "path": parent, "value": {}}));
            put(wanted, parent, json!({})).ok_or_else(nowhere)?;
        }
        at = next;
    }
    put(wanted, pointer, value.clone()).ok_or_else(nowhere)?;
    operations.push(json!({"op": op, "path": pointer, "value": value}));
    Ok(())
}

fn put(object: &mut Value, pointer: &str, value: Value) -> Option<()> {
    let (parent, name) = pointer.rsplit_once('/')?;
    match object.pointer_mut(parent)? {
        Value::Object(fields) => {
            fields.insert(unescape(name), value);
        }
        Value::Array(items) => {
            let index: usize = name.parse().ok()?;
            if index == items.len() {
                items.push(value);
            } else {
                *items.get_mut(index)? = value;
            }
        }
        _ => return None,
    }
    Some(())
}

fn remove(object: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    match object.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            fields.remove(&unescape(name));
        }
        Some(Value::Array(items)) => {
            if let Some(index) = name.parse().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

fn unescape(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

/// Done only if the API server kept what was set.
fn compared(effect: &KubePatch<Value, BoundObject>, kept: &Value, object: &str) -> Outcome {
    let mut lost = Vec::new();
    for field in &effect.set {
        let value = &field.to;
        let paths = match kept.pointer(&field.pointer) {
            Some(kept) => fields::lost(value, kept),
            None => fields::lost(&json!({"": value}), &json!({})),
        };
        lost.extend(
            paths.into_iter().map(|path| format!("dropped: {}{}", field.pointer, path.trim_end_matches('.'))),
        );
    }
    if lost.is_empty() {
        return done(format!("{object} patched ({} fields)", effect.set.len()));
    }
    lost.insert(0, format!("{object} was written, but the API server dropped fields that were sent"));
    Outcome::InDoubt { class: Class::Refused, evidence: Evidence(lost) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use switchback_schemas::{
        name::{ObjectName, ObjectRef},
        plan::{FieldTest, Test},
    };

    fn patch(only_if: &[(&str, Value)], set: &[(&str, Value)]) -> KubePatch<Value, BoundObject> {
        KubePatch {
            object: BoundObject::named(ObjectRef::new("v1", "ConfigMap", &ObjectName::namespaced("a", "b"))),
            subresource: None,
            only_if: only_if
                .iter()
                .map(|(pointer, value)| FieldTest {
                    pointer: (*pointer).into(),
                    is: Test::Equals(value.clone()),
                })
                .collect(),
            set: set
                .iter()
                .map(|(pointer, value)| SetField { pointer: (*pointer).into(), to: value.clone() })
                .collect(),
        }
    }

    fn object() -> Value {
        json!({"metadata": {"resourceVersion": "7"}, "spec": {"list": [{"image": "a:1"}], "old": true, "n": 1}})
    }

    #[test]
    fn fields_are_added_replaced_and_removed_with_their_parents() {
        let effect = patch(
            &[("/spec/n", json!(1))],
            &[
                ("/metadata/annotations/a.dev~1b", json!("x")),
                ("/spec/list/0/image", json!("a:2")),
                ("/spec/old", Value::Null),
                ("/spec/absent", Value::Null),
                ("/spec/n", json!(1)),
            ],
        );
        let Ok(Decided::Write(operations)) = decide(&effect, &object()) else { panic!("no operations") };
        let expected = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
            {"op": "add", "path": "/metadata/annotations", "value": {}},
            {"op": "add", "path": "/metadata/annotations/a.dev~1b", "value": "x"},
            {"op": "replace", "path": "/spec/list/0/image", "value": "a:2"},
            {"op": "remove", "path": "/spec/old"},
        ]);
        assert_eq!(operations, expected);
    }

    #[test]
    fn a_test_that_fails_writes_nothing_and_says_why() {
        let effect = patch(&[("/spec/n", json!(2))], &[("/spec/n", json!(3))]);
        let why = "expected /spec/n to be 2, found 1".to_owned();
        assert_eq!(decide(&effect, &object()), Ok(Decided::Differs(why)));
    }

    #[test]
    fn what_is_so_already_is_done_even_if_the_test_no_longer_holds() {
        let effect = patch(&[("/spec/n", json!(0))], &[("/spec/n", json!(1)), ("/spec/absent", Value::Null)]);
        assert_eq!(decide(&effect, &object()), Ok(Decided::Already));
    }

    #[test]
    fn a_pointer_through_a_number_is_refused() {
        let effect = patch(&[], &[("/spec/n/deep", json!(1))]);
        assert_eq!(decide(&effect, &object()), Err(Nowhere("/spec/n/deep".into())));
        let effect = patch(&[], &[("/spec/list/5", json!(1))]);
        assert!(decide(&effect, &object()).is_err());
    }
}
