//! The schemas of all kinds, compiled once.

use std::sync::OnceLock;

use jiff::{Timestamp, civil::Time};
use jsonschema::{Keyword, ValidationError, Validator};
use serde_json::{Map, Value};
use switchback_schemas::{Version, codes::Code, manifest::Kind, name::Label, seconds::Length};

/// The schema of a kind, as JSON and as a validator.
pub(super) struct Compiled {
    pub(super) schema: Value,
    pub(super) validator: Validator,
}

/// Characters that a name may have; the patterns of the schemas do not say it.
const NAME_MAX: u64 = 253;

/// The keyword that refuses `3.0` where a whole number belongs: JSON Schema admits it, the types do not.
pub(super) const WHOLE: &str = "x-whole";

/// The schema of a kind. An error is one of ours.
pub(super) fn of(kind: Kind) -> Result<&'static Compiled, String> {
    static ALL: OnceLock<Vec<(Kind, Result<Compiled, String>)>> = OnceLock::new();
    let all = ALL.get_or_init(|| Kind::ALL.map(|kind| (kind, compile(kind))).into());
    match all.iter().find(|(known, _)| *known == kind) {
        Some((_, Ok(compiled))) => Ok(compiled),
        Some((_, Err(error))) => Err(error.clone()),
        None => Err(format!("no schema for {}", kind.as_str())),
    }
}

fn compile(kind: Kind) -> Result<Compiled, String> {
    let mut schema = kind.schema().to_value();
    tighten(&mut schema);
    let validator = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .with_format("Version", |text: &str| text.parse::<Version>().is_ok())
        .with_format("Length", |text: &str| text.parse::<Length>().is_ok())
        .with_format("Label", |text: &str| text.parse::<Label>().is_ok())
        .with_format("Code", |text: &str| Code::find(text).is_some())
        .with_format("date-time", |text: &str| text.parse::<Timestamp>().is_ok())
        .with_format("partial-time", |text: &str| text.parse::<Time>().is_ok())
        .with_keyword(WHOLE, |_: &Map<String, Value>, _: &Value, _| Ok(Box::new(Whole)))
        .build(&schema)
        .map_err(|error| error.to_string())?;
    Ok(Compiled { schema, validator })
}

/// Adds what the types check beyond what a published schema says, so that a document that passes can be read.
fn tighten(schema: &mut Value) {
    if let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        for name in ["Version", "Length", "Label", "Code"] {
            if let Some(definition) = definitions.get_mut(name).and_then(Value::as_object_mut) {
                definition.insert("format".to_owned(), name.into());
            }
        }
    }
    each(schema, &mut |object| {
        if object.get("type").is_some_and(|kind| kind == "integer") {
            object.insert(WHOLE.to_owned(), true.into());
        }
        if object.contains_key("patternProperties") {
            object.insert("propertyNames".to_owned(), serde_json::json!({"maxLength": NAME_MAX}));
        }
    });
}

fn each(schema: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    match schema {
        Value::Object(object) => {
            change(object);
            object.values_mut().for_each(|value| each(value, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each(item, change)),
        _ => {}
    }
}

struct Whole;

impl<'i> Keyword<'i> for Whole {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        match Keyword::is_valid(self, instance) {
            true => Ok(()),
            false => Err(ValidationError::custom("a whole number")),
        }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        !instance.is_f64()
    }
}
