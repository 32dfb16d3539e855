//! Charts: from what a plan names to what helm is given.

mod digest;
mod files;
mod lookups;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use switchback_executor::{ports::Failure, untrusted::text};
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

/// Charts on disk: directories as they are, others pulled by helm and kept by their digest. Given to helm only if their bytes have the digest
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

    /// A chart on disk, and the digest of its bytes. One that is wanted by its digest is pulled only if it is not kept;
    /// without a digest it is always pulled, since a version may have been published anew.
    pub(crate) async fn locate(
        &self,
        repository: &str,
        name: &str,
        version: &Version,
        wanted: Option<&Digest>,
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
        let kept = |digest: &Digest| self.cache.join(format!("{name}-{version}-{}.tgz", digest.short(16)));
        if let Some(wanted) = wanted
            && digest::of_file(&kept(wanted)).is_ok_and(|digest| digest == *wanted)
        {
            return Ok((kept(wanted), *wanted));
        }
        // Pulled beside the place where it is kept, and moved there whole: a process that is killed leaves no half archive.
        let pulled = self.cache.join(format!("pull-{name}-{version}-{}", std::process::id()));
        std::fs::create_dir_all(&pulled).map_err(|error| unread(&pulled, &error))?;
        let destination = pulled.to_string_lossy();
        let mut args = vec!["pull", &reference, "--version", version.as_str(), "--destination", &destination];
        args.extend(more.iter().map(String::as_str));
        self.helm.read(slot(&["helm", "pull", name, version.as_str()]), &args).await?;
        let archive = archive_in(&pulled).map_err(|error| unread(&pulled, &error))?;
        let archive =
            archive.ok_or_else(|| refused(format!("helm pulled {name} {version} and left no archive")))?;
        let digest = digest::of_file(&archive).map_err(|error| unread(&archive, &error))?;
        let kept = kept(&digest);
        std::fs::rename(&archive, &kept).map_err(|error| unread(&kept, &error))?;
        std::fs::remove_dir_all(&pulled).map_err(|error| unread(&pulled, &error))?;
        Ok((kept, digest))
    }
}

#[async_trait]
impl Charts for VerifiedCharts {
    async fn fetch(&self, chart: &Chart) -> Result<Vec<Arg>, Failure> {
        let (path, digest) =
            self.locate(&chart.repository, &chart.name, &chart.version, Some(&chart.digest)).await?;
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
    let paths: Vec<PathBuf> =
        std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    Ok(paths.into_iter().find(|path| path.extension().is_some_and(|end| end == "tgz")))
}

/// Templates of a chart that call `lookup`.
pub(crate) fn lookups(chart: &Path) -> Result<Vec<String>, Failure> {
    lookups::of(chart).map_err(|error| unread(chart, &error))
}

/// The YAML files that lie directly in a directory of a chart.
pub(crate) fn yaml_of(chart: &Path, inside: &str) -> Result<Vec<String>, Failure> {
    files::yaml_of(chart, inside).map_err(|error| unread(chart, &error))
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
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;
    use crate::port::{Exit, Invocation, RunError, Settled};

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

    /// Plays `helm pull`: leaves an archive with these bytes, and counts.
    struct Pulling(&'static str, AtomicUsize);

    #[async_trait]
    impl Programs for Pulling {
        async fn run(&self, call: &Invocation) -> Result<Exit, RunError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            let words: Vec<&str> = call
                .argv
                .iter()
                .map(|arg| match arg {
                    Arg::Text(text) | Arg::File(text) => text.as_str(),
                })
                .collect();
            let ["helm", "pull", "oci://r.example/karpenter", "--version", "1.8.8", "--destination", to] =
                words[..]
            else {
                panic!("{words:?}")
            };
            std::fs::write(Path::new(to).join("karpenter-1.8.8.tgz"), self.0).unwrap();
            Ok(Exit { code: Some(0), ..Exit::default() })
        }

        async fn settle(&self, _slot: &str, _within: Duration) -> Result<Settled, RunError> {
            Ok(Settled::Free)
        }
    }

    #[tokio::test]
    async fn a_chart_is_pulled_once_and_given_only_with_the_bytes_of_the_plan() {
        let cache = tempfile::tempdir().unwrap();
        let pulling = Arc::new(Pulling("chart", AtomicUsize::new(0)));
        let charts = VerifiedCharts::new(pulling.clone(), HelmTarget::default(), cache.path().to_owned());
        let wanted = Chart { digest: Digest::of("chart"), ..chart("oci://r.example/") };
        let first = charts.fetch(&wanted).await.unwrap();
        assert_eq!(charts.fetch(&wanted).await.unwrap(), first);
        assert_eq!(pulling.1.load(Ordering::Relaxed), 1);
        let other = Chart { digest: Digest::of("other"), ..wanted.clone() };
        assert_eq!(charts.fetch(&other).await.unwrap_err().class, Class::Refused);
        // Resolving looks at what is published now.
        let (_, digest) =
            charts.locate(&wanted.repository, &wanted.name, &wanted.version, None).await.unwrap();
        assert_eq!((digest, pulling.1.load(Ordering::Relaxed)), (wanted.digest, 3));
        assert_eq!(std::fs::read_dir(cache.path()).unwrap().count(), 1, "something half was left");
    }

    #[test]
    fn paths_are_never_taken_for_names() {
        assert_eq!(path_arg(Path::new("charts/demo/1.0.0")), Arg::from("./charts/demo/1.0.0"));
        assert_eq!(path_arg(Path::new("/charts/demo/1.0.0")), Arg::from("/charts/demo/1.0.0"));
    }
}
