//! Names of container images.

use switchback_schemas::Version;

/// The name of an image: repository, tag and digest, the last two of them where it has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image<'a>(pub &'a str);

impl<'a> Image<'a> {
    /// Its tag; `None` for a digest or nothing. A registry's port is no tag.
    pub fn tag(self) -> Option<&'a str> {
        let (name, _) = self.0.split_once('@').unwrap_or((self.0, ""));
        let last = name.rsplit('/').next()?;
        last.split_once(':').map(|(_, tag)| tag)
    }

    /// The last part of its repository.
    pub fn name(self) -> &'a str {
        let (name, _) = self.0.split_once('@').unwrap_or((self.0, ""));
        let last = name.rsplit('/').next().unwrap_or_default();
        last.split_once(':').map_or(last, |(name, _)| name)
    }

    /// The version that its tag is; `None` where it has no tag that is one.
    pub fn version(self) -> Option<Version> {
        self.tag()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::Image;

    #[test]
    fn a_registry_port_is_no_tag() {
        assert_eq!(Image("registry:5000/team/app").tag(), None);
        assert_eq!(Image("registry:5000/team/app:1.2").tag(), Some("1.2"));
        assert_eq!(Image("app:1.2@sha256:00").tag(), Some("1.2"));
        assert_eq!(Image("app").tag(), None);
        assert_eq!(Image("registry:5000/team/app:1.2@sha256:00").name(), "app");
        assert_eq!(Image("app").name(), "app");
    }
}
