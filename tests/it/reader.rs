//! The reader against bytes that nobody wrote, and against another reader.

use std::fs;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use switchback_planner::{manifest, source};
use switchback_schemas::{Diagnostic, codes};
use switchback_tests_it::{files, root};

use crate::registry;

/// Labels must lie inside of the text, at characters, or a view cannot show them.
fn labels_hold(diagnostics: &[Diagnostic], bytes: &[u8]) {
    for label in diagnostics.iter().flat_map(|diagnostic| &diagnostic.labels) {
        assert!(label.start <= label.end, "{label:?} of {}", bytes.len());
        assert!(label.end <= bytes.len().max(1), "{label:?} of {}", bytes.len());
        if let Ok(text) = std::str::from_utf8(bytes) {
            assert!(text.is_char_boundary(label.start), "{label:?} in {text:?}");
            assert!(text.is_char_boundary(label.end), "{label:?} in {text:?}");
        }
    }
}

/// Pieces that manifests and traps are made of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "apiVersion: switchback.dev/v1alpha1\n",
        "kind: Platform\n",
        "kind: KarpenterUpgrade\n",
        "metadata:\n",
        "  name: a\n",
        "spec:\n",
        "  to: 1.30\n",
        "  <<: *a\n",
        "&a ",
        "*a",
        "!t ",
        "- ",
        "? ",
        ": ",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "|\n",
        ">-\n",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\t",
        "\r\n",
        "\n",
        "  ",
        "# x\n",
        "\u{feff}",
        "\u{202e}",
        "é",
        "\u{1f600}",
        "~",
        "x: y\n",
        "yes",
        "\\",
        "\0",
        ",",
        "a",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Documents as a program would write them. Numbers that JSON and YAML write differently are left out: floats are
/// quarters, so that both sides write them the same way.
fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-4_000_i32..4_000).prop_map(|n| Value::from(f64::from(n) / 4.0)),
        "[ -~]{0,24}".prop_map(Value::from),
        "[a-zé節\n ]{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "1.30", "017", "0x1F", "yes", "null", "~", "<<", "- a", "a: b", "", " ", "1e3", ".5"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[ -~]{1,12}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// The valid manifests, as JSON.
fn valid() -> Vec<Value> {
    let directory = root().join("fixtures/manifests/valid");
    let paths = files(&directory, &["yaml", "yml"]).expect("the directory is there");
    paths
        .iter()
        .flat_map(|path| {
            let (source, found) = source::read("a.yaml", &fs::read(path).expect("it is there"));
            assert_eq!(found, []);
            source.documents.into_iter().map(|root| root.to_value())
        })
        .collect()
}

/// Every place in a document, by pointer.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                places(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                places(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// What passes the schema can be read, whatever stands at whichever place of a manifest that is valid.
#[test]
fn the_schema_and_the_types_agree() {
    let long = "a".repeat(300);
    // Values at the borders of what types and schemas take.
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(3.0),
        json!(1e30),
        json!(70_000),
        json!(u64::MAX),
        json!(4_294_967_296_u64),
        json!([]),
        json!({}),
        json!(["a"]),
        json!({"nodes": 1}),
        json!({"a": {}}),
        json!({long.as_str(): {"cluster": {}}}),
        json!(""),
        json!("a"),
        json!(long),
        json!("1.30"),
        json!("10m"),
        json!("99999999999999999999d"),
        json!("99999999999999999999.1"),
        json!("24:00"),
        json!("02:00"),
        json!("-009999-01-01T00:00:00Z"),
        json!("SB9999"),
    ];
    for document in valid() {
        let mut all = Vec::new();
        places(&document, "", &mut all);
        for place in all {
            for value in &values {
                let mut changed = document.clone();
                *changed.pointer_mut(&place).expect("it is there") = value.clone();
                let text = serde_yaml::to_string(&changed).expect("it has a YAML");
                let (_, found) = manifest::read(registry().kinds(), [("a.yaml", &text)]);
                labels_hold(&found, text.as_bytes());
                let bug = found.iter().find(|diagnostic| diagnostic.code == codes::BUG);
                assert_eq!(bug, None, "{place} in\n{text}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let first = manifest::read(registry().kinds(), [("a.yaml", &bytes)]);
        labels_hold(&first.1, &bytes);
        prop_assert_eq!(manifest::read(registry().kinds(), [("a.yaml", &bytes)]), first);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in pieces()) {
        let first = manifest::read(registry().kinds(), [("a.yaml", &text)]);
        labels_hold(&first.1, text.as_bytes());
        let bug = first.1.iter().find(|diagnostic| diagnostic.code == codes::BUG);
        prop_assert_eq!(bug, None);
        prop_assert_eq!(manifest::read(registry().kinds(), [("a.yaml", &text)]), first);
    }

    /// What serde_yaml writes, both readers read alike.
    #[test]
    fn another_reader_agrees(value in documents()) {
        let text = serde_yaml::to_string(&value).expect("it has a YAML");
        let theirs: Value = serde_yaml::from_str(&text).expect("it reads its own");
        let (source, found) = source::read("a.yaml", text.as_bytes());
        let ours = match source.documents.as_slice() {
            [root] => root.to_value(),
            _ => Value::Null,
        };
        // It writes the key `<<` without quotes; here that is a merge key, and refused.
        let merges = found.iter().any(|diagnostic| diagnostic.code == codes::YAML_MERGE_KEY);
        if !merges {
            prop_assert_eq!(&ours, &theirs, "{}", text);
            prop_assert_eq!(&ours, &value, "{}", text);
        }
    }
}
