//! Paths of the API. A name from a plan or from another system cannot leave its segment.

use std::fmt::Write;

use switchback_executor::untrusted::text::url_part;

use super::Resource;
use super::classify::CallError;

/// The path of an object, or of all objects of a kind when `name` is absent.
pub(crate) fn object_path(
    resource: &Resource,
    namespace: Option<&str>,
    name: Option<&str>,
    subresource: Option<&str>,
) -> Result<String, CallError> {
    let mut path = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", segment(&resource.group)?, segment(&resource.version)?)
    };
    if resource.namespaced {
        match namespace {
            Some(namespace) => {
                path.push_str("/namespaces/");
                path.push_str(&segment(namespace)?);
            }
            None if name.is_some() => {
                let what = format!("{} {} without a namespace", resource.kind, name.unwrap_or_default());
                return Err(CallError::Malformed { what });
            }
            None => {}
        }
    }
    for part in [Some(resource.plural.as_str()), name, subresource].into_iter().flatten() {
        path.push('/');
        path.push_str(&segment(part)?);
    }
    Ok(path)
}

/// Adds query parameters to a path.
pub(crate) fn query_path(path: &str, query: &[(&str, &str)]) -> String {
    let mut out = path.to_owned();
    for (i, (name, value)) in query.iter().enumerate() {
        out.push(if i == 0 { '?' } else { '&' });
        // Writing to a String cannot fail.
        let _ = write!(out, "{name}={}", url_part(value));
    }
    out
}

/// A segment of a path. What the API server refuses as a name (`.`, `..`, anything with `/` or `%`) is refused here.
fn segment(text: &str) -> Result<String, CallError> {
    if matches!(text, "" | "." | "..") || text.contains(['/', '%']) {
        let what = format!("{:?} cannot be a part of a path", text.chars().take(80).collect::<String>());
        return Err(CallError::Malformed { what });
    }
    Ok(url_part(text).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods() -> Resource {
        Resource {
            group: String::new(),
            version: "v1".into(),
            kind: "Pod".into(),
            plural: "pods".into(),
            namespaced: true,
        }
    }

    #[test]
    fn paths_name_one_object() {
        let path = object_path(&pods(), Some("a"), Some("p-0"), Some("eviction")).unwrap();
        assert_eq!(path, "/api/v1/namespaces/a/pods/p-0/eviction");
        assert_eq!(object_path(&pods(), None, None, None).unwrap(), "/api/v1/pods");
        let query = query_path("/x", &[("labelSelector", "a=b,c"), ("limit", "500")]);
        assert_eq!(query, "/x?labelSelector=a%3Db%2Cc&limit=500");
    }

    #[test]
    fn names_cannot_leave_their_segment() {
        for name in ["..", "../nodes/n", "a%2f..", "", "a/b"] {
            assert!(object_path(&pods(), Some("a"), Some(name), None).is_err(), "{name}");
        }
        assert_eq!(
            object_path(&pods(), Some("a"), Some("x?y"), None).unwrap(),
            "/api/v1/namespaces/a/pods/x%3Fy"
        );
        assert!(object_path(&pods(), None, Some("p"), None).is_err());
    }
}
