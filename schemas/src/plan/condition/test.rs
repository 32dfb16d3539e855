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
    /// It is a quantity of Kubernetes (`8`, `"8"`, `"1k"`) of at least this.
    QuantityAtLeast(u64),
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

impl<V> Test<V> {
    /// The same with other values.
    pub fn with<U, E>(&self, mut value: impl FnMut(&V) -> Result<U, E>) -> Result<Test<U>, E> {
        Ok(match self {
            Self::Present {} => Test::Present {},
            Self::Absent {} => Test::Absent {},
            Self::Equals(is) => Test::Equals(value(is)?),
            Self::Differs(is) => Test::Differs(value(is)?),
            Self::OneOf(values) => Test::OneOf(values.clone()),
            Self::Contains(value) => Test::Contains(value.clone()),
            Self::AtLeast(least) => Test::AtLeast(*least),
            Self::QuantityAtLeast(least) => Test::QuantityAtLeast(*least),
            Self::VersionAtLeast(version) => Test::VersionAtLeast(version.clone()),
            Self::VersionBelow(version) => Test::VersionBelow(version.clone()),
        })
    }
}

impl Test {
    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<Test<A::Value>, A::Error> {
        self.with(|operand| by.value(operand))
    }
}

impl FieldTest {
    /// The same with other arguments.
    pub fn map<A: Arguments>(&self, by: &mut A) -> Result<FieldTest<A::Value>, A::Error> {
        Ok(FieldTest { pointer: self.pointer.clone(), is: self.is.map(by)? })
    }
}

impl FieldTest<Value> {
    /// The same in a plan, which fixes its value.
    pub fn fixed(&self) -> FieldTest {
        let fixed = |value: &Value| Ok::<_, std::convert::Infallible>(Operand::Value(value.clone()));
        let Ok(is) = self.is.with(fixed);
        FieldTest { pointer: self.pointer.clone(), is }
    }
}
