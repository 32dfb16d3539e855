//! The shape of one document against the schema of its kind.

use std::collections::BTreeSet;

use serde_json::Value;
use switchback_schemas::{Diagnostic, Label, codes};

use super::{
    finding::{self, Finding, What},
    nearest::{all, any, help, nearest},
    place::Place,
    schema::{Compiled, Format},
};
use crate::source::{MAX_FAULTS, Scalar};

/// All faults of shape, and numbers that YAML reads differently from what stands there.
pub(super) fn check(compiled: Result<&Compiled, String>, value: &Value, place: &Place) -> Vec<Diagnostic> {
    let compiled = match compiled {
        Ok(compiled) => compiled,
        Err(error) => {
            return vec![Diagnostic::error(codes::BUG, format!("a schema cannot be compiled: {error}"))];
        }
    };
    let mut findings: Vec<Finding> = Vec::new();
    'all: for error in compiled.validator.iter_errors(value) {
        for finding in finding::of(&error, &compiled.schema) {
            if findings.len() >= ENOUGH {
                break 'all;
            }
            // A pattern and the type behind it complain about the same text.
            if !findings.contains(&finding) && !told(place, &finding) {
                findings.push(finding);
            }
        }
    }
    let named: BTreeSet<&str> = findings.iter().map(|finding| finding.at.as_str()).collect();
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    place.root.scalars(&mut |pointer, node, scalar| {
        if !node.faulty && !named.contains(pointer) {
            diagnostics.extend(altered(place, pointer, scalar));
        }
    });
    diagnostics.extend(findings.iter().map(|finding| diagnostic(place, finding)));
    diagnostics
}

/// Findings of one document after which it is not looked at any further.
const ENOUGH: usize = 10 * MAX_FAULTS;

/// Whether a finding only follows from something that was refused in the text: the value of a node with a tag, or a
/// field that a merge key would have brought.
fn told(place: &Place, finding: &Finding) -> bool {
    let node = place.root.find(&finding.at).node.resolved();
    node.faulty && (node.entries().is_none() || matches!(finding.what, What::Missing { .. }))
}

/// A number that is not what stands there: `1.30` is 1.3.
fn altered(place: &Place, pointer: &str, scalar: &Scalar) -> Option<Diagnostic> {
    let number = scalar.altered()?;
    let text = &scalar.text;
    let looks_like_version = text.contains('.') && text.ends_with('0');
    let code = if looks_like_version { codes::MANIFEST_VERSION_NOT_TEXT } else { codes::MANIFEST_BAD_VALUE };
    Some(
        Diagnostic::error(code, format!("to YAML, {text} without quotes is the number {number}"))
            .at_all(place.labels(pointer, &format!("this is {number}")))
            .help(format!("write '{text}' if it is a text or a version, {number} if it is a number")),
    )
}

fn diagnostic(place: &Place, finding: &Finding) -> Diagnostic {
    let at = finding.at.as_str();
    let node = place.root.find(at).node;
    let here = |text: &str| place.labels(at, text);
    match &finding.what {
        What::UnknownField { key, known } => {
            let known = known.iter().map(String::as_str);
            Diagnostic::error(codes::MANIFEST_UNKNOWN_FIELD, format!("{} has no field `{key}`", subject(at)))
                .at_all(place.key_labels(at, key, "not a field here"))
                .help(help(key, "its fields are", known))
        }
        What::BadKey { key } => {
            Diagnostic::error(codes::MANIFEST_BAD_VALUE, format!("`{}` is not a name", cut(key)))
                .at_all(place.key_labels(at, key, "not a name"))
                .help("names have lower-case letters, digits, '-' and '.', and begin with a letter or digit")
        }
        What::Missing { field } => {
            Diagnostic::error(codes::MANIFEST_MISSING_FIELD, format!("{} lacks `{field}`", subject(at)))
                .at_all(place.first_labels(at, &format!("`{field}` is missing beside this")))
                .help(format!("add `{field}:`"))
        }
        What::Type { expected, of, fields } => wrong_type(node.scalar(), expected, *of, fields, &here),
        What::Word { allowed } => {
            let text = said(node.scalar());
            let words = allowed.iter().map(String::as_str);
            let given = node.scalar().map_or("", |scalar| scalar.text.as_str());
            let help = match nearest(given, words.clone()) {
                Some(word) => format!("did you mean `{word}`? allowed: {}", any(words)),
                None => format!("allowed: {}", any(words)),
            };
            Diagnostic::error(codes::MANIFEST_BAD_VALUE, format!("{text} is not allowed for {}", subject(at)))
                .at_all(here("not one of the allowed words"))
                .help(help)
        }
        What::OneKey { allowed } => one_key(place, at, allowed),
        What::Form { about } => {
            let message = format!("{} is not {about}", said(node.scalar()));
            Diagnostic::error(codes::MANIFEST_BAD_VALUE, message)
                .at_all(here("not of the form that belongs here"))
                .help(format!("write {about}"))
        }
        What::Bounds { rule } => {
            let message = format!("{} is not allowed for {}: {rule}", said(node.scalar()), subject(at));
            Diagnostic::error(codes::MANIFEST_BAD_VALUE, message)
                .at_all(here("outside of what is allowed"))
                .help(format!("write {rule}"))
        }
    }
}

fn wrong_type(
    scalar: Option<&Scalar>,
    expected: &[&'static str],
    of: Option<&Format>,
    fields: &[String],
    here: &dyn Fn(&str) -> Vec<Label>,
) -> Diagnostic {
    let expected_words = expected.join(" or ");
    let name = of.map(|format| format.name);
    let Some(scalar) = scalar else {
        let message = format!("{expected_words} is expected here");
        return Diagnostic::error(codes::MANIFEST_WRONG_TYPE, message)
            .at_all(here(&format!("not {expected_words}")))
            .help(format!("write {}", of.map_or(expected_words.as_str(), |format| format.about)));
    };
    let value = scalar.value();
    let text = &scalar.text;
    if let (["true or false"], Some(boolean)) = (expected, scalar.yaml_1_1_boolean()) {
        return Diagnostic::error(
            codes::MANIFEST_YAML_1_1_BOOLEAN,
            format!("`{text}` is a text, not {boolean}"),
        )
        .at_all(here("only YAML 1.1 reads this as true or false"))
        .help(format!("write {boolean}"));
    }
    if expected.contains(&"a text") && value.is_number() {
        let message = match scalar.altered() {
            Some(number) => format!("to YAML, {text} without quotes is the number {number}"),
            None => format!("to YAML, {text} without quotes is a number"),
        };
        let code = match name {
            Some("Version" | "VersionTarget") => codes::MANIFEST_VERSION_NOT_TEXT,
            _ => codes::MANIFEST_WRONG_TYPE,
        };
        let help = match name {
            // A bare number is no length of time, quoted or not.
            Some("Length") => format!("give it a unit: {text}s, {text}m, {text}h or {text}d"),
            _ => format!("quote it: '{text}'"),
        };
        return Diagnostic::error(code, message).at_all(here("a text is expected here")).help(help);
    }
    let found = match value {
        Value::Null => "nothing".to_owned(),
        _ => said(Some(scalar)),
    };
    let help = match (&value, expected) {
        (Value::Bool(_), _) if expected.contains(&"a text") => format!("quote it: '{text}'"),
        (Value::Null, _) => format!("give it a value or remove the field; {expected_words} is expected"),
        (Value::String(_), ["a whole number" | "a number"]) if text.parse::<f64>().is_ok() => {
            format!("remove the quotes: {text}")
        }
        (Value::String(_), ["true or false"]) if matches!(text.as_str(), "true" | "false") => {
            format!("remove the quotes: {text}")
        }
        (_, ["a list"]) => "write a list: `- item` on lines of their own, or [item, item]".to_owned(),
        (_, ["a mapping"]) if fields.is_empty() => "write its keys with their values below it".to_owned(),
        (_, ["a mapping"]) => {
            format!("write its fields below it: {}", all(fields.iter().map(String::as_str)))
        }
        _ => format!("write {expected_words}"),
    };
    Diagnostic::error(codes::MANIFEST_WRONG_TYPE, format!("{expected_words} is expected here, not {found}"))
        .at_all(here(&format!("not {expected_words}")))
        .help(help)
}

/// A choice by key: none, a wrong one, or several.
fn one_key(place: &Place, at: &str, allowed: &[String]) -> Diagnostic {
    let node = place.root.find(at).node;
    let allowed = allowed.iter().map(String::as_str);
    let keys: Vec<&str> = node.entries().unwrap_or_default().iter().map(|entry| entry.key.as_str()).collect();
    let stranger = keys.iter().copied().find(|key| !allowed.clone().any(|known| known == *key));
    match (stranger, keys.as_slice()) {
        (Some(key), _) => Diagnostic::error(
            codes::MANIFEST_UNKNOWN_FIELD,
            format!("{} cannot be `{}`", subject(at), cut(key)),
        )
        .at_all(place.key_labels(at, key, "not one of its forms"))
        .help(match nearest(key, allowed.clone()) {
            Some(name) => format!("did you mean `{name}`? its forms are {}", all(allowed)),
            None => format!("its forms are {}", all(allowed)),
        }),
        (None, [_, second, ..]) => {
            Diagnostic::error(codes::MANIFEST_CONFLICT, format!("{} can have one form only", subject(at)))
                .at_all(place.key_labels(at, second, "a second form"))
                .help(format!("keep one of {}", all(keys.iter().copied())))
        }
        (None, _) => {
            let message = format!("{} needs one of its forms", subject(at));
            Diagnostic::error(codes::MANIFEST_WRONG_TYPE, message)
                .at_all(place.labels(at, "a mapping with one key is expected here"))
                .help(format!("write {} as a key below it", any(allowed)))
        }
    }
}

/// What a pointer is about, as a person would say it: `spec.rollout`, `spec.pools[0]`, `the document`.
fn subject(at: &str) -> String {
    if at.is_empty() {
        return "the document".to_owned();
    }
    let mut path = String::new();
    for token in at.split('/').skip(1) {
        if token.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push('[');
            path.push_str(token);
            path.push(']');
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&token.replace("~1", "/").replace("~0", "~"));
        }
    }
    format!("`{}`", cut(&path))
}

/// A scalar as it stands there, short enough for a message.
fn said(scalar: Option<&Scalar>) -> String {
    scalar.map_or_else(|| "this".to_owned(), |scalar| format!("`{}`", cut(&scalar.text)))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
