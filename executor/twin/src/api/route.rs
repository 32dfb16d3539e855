//! Paths of the API.

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

/// Decodes percent signs; `+` stays in paths.
pub(crate) fn decode(part: &str) -> String {
    let bytes = part.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail
            .get(..2)
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads a query.
pub(crate) fn query(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|p| !p.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
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

    #[test]
    fn a_query_is_decoded() {
        assert_eq!(
            query("labelSelector=a%3Db%2Cc&watch"),
            [("labelSelector".into(), "a=b,c".into()), ("watch".into(), String::new())]
        );
        assert_eq!(decode("100%"), "100%");
    }
}
