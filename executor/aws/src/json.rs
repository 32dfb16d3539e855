//! Objects of JSON in which nothing stands for what is not there.

use serde_json::{Map, Value};

/// An object that is filled field by field.
#[derive(Debug, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// A field, if it is there.
    pub(crate) fn put(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    /// A list; an empty one stays.
    pub(crate) fn list(self, name: &str, items: impl IntoIterator<Item = Value>) -> Self {
        self.put(name, Some(Value::Array(items.into_iter().collect())))
    }

    /// A list of texts.
    pub(crate) fn texts(self, name: &str, items: &[String]) -> Self {
        self.list(name, items.iter().map(|item| Value::String(item.clone())))
    }

    /// The object.
    pub(crate) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// An instant as text.
pub(crate) fn instant(of: Option<&aws_smithy_types::DateTime>) -> Option<String> {
    crate::time::instant(of).map(|instant| instant.to_string())
}
