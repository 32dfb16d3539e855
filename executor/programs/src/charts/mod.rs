//! Charts: from what a plan names to what helm is given.

mod digest;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use switchback_executor::{foreign::text, ports::Failure};
use switchback_schemas::{
    Digest, Version,
    journal::{Class, Evidence},
    manifest::ChartSource,
    plan::Chart,
};

use crate::{
    helm::{Helm, HelmTarget, refused},
    port::{Arg, Programs, slot},
};

/// Finds charts.
#[async_trait]
pub trait Charts: Send + Sync {
    /// The words that make helm take exactly this chart.
    async fn fetch(&self, chart: &Chart) -> Result<Vec<Arg>, Failure>;
}

/// Charts by name, whatever their bytes: for a twin, whose charts are data of its world.
#[derive(Clone, Copy, Debug, Default)]
pub struct NamedCharts;

#[async_trait]
impl Charts for NamedCharts {
    async fn fetch(&self, chart: &Chart) -> Result<Vec<Arg>, Failure> {
        let reference = format!("{}/{}", chart.repository.trim_end_matches('/'), chart.name);
        Ok(vec![reference.into(), "--version".into(), chart.version.to_string().into()])
    }
}

/// Charts on disk: directories as they are, others pulled by helm once. Given to helm only if their bytes have the digest
/// that the plan was made with.
pub struct VerifiedCharts {
    helm: Helm,
    cache: PathBuf,
}

/// Where charts come from.
enum Place {
    Oci(String),
    Https(String),
    Directory(PathBuf),
}

impl Place {
    fn of(repository: &str) -> Self {
        let plain = || repository.trim_end_matches('/').to_owned();
        if repository.starts_with("oci://") {
            Self::Oci(plain())
        } else if repository.starts_with("https://") {
            Self::Https(plain())
        } else {
            Self::Directory(PathBuf::from(repository))
        }
    }
}

/// The text under which a plan keeps where a chart comes from.
pub(crate) fn repository(source: &ChartSource) -> &str {
    match source {
        ChartSource::Oci(address) | ChartSource::Https(address) | ChartSource::Directory(address) => address,
    }
}

impl VerifiedCharts {
    /// `cache` is a directory for archives that were pulled.
    pub fn new(programs: Arc<dyn Programs>, target: HelmTarget, cache: PathBuf) -> Self {
        Self { helm: Helm::new(programs, target), cache }
    }

    /// A chart on disk, and the digest of its bytes.
    pub(crate) async fn locate(
        &self,
        repository: &str,
        name: &str,
        version: &Version,
    ) -> Result<(PathBuf, Digest), Failure> {
        for part in [name, version.as_str()] {
            if part.starts_with(['-', '.']) || part.contains('/') || part.is_empty() {
                return Err(refused(format!("{part:?} is no name or version of a chart")));
            }
        }
        let (reference, more) = match Place::of(repository) {
            Place::Directory(directory) => {
                let path = directory.join(name).join(version.as_str());
                let digest = digest::of_directory(&path).map_err(|error| unread(&path, &error))?;
                return Ok((path, digest));
            }
            Place::Oci(repository) => (format!("{repository}/{name}"), Vec::new()),
            Place::Https(repository) => (name.to_owned(), vec!["--repo".to_owned(), repository]),
        };
        let of = Digest::of(format!("{repository}\n{name}\n{version}")).short(16);
        let directory = self.cache.join(format!("{name}-{version}-{of}"));
        if let Some(archive) = archive_in(&directory).map_err(|error| unread(&directory, &error))? {
            let digest = digest::of_file(&archive).map_err(|error| unread(&archive, &error))?;
            return Ok((archive, digest));
        }
        std::fs::create_dir_all(&directory).map_err(|error| unread(&directory, &error))?;
        let destination = directory.to_string_lossy();
        let mut args = vec!["pull", &reference, "--version", version.as_str(), "--destination", &destination];
        args.extend(more.iter().map(String::as_str));
        self.helm.read(slot(&["helm", "pull", name, version.as_str()]), &args).await?;
        let archive = archive_in(&directory).map_err(|error| unread(&directory, &error))?;
        let archive =
            archive.ok_or_else(|| refused(format!("helm pulled {name} {version} and left no archive")))?;
        let digest = digest::of_file(&archive).map_err(|error| unread(&archive, &error))?;
        Ok((archive, digest))
    }
}

#[async_trait]
impl Charts for VerifiedCharts {
    async fn fetch(&self, chart: &Chart) -> Result<Vec<Arg>, Failure> {
        let (path, digest) = self.locate(&chart.repository, &chart.name, &chart.version).await?;
        if digest != chart.digest {
            return Err(refused(format!(
                "chart {} {} at {} is not the one that the plan was made with ({digest:?} instead of {:?}); resolve and plan again",
                chart.name, chart.version, chart.repository, chart.digest
            )));
        }
        Ok(vec![path_arg(&path)])
    }
}

/// A path that helm cannot take for a name in a repository, or for a flag.
pub(crate) fn path_arg(path: &Path) -> Arg {
    if path.is_absolute() {
        path.to_string_lossy().into_owned().into()
    } else {
        format!("./{}", path.display()).into()
    }
}

fn archive_in(directory: &Path) -> io::Result<Option<PathBuf>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut archives: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| path.as_ref().map_or(true, |path| path.extension().is_some_and(|end| end == "tgz")))
        .collect::<io::Result<_>>()?;
    archives.sort();
    Ok(archives.into_iter().next())
}

fn unread(path: &Path, error: &io::Error) -> Failure {
    Failure {
        class: Class::Refused,
        evidence: Evidence::line(text::line(&format!(
            "the chart {} cannot be read: {error}",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(repository: &str) -> Chart {
        Chart {
            name: "karpenter".into(),
            repository: repository.into(),
            version: "1.8.8".parse().unwrap(),
            digest: Digest::of("x"),
        }
    }

    #[tokio::test]
    async fn named_charts_are_named_with_their_version() {
        let words = NamedCharts.fetch(&chart("oci://public.ecr.aws/karpenter/")).await.unwrap();
        let expected = ["oci://public.ecr.aws/karpenter/karpenter", "--version", "1.8.8"].map(Arg::from);
        assert_eq!(words, expected);
    }

    #[test]
    fn paths_are_never_taken_for_names() {
        assert_eq!(path_arg(Path::new("charts/demo/1.0.0")), Arg::from("./charts/demo/1.0.0"));
        assert_eq!(path_arg(Path::new("/charts/demo/1.0.0")), Arg::from("/charts/demo/1.0.0"));
    }
}
