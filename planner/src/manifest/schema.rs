//! The schema of a kind, compiled to what finds all faults at once.

use jiff::{Timestamp, civil::Time};
use jsonschema::{Keyword, ValidationError, Validator};
use serde_json::{Map, Value};
use switchback_schemas::{Version, codes::Code, manifest::VersionTarget, name::Label, seconds::Length};

/// The schema of a kind, as JSON and as a validator.
pub(super) struct Compiled {
    pub(super) schema: Value,
    pub(super) validator: Validator,
}

/// Characters that a name may have; the patterns of the schemas do not say it.
const NAME_MAX: u64 = 253;

/// The keyword that refuses `3.0` where a whole number belongs: JSON Schema admits it, the types do not.
pub(super) const WHOLE: &str = "x-whole";

/// A form of text: its name as a format or definition, what reads it, and what it is called in a message.
#[derive(Debug)]
pub(super) struct Format {
    pub(super) name: &'static str,
    reads: fn(&str) -> bool,
    pub(super) about: &'static str,
}

/// Forms that a schema can only approximate by a pattern, or names without checking them.
pub(super) const FORMATS: [Format; 7] = [
    Format {
        name: "Version",
        reads: |text| text.parse::<Version>().is_ok(),
        about: "a version number such as '1.30' or v1.8.8",
    },
    Format {
        name: "VersionTarget",
        reads: |text| text.parse::<VersionTarget>().is_ok(),
        about: "a version such as '1.30', latest-supported, or a range such as '>=1.8 <1.12'",
    },
    Format {
        name: "Length",
        reads: |text| text.parse::<Length>().is_ok(),
        about: "a length of time such as 90s, 10m, 1h30m or 7d",
    },
    Format {
        name: "Label",
        reads: |text| text.parse::<Label>().is_ok(),
        about: "a name of lower-case letters, digits, '-' and '.'",
    },
    Format {
        name: "Code",
        reads: |text| Code::find(text).is_some(),
        about: "the code of a finding such as SB0409",
    },
    Format {
        name: "date-time",
        reads: |text| text.parse::<Timestamp>().is_ok(),
        about: "an instant such as 2026-11-20T09:12:00Z",
    },
    Format {
        name: "partial-time",
        reads: |text| text.parse::<Time>().is_ok(),
        about: "a time of day such as 02:00",
    },
];

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

pub(super) fn compile(schema: &schemars::Schema) -> Result<Compiled, String> {
    let mut schema = schema.as_value().clone();
    tighten(&mut schema);
    let options = FORMATS.into_iter().fold(jsonschema::draft202012::options(), |options, format| {
        options.with_format(format.name, format.reads)
    });
    let validator = options
        .should_validate_formats(true)
        .with_keyword(WHOLE, |_: &Map<String, Value>, _: &Value, _| Ok(Box::new(Whole)))
        .build(&schema)
        .map_err(|error| error.to_string())?;
    Ok(Compiled { schema, validator })
}

/// Adds what the types check beyond what a published schema says, so that a document that passes can be read.
fn tighten(schema: &mut Value) {
    if let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        for Format { name, .. } in FORMATS {
            if let Some(definition) = definitions.get_mut(name).and_then(Value::as_object_mut) {
                definition.insert("format".to_owned(), name.into());
            }
        }
    }
    each(schema, &mut |object| {
        let integer = match object.get("type") {
            Some(Value::Array(types)) => types.iter().any(|kind| kind == "integer"),
            kind => kind.is_some_and(|kind| kind == "integer"),
        };
        if integer {
            object.insert(WHOLE.to_owned(), true.into());
        }
        // The format says it, and no validator looks at it.
        if object.get("format").is_some_and(|format| format == "uint32") && !object.contains_key("maximum") {
            object.insert("maximum".to_owned(), u32::MAX.into());
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
        // What has a fraction is no integer to the schema either, and said there.
        instance.as_f64().is_none_or(|number| number.fract() != 0.0) || !instance.is_f64()
    }
}
