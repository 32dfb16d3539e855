//! What a schema finds wrong, brought down from the nested errors of `oneOf` and `anyOf` to the one thing to fix.

use jsonschema::{
    JsonType, ValidationError,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value;

use super::schema::{FORMATS, Format};

/// One fault of shape, at a JSON pointer of the document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) at: String,
    pub(super) what: What,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// A mapping has a key that its schema does not know.
    UnknownField { key: String, known: Vec<String> },
    /// A mapping has a key that is not of the form its names have.
    BadKey { key: String },
    /// A mapping lacks a key.
    Missing { field: String },
    /// The value is of another type.
    Type { expected: Vec<&'static str>, of: Option<&'static Format>, fields: Vec<String> },
    /// The value is none of the allowed words.
    Word { allowed: Vec<String> },
    /// The mapping must have exactly one of these keys.
    OneKey { allowed: Vec<String> },
    /// The text does not have the form that the schema describes.
    Form { about: String },
    /// The value lies outside of what is allowed.
    Bounds { rule: String },
}

/// The findings of one error.
pub(super) fn of(error: &ValidationError<'_>, schema: &Value) -> Vec<Finding> {
    let at = error.instance_path().as_str().to_owned();
    let rule = error.schema_path().as_str();
    let one = |what| vec![Finding { at: at.clone(), what }];
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let parent = parent(schema, rule);
            let names = parent.is_some_and(|parent| parent.get("patternProperties").is_some());
            let known = parent.map(fields).unwrap_or_default();
            let what = |key: &String| match names {
                true => What::BadKey { key: key.clone() },
                false => What::UnknownField { key: key.clone(), known: known.clone() },
            };
            unexpected.iter().map(|key| Finding { at: at.clone(), what: what(key) }).collect()
        }
        ValidationErrorKind::PropertyNames { error } => {
            let key = error.instance().as_str().unwrap_or_default().to_owned();
            one(What::BadKey { key })
        }
        ValidationErrorKind::Required { property } => {
            one(What::Missing { field: property.as_str().unwrap_or_default().to_owned() })
        }
        ValidationErrorKind::Type { kind } => {
            let fields = parent(schema, rule).map(fields).unwrap_or_default();
            one(What::Type { expected: types(kind), of: format(definition(rule)), fields })
        }
        ValidationErrorKind::Constant { expected_value } => {
            one(What::Word { allowed: words([&**expected_value]) })
        }
        ValidationErrorKind::Enum { options } => {
            one(What::Word { allowed: words(options.as_array().into_iter().flatten()) })
        }
        ValidationErrorKind::AnyOf { context }
        | ValidationErrorKind::OneOfNotValid { context }
        | ValidationErrorKind::OneOfMultipleValid { context } => {
            let branches =
                context.iter().map(|errors| errors.iter().flat_map(|error| of(error, schema)).collect());
            choose(&at, error.instance(), branches.collect(), schema.pointer(rule))
        }
        ValidationErrorKind::Pattern { pattern } => {
            let about = format(definition(rule));
            one(What::Form {
                about: about.map_or_else(|| format!("of the form {pattern}"), |known| known.about.into()),
            })
        }
        ValidationErrorKind::Format { format: name } => {
            let about = format(Some(name));
            one(What::Form { about: about.map_or_else(|| format!("a {name}"), |known| known.about.into()) })
        }
        ValidationErrorKind::Minimum { limit } => one(What::Bounds { rule: format!("at least {limit}") }),
        ValidationErrorKind::Maximum { limit } => one(What::Bounds { rule: format!("at most {limit}") }),
        ValidationErrorKind::MinItems { limit } => {
            one(What::Bounds { rule: format!("at least {limit} items") })
        }
        ValidationErrorKind::Custom { message, .. } => one(What::Form { about: message.clone() }),
        other => one(What::Bounds { rule: format!("the schema's rule `{}`", other.keyword()) }),
    }
}

/// Of the branches of a choice the one that was meant, or what the choice is between.
fn choose(at: &str, value: &Value, branches: Vec<Vec<Finding>>, options: Option<&Value>) -> Vec<Finding> {
    let here = |finding: &Finding| finding.at == at;
    let nothing = |finding: &Finding| {
        here(finding) && matches!(&finding.what, What::Type { expected, .. } if expected == &["nothing"])
    };
    // `field or nothing`: the other branch says what is wrong.
    let mut branches: Vec<Vec<Finding>> =
        branches.into_iter().filter(|branch| !branch.iter().any(nothing)).collect();
    if branches.len() == 1 {
        return branches.pop().unwrap_or_default();
    }
    let allowed: Vec<String> = branches
        .iter()
        .flatten()
        .filter(|finding| here(finding))
        .flat_map(|finding| match &finding.what {
            What::Word { allowed } => allowed.clone(),
            _ => Vec::new(),
        })
        .collect();
    if !allowed.is_empty() {
        return vec![Finding { at: at.to_owned(), what: What::Word { allowed } }];
    }
    // Alternatives that are told apart by their only key.
    let allowed = tags(options);
    if !value.is_object() {
        return vec![Finding { at: at.to_owned(), what: What::OneKey { allowed } }];
    }
    let stranger =
        |finding: &Finding| here(finding) && matches!(finding.what, What::Missing { .. } | What::Type { .. });
    let mut meant: Vec<Vec<Finding>> =
        branches.into_iter().filter(|branch| !branch.iter().any(stranger)).collect();
    match meant.len() {
        1 => meant.pop().unwrap_or_default(),
        _ => vec![Finding { at: at.to_owned(), what: What::OneKey { allowed } }],
    }
}

fn tags(options: Option<&Value>) -> Vec<String> {
    let options = options.and_then(Value::as_array);
    let tag = |option: &Value| option.get("required")?.get(0)?.as_str().map(str::to_owned);
    options.into_iter().flatten().filter_map(tag).collect()
}

/// The schema that a keyword stands in.
fn parent<'a>(schema: &'a Value, rule: &str) -> Option<&'a Value> {
    schema.pointer(rule.rsplit_once('/')?.0)
}

fn fields(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

/// The definition whose own keyword failed: `Version` for `/$defs/Version/type`.
fn definition(rule: &str) -> Option<&str> {
    let mut parts = rule.strip_prefix("/$defs/")?.split('/');
    let name = parts.next()?;
    (parts.count() == 1).then_some(name)
}

fn format(name: Option<&str>) -> Option<&'static Format> {
    FORMATS.iter().find(|format| Some(format.name) == name)
}

fn words<'a>(values: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    values.into_iter().map(word).collect()
}

fn types(kind: &TypeKind) -> Vec<&'static str> {
    let all = [
        (JsonType::Object, "a mapping"),
        (JsonType::Array, "a list"),
        (JsonType::String, "a text"),
        (JsonType::Integer, "a whole number"),
        (JsonType::Number, "a number"),
        (JsonType::Boolean, "true or false"),
        (JsonType::Null, "nothing"),
    ];
    let expected = |json: JsonType| match kind {
        TypeKind::Single(single) => *single == json,
        TypeKind::Multiple(set) => set.contains(json),
    };
    all.into_iter().filter(|(json, _)| expected(*json)).map(|(_, words)| words).collect()
}
