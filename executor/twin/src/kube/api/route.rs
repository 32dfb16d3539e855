//! Paths of the API.

use crate::call::decode;
use crate::kinds::Kind;
use crate::world::Key;

/// A path that addresses a resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Route {
    /// API group, empty for core.
    pub group: String,
    /// Version.
    pub version: String,
    /// Namespace, where the path has one.
    pub namespace: Option<String>,
    /// Plural.
    pub resource: String,
    /// Object name.
    pub name: Option<String>,
    /// Subresource.
    pub sub: Option<String>,
}

impl Route {
    /// Reads a path; `None` where it addresses no resource.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let parts: Vec<String> = path.split('/').filter(|p| !p.is_empty()).map(decode).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        // `namespaces/x` and its subresources are the namespace itself; with more it is a scope.
        let (namespace, rest) = match rest {
            ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (resource, name, sub) = match rest {
            [resource] => (*resource, None, None),
            [resource, name] => (*resource, Some(*name), None),
            [resource, name, sub] => (*resource, Some(*name), Some(*sub)),
            _ => return None,
        };
        Some(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace,
            resource: resource.to_owned(),
            name: name.map(str::to_owned),
            sub: sub.map(str::to_owned),
        })
    }

    /// The key of an object on this path.
    pub(crate) fn key(&self, kind: &Kind, name: &str) -> Key {
        let namespace = if kind.namespaced { self.namespace.as_deref().unwrap_or_default() } else { "" };
        Key::new(&kind.group, &kind.resource, namespace, name)
    }

    /// The path with its names replaced, as a missing row is named.
    pub(crate) fn shape(&self) -> String {
        let mut shape = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        if self.namespace.is_some() {
            shape.push_str("/namespaces/{ns}");
        }
        shape.push('/');
        shape.push_str(&self.resource);
        if self.name.is_some() {
            shape.push_str("/{name}");
        }
        if let Some(sub) = &self.sub {
            shape.push('/');
            shape.push_str(sub);
        }
        shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_objects_and_scopes() {
        let object = Route::parse("/api/v1/namespaces/a").unwrap();
        assert_eq!(
            (object.resource.as_str(), object.name.as_deref(), object.namespace),
            ("namespaces", Some("a"), None)
        );
        let pod = Route::parse("/api/v1/namespaces/a/pods/p/eviction").unwrap();
        assert_eq!(pod.shape(), "/api/v1/namespaces/{ns}/pods/{name}/eviction");
        assert_eq!(pod.namespace.as_deref(), Some("a"));
        assert_eq!(Route::parse("/healthz"), None);
    }
}
