//! What is published beside the code is what the code would write.

use serde_json::Value;
use switchback_face::codes;
use switchback_schemas::published;
use switchback_tests_it::{golden, root};

use crate::registry;

/// Kinds of manifests and documents.
fn schemas() -> Vec<(&'static str, schemars::Schema)> {
    let kinds = registry().kinds().schemas().map(|(kind, schema)| (kind, schema.clone()));
    kinds.chain(published::documents()).collect()
}

#[test]
fn published_schemas_are_up_to_date() {
    let mut differences = Vec::new();
    for (name, schema) in schemas() {
        let path = root().join("schemas").join(published::file_name(name));
        differences.extend(golden(&path, &published::text(&schema)).err());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_page_of_codes_is_up_to_date() {
    golden(&root().join("docs/codes.md"), &codes::markdown())
        .unwrap_or_else(|difference| panic!("{difference}"));
}

/// serde renames the fields of an enum's variants only when it is told to, and nobody notices a `match_labels`.
#[test]
fn fields_are_written_in_camel_case() {
    fn fields(schema: &Value, found: &mut Vec<String>) {
        match schema {
            Value::Object(object) => {
                if let Some(Value::Object(properties)) = object.get("properties") {
                    found.extend(properties.keys().cloned());
                }
                object.values().for_each(|value| fields(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| fields(item, found)),
            _ => {}
        }
    }
    for (name, schema) in schemas() {
        let mut found = Vec::new();
        fields(schema.as_value(), &mut found);
        let wrong: Vec<&String> = found.iter().filter(|field| field.contains('_')).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
    }
}
