//! Tests of fields.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Version,
    plan::{Arguments, Operand},
};

/// What must be true of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Test")]
pub enum Test<V = Operand> {
    /// It is there.
    Present {},
    /// It is not there.
    Absent {},
    /// It is equal to this.
    Equals(V),
    /// It is not equal to this, or not there.
    Differs(V),
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is a text that contains this, or a list that holds it; an object is held by a list if one of its members
    /// has at least these fields (`{"type": "Ready", "status": "True"}` finds a condition).
    Contains(Value),
    /// It is a whole number of at least this.
    AtLeast(u64),
    /// It is a version of at least this.
    VersionAtLeast(Version),
    /// It is a version below this.
    VersionBelow(Version),
}

/// A test of one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "FieldTest")]
pub struct FieldTest<V = Operand> {
    /// JSON pointer into the object.
    pub pointer: String,
    /// What must be true of it.
    pub is: Test<V>,
}

impl Test {
    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<Test<A::Value>, A::Error> {
        Ok(match self {
            Self::Present {} => Test::Present {},
            Self::Absent {} => Test::Absent {},
            Self::Equals(value) => Test::Equals(by.value(value)?),
            Self::Differs(value) => Test::Differs(by.value(value)?),
            Self::OneOf(values) => Test::OneOf(values.clone()),
            Self::Contains(value) => Test::Contains(value.clone()),
            Self::AtLeast(least) => Test::AtLeast(*least),
            Self::VersionAtLeast(version) => Test::VersionAtLeast(version.clone()),
            Self::VersionBelow(version) => Test::VersionBelow(version.clone()),
        })
    }
}

impl FieldTest {
    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<FieldTest<A::Value>, A::Error> {
        Ok(FieldTest { pointer: self.pointer.clone(), is: self.is.map(by)? })
    }
}
