//! What is expected to change, object by object, as lines of a diff.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use similar::{ChangeTag, TextDiff};
use switchback_schemas::{
    name::ObjectRef,
    plan::{Change, Mark},
};

use crate::objects;

/// Unchanged lines shown around a changed one.
const CONTEXT: usize = 2;
/// A diff longer than this is cut, and says so.
const MAX_LINES: usize = 400;

/// The changes from one set of objects to another.
pub fn between(before: &[Value], after: &[Value]) -> Vec<Change> {
    let index = |list: &[Value]| -> BTreeMap<ObjectRef, Value> {
        list.iter().filter_map(|object| Some((objects::reference(object)?, object.clone()))).collect()
    };
    let (before, after) = (index(before), index(after));
    let all: BTreeSet<&ObjectRef> = before.keys().chain(after.keys()).collect();
    let change = |object: &ObjectRef| {
        let (mark, diff) = match (before.get(object), after.get(object)) {
            (Some(old), Some(new)) if old == new => return None,
            (Some(old), Some(new)) => (Mark::Change, lines(old, new)),
            (None, Some(_)) => (Mark::Add, Vec::new()),
            (Some(_), None) => (Mark::Remove, Vec::new()),
            (None, None) => return None,
        };
        Some(Change { mark, object: object.clone(), diff })
    };
    all.into_iter().filter_map(change).collect()
}

/// The change of one field of one object.
pub fn of_field(object: ObjectRef, path: &str, before: &Value, after: &Value) -> Change {
    let line = |mark: char, value: &Value| format!("{mark}{path}: {value}");
    Change { mark: Mark::Change, object, diff: vec![line('-', before), line('+', after)] }
}

fn lines(before: &Value, after: &Value) -> Vec<String> {
    // The writer of YAML cannot fail on JSON values; JSON is as good to diff if it did.
    let text = |value: &Value| serde_yaml::to_string(value).unwrap_or_else(|_| format!("{value:#}"));
    let (before, after) = (text(before), text(after));
    let diff = TextDiff::from_lines(&before, &after);
    let mut lines = Vec::new();
    for (number, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if number > 0 {
            lines.push("…".to_owned());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let mark = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{mark}{}", change.value().trim_end_matches('\n')));
        }
    }
    if lines.len() > MAX_LINES {
        let rest = lines.len() - MAX_LINES;
        lines.truncate(MAX_LINES);
        lines.push(format!("… {rest} more lines"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_matched_by_name_and_compared_line_by_line() {
        let object = |name: &str, replicas: u64| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "x"},
                   "spec": {"replicas": replicas}})
        };
        let changes = between(
            &[object("a", 1), object("b", 1), object("c", 1)],
            &[object("a", 1), object("b", 2), object("d", 1)],
        );
        let marks: Vec<_> = changes.iter().map(|c| (c.object.name.as_str(), c.mark)).collect();
        assert_eq!(marks, [("b", Mark::Change), ("c", Mark::Remove), ("d", Mark::Add)]);
        assert_eq!(changes[0].diff, ["   namespace: x", " spec:", "-  replicas: 1", "+  replicas: 2"]);
    }
}
