//! What every upgrade says, whatever its kind, and documents that hold one.

use std::{any::Any, fmt::Debug};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use switchback_schemas::{
    Version,
    manifest::{Document, OnFailure, Requires},
    name::Label as Name,
};

use super::{DocRef, Spanned};

/// The spec of an upgrade of any kind.
pub trait Upgrade: Any + Debug + Send + Sync {
    /// The cluster that it moves something of.
    fn target(&self) -> &Name;
    /// The version to reach.
    fn to(&self) -> &Version;
    /// What must come first.
    fn requires(&self) -> &[Requires];
    /// Verifications after it.
    fn verify(&self) -> &[Name];
    /// What follows a failure, if it says so.
    fn on_failure(&self) -> Option<OnFailure>;
}

/// The spec of an upgrade, as its component writes and reads it.
pub trait Spec: Upgrade + Serialize + DeserializeOwned + JsonSchema {
    /// The kind of its documents.
    const KIND: &'static str;
}

/// [`Upgrade`] and [`Spec`] for a type that is named after its kind and has fields of these names.
#[macro_export]
macro_rules! upgrade {
    ($spec:ident) => {
        impl $crate::manifest::Upgrade for $spec {
            fn target(&self) -> &switchback_schemas::name::Label {
                &self.target
            }

            fn to(&self) -> &switchback_schemas::Version {
                &self.to
            }

            fn requires(&self) -> &[switchback_schemas::manifest::Requires] {
                &self.requires
            }

            fn verify(&self) -> &[switchback_schemas::name::Label] {
                &self.verify
            }

            fn on_failure(&self) -> Option<switchback_schemas::manifest::OnFailure> {
                self.on_failure
            }
        }

        impl $crate::manifest::Spec for $spec {
            const KIND: &'static str = stringify!($spec);
        }
    };
}
pub use crate::upgrade;

/// A document with an upgrade of a kind that only its component knows; read back by [`Manifests::of`](super::Manifests::of).
pub trait Written: Any + Debug + Send + Sync {
    /// Where it was written.
    fn doc(&self) -> DocRef;
    /// Its name.
    fn name(&self) -> &Name;
    /// What it says, as every upgrade says it.
    fn upgrade(&self) -> &dyn Upgrade;
    /// All that it says, with what it leaves out filled in.
    fn to_value(&self) -> Result<Value, serde_json::Error>;
}

impl<S: Spec> Written for Spanned<Document<S>> {
    fn doc(&self) -> DocRef {
        self.doc
    }

    fn name(&self) -> &Name {
        &self.metadata.name
    }

    fn upgrade(&self) -> &dyn Upgrade {
        &self.spec
    }

    fn to_value(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.value)
    }
}
